"""Commands for programs that a worker started: `report`, `checkpoint-save`, `hparam`. They import next to nothing.

Each opens a connection of its own to the worker's socket, says one thing and ends.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from ...shared.errors import FailedPrecondition, InvalidInput
from ...shared.hparam_variables import as_text
from ...shared.text.printing import say, say_json
from ...shared.text.suggestions import closest
from .connection import LocalConnection
from .protocol import Reply
from .takeover import take_over

ENDS = 3
"""The exit code of `report` where the training ends here."""

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("report")
@click.argument("metrics", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.option("--resource", type=int, metavar="N", help="How far it is trained.  [default: one more than the last]")
@click.option("--save", type=_FOLDER, metavar="DIR", help="Hand this folder over as a checkpoint, if one is wanted.")
def report(metrics: tuple[str, ...], resource: int | None, save: Path | None) -> int:
    """Hand in what was measured, from a program that a worker started, and print what it does now.

    Prints continue, pause or stop, and with it `save` where a checkpoint is wanted and --save was not given. At the
    target it waits for the master's decision. Exit code 0: train on. 3: the training ends here (pause or stop), exit
    with 0. 1 or 2: it went wrong.
    """
    measured = dict(map(_metric, metrics))
    with closing(LocalConnection.from_environment()) as worker:
        answer = worker.report(resource, measured)
        if answer.save and save is not None:
            _hand_over(worker, None, save)
    say(_words(answer, saved=save is not None))
    return ENDS if answer.ends else 0


def _metric(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise InvalidInput(f"{text!r}: write NAME=VALUE with a number, such as loss=0.2") from None


def _words(answer: Reply, *, saved: bool) -> str:
    return f"{answer.decision} save" if answer.save and not saved else answer.decision


@click.command("checkpoint-save")
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option("--resource", type=int, metavar="N", help="How far it is trained.  [default: as last reported]")
def checkpoint_save(folder: Path, resource: int | None) -> None:
    """Hand over a copy of DIR as a checkpoint, from a program that a worker started; DIR stays as it is."""
    with closing(LocalConnection.from_environment()) as worker:
        _hand_over(worker, resource, folder)


def _hand_over(worker: LocalConnection, resource: int | None, folder: Path) -> None:
    if not any(folder.iterdir()):
        raise FailedPrecondition(f"{folder} is empty: write the checkpoint's files there first")
    copied = worker.new_folder()
    try:
        take_over(folder, copied)
    except InvalidInput:
        # So that the worker knows of it, whatever the program makes of the exit code.
        worker.checkpoint(resource, folder.resolve())
        raise
    worker.checkpoint(resource, copied)


@click.command("hparam")
@click.argument("name", required=False)
def hparam(name: str | None) -> None:
    """Print the hyperparameter NAME, or without NAME all of them as JSON, in a program that a worker started.

    Texts are printed as they are, all else as JSON: 0.1, true, null.
    """
    with closing(LocalConnection.from_environment()) as worker:
        hparams = worker.start().hparams
    if name is None:
        say_json(hparams)
    elif name in hparams:
        # As it is: a program reads it, and no person.
        click.echo(as_text(hparams[name]))
    else:
        close = closest(name, hparams)
        hint = f'did you mean "{close}"?' if close else f"there are {', '.join(hparams)}"
        raise InvalidInput(f'this trial has no hyperparameter "{name}"; {hint}')
