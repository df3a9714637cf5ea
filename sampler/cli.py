"""`rungmaster sampler`: the sampler programs of this machine, installed, listed, added and tried."""

from __future__ import annotations

import json
import random
import re
import shlex
import time
from pathlib import Path
from typing import Any

import click

from ..shared.errors import CannotStart, FailedPrecondition, InvalidInput
from ..shared.files import written_whole
from ..shared.sampling.conversation import ProgramConversation
from ..shared.sampling.programs import (
    EXTERNAL,
    PROGRAMS,
    command_of,
    environment_folder,
    external_command,
    external_folder,
    externals,
    installed,
    is_at_hand,
)
from ..shared.sampling.protocol import Pending, TrialResult
from ..shared.sampling.spaces import RefusedSuggestion, accepted
from ..shared.sampling.start import start_of
from ..shared.sampling.troubles import not_answered
from ..shared.space.space import Space
from ..shared.spec.document.reading import read_document
from ..shared.spec.samplers import ProgramSamplerSpec
from ..shared.spec.spec import Spec, parse_spec
from ..shared.text.printing import say, say_json
from ..shared.text.visible import json_text
from .installing import RECIPES, costs, install, is_current

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_DEFAULT_MEMORY_GIB = 4.0


@click.group("sampler")
def command() -> None:
    """Samplers that are programs of their own: on the host of the master, as the user that it runs as.

    They are kept in $RUNGMASTER_SAMPLERS, or else in ~/.local/share/rungmaster/samplers.
    """


@command.command("install")
@click.argument("name", type=click.Choice([*RECIPES]))
def install_command(name: str) -> None:
    """Make the environment of a sampler, or go on with one that was interrupted."""
    install(name, lambda line: say(line, err=True))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_command(as_json: bool) -> None:
    """List the samplers, and where each runs or how to have it."""
    rows = [*map(_row, PROGRAMS), *map(_external_row, externals())]
    if as_json:
        say_json({"samplers": rows})
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        say(f"{row['name']:<{width}}  {row['state']:<13}  {row['about']}")


def _row(name: str) -> dict[str, Any]:
    known = installed(name)
    if known is not None:
        state, about = "installed", f"{environment_folder(name)}, Python {known.get('python', '?')}"
        if not is_current(name):
            state, about = "outdated", f"{about}; rungmaster sampler install {name} brings it up to date"
    elif is_at_hand(name):
        state, about = "ready", "runs with Rungmaster's own Python"
    else:
        state, about = "not installed", f"rungmaster sampler install {name}: {costs(name)}"
    return {"name": name, "state": state, "about": about}


def _external_row(name: str) -> dict[str, Any]:
    try:
        about = shlex.join(external_command(name))
    except CannotStart as error:
        about = str(error)
    return {"name": name, "state": EXTERNAL, "about": about}


@command.command("add")
@click.argument("name")
@click.argument("arguments", nargs=-1, required=True, metavar="-- COMMAND...")
def add_command(name: str, arguments: tuple[str, ...]) -> None:
    """Let specs use a program of your own: `sampler: {name: external, program: NAME}`.

    It is started in the folder of the master, so give whole paths. A program of the same name is replaced.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} cannot be a name: letters, digits, _, - and . are, at most 100 of them")
    external_folder().mkdir(parents=True, exist_ok=True)
    with written_whole(external_folder() / f"{name}.json", replace=True) as target:
        target.write_text(json.dumps({"command": arguments}), encoding="utf-8")
    say(f"added {name}: {shlex.join(arguments)}")


@command.command("remove")
@click.argument("name")
def remove_command(name: str) -> None:
    """Take back what `add` added; experiments that use it go on with random draws."""
    external_command(name)
    (external_folder() / f"{name}.json").unlink()
    say(f"removed {name}")


@command.command("try")
@click.argument("name")
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--count", type=click.IntRange(min=1), default=5, show_default=True, help="How many suggestions to ask for."
)
@click.option(
    "--results",
    type=click.IntRange(min=0, max=10_000),
    default=10,
    show_default=True,
    help="How many results to tell it before, made up: the metric of a random trial is a random number.",
)
@click.option(
    "--patience",
    "patience_s",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait until it is ready, and for each suggestion.",
)
def try_command(name: str, spec: Path, count: int, results: int, patience_s: float) -> None:
    """Ask a sampler for suggestions in the search space of SPEC, and print each with the time that it took.

    NAME is one of `rungmaster sampler list`. Nothing is stored. The program runs as a master would run it, and what it
    tells people is shown.
    """
    wanted = parse_spec(read_document(spec), source=str(spec))
    own = wanted.sampler if isinstance(wanted.sampler, ProgramSamplerSpec) else None
    is_own = own is not None and name in (own.name, getattr(own, "program", ""))
    options, memory = (own.told(), own.memory) if own is not None and is_own else ({}, _DEFAULT_MEMORY_GIB)
    command = command_of(name) if name in PROGRAMS else command_of(EXTERNAL, name)
    with ProgramConversation(command, memory) as conversation:
        began = time.monotonic()
        called = conversation.start(start_of(wanted, 0, [_resource(wanted)], options), patience_s).name
        took_s = time.monotonic() - began
        say(f"{called} was ready after {took_s:.2f} s; it is told {results} results that are made up")
        conversation.tell(*_made_up(wanted, results))
        _ask(conversation, wanted, count, patience_s)


def _ask(conversation: ProgramConversation, spec: Spec, count: int, patience_s: float) -> None:
    pending: list[Pending] = []
    for number in range(1, count + 1):
        began = time.monotonic()
        answer = next(conversation.ask(1, pending, patience_s), None)
        took_s = time.monotonic() - began
        if answer is None:
            raise FailedPrecondition(f"{not_answered(patience_s)} (--patience)")
        pending.append(Pending(answer.hyperparameters))
        note = f"  ({answer.note})" if answer.note else ""
        say(f"{number:>2}  {took_s:6.2f} s  {_judged(spec, answer.hyperparameters)}{note}")


def _judged(spec: Spec, suggestion: dict[str, Any]) -> str:
    try:
        return json_text(accepted(spec.hyperparameters, spec.forbidden, suggestion))
    except RefusedSuggestion as error:
        return f"refused: {error}: {json_text(suggestion)}"


def _resource(spec: Spec) -> int:
    return getattr(spec.searcher, "max_resource", 1)


def _made_up(spec: Spec, number: int) -> list[TrialResult]:
    space, chance = Space(spec.hyperparameters, spec.forbidden), random.Random(spec.seed)  # noqa: S311 - no secret
    return [
        TrialResult(trial, space.draw(spec.seed, trial), _resource(spec), chance.random())
        for trial in range(1, number + 1)
    ]
