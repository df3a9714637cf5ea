"""`rungmaster plan`: the brackets that a spec's search will have, and what they are expected to cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from ...shared.errors import CannotStart
from ...shared.space.space import repetition
from ...shared.spec.documents import read_document
from ...shared.spec.searchers import SearcherSpec
from ...shared.spec.spec import parse_with_space
from ...shared.text.printing import say, say_block, say_json
from ...shared.text.visible import visible
from ..search.arithmetic import expected_entries, expected_resource
from ..search.interface import BracketPlan
from ..search.registry import plan_brackets
from .searcher_file import load_searchers

ASSUMPTION = (
    "from each rung exactly the top 1/divisor of the trials that entered it go on, rounded down but at least the best "
    "one, and no training is repeated; asynchronous promotion may pass more, and failures save the rest of a trial"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a search is expected to cost, in its spec's unit of resource, and how many trials reach each rung for it."""

    entries: tuple[tuple[int, ...], ...]
    expected: int
    full: int

    @property
    def saved(self) -> float:
        """The part of full training that is not spent: 0.9 is nine tenths."""
        return 1 - self.expected / self.full


def cost_of(searcher: SearcherSpec, plan: tuple[BracketPlan, ...]) -> Cost:
    """The cost under ASSUMPTION, beside training every trial to the full `max_resource`."""
    eta = searcher.eta
    return Cost(
        entries=tuple(expected_entries(bracket, eta) for bracket in plan),
        expected=sum(expected_resource(bracket, eta) for bracket in plan),
        full=sum(bracket.max_trials * bracket.rungs[-1] for bracket in plan),
    )


def _document(path: Path, plan: tuple[BracketPlan, ...], cost: Cost) -> dict[str, Any]:
    return {
        "spec": str(path),
        "brackets": [asdict(bracket) for bracket in plan],
        "expected_entries": cost.entries,
        "expected_resource": cost.expected,
        "full_resource": cost.full,
        "saved": round(cost.saved, 6),
        "assumption": ASSUMPTION,
    }


def _text(path: Path, searcher: SearcherSpec, plan: tuple[BracketPlan, ...], cost: Cost) -> str:
    trials = sum(bracket.max_trials for bracket in plan)
    brackets = _count(len(plan), "bracket")
    head = f"{searcher.name}, {trials} trials in {brackets}, divisor {searcher.divisor}"
    lines = [f"{visible(str(path))}: {head}"]
    for b, (bracket, entries) in enumerate(zip(plan, cost.entries, strict=True)):
        at_once = bracket.max_concurrent_trials
        limit = "" if at_once is None else f", at most {at_once} at once"
        rungs, made = _count(len(bracket.rungs), "rung"), _count(bracket.max_trials, "trial")
        lines += [f"  bracket {b}: {rungs}, {made}{limit}", *_rungs(bracket, entries)]
    lines += [
        f"  expected resource {cost.expected:,} of {cost.full:,} "
        f"for training every trial in full: {cost.saved:.1%} saved",
        f"  (where {ASSUMPTION})",
    ]
    return "\n".join(lines)


def _rungs(bracket: BracketPlan, entries: tuple[int, ...]) -> list[str]:
    width = max(len(f"{resource:,}") for resource in (*bracket.rungs, *entries))
    rows = (("resource", bracket.rungs), ("trials", entries))
    return [f"    {name:<8}  " + "  ".join(f"{value:>{width},}" for value in values) for name, values in rows]


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _check(path: Path) -> None:
    from ...shared.rehearsal import rehearse

    spec, space = parse_with_space(read_document(path), source=str(path))
    try:
        rehearse(spec, Path.cwd())
    except CannotStart as error:
        raise CannotStart(f"{path}: {error}") from error
    if warning := repetition(spec, space):
        say(f"warning: {path}: {warning}", err=True)


@click.command(short_help="Show the brackets of a spec, and what they cost.")
@click.argument("spec", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Look first whether this machine, in this folder, could start the trials.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document per spec and line.")
def command(spec: tuple[Path, ...], check: bool, as_json: bool) -> None:
    """Prints the bracket plan of each SPEC, with its expected cost beside that of training every trial in full.

    A SPEC is a whole spec, or a file that holds just {"searcher": {…}}. Nothing is run or stored. The expected cost
    assumes that from each rung exactly the top 1/divisor of its trials go on, at least one, and that no training is
    repeated.

    With --check each SPEC must be a whole one: its program must be there, or its module be importable and have the
    function, and its checkpoints' package and folder be there. Exit code 2 where not. It warns of a space with
    fewer combinations than the search makes trials.
    """
    for path in spec if check else ():
        _check(path)
    for path, searcher, _ in load_searchers(spec):
        plan = plan_brackets(searcher)
        cost = cost_of(searcher, plan)
        if as_json:
            say_json(_document(path, plan, cost))
        else:
            say_block(_text(path, searcher, plan, cost))
