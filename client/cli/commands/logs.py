"""The command `logs`."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterable
from contextlib import nullcontext

import click

from ....shared.limits import MAX_TAIL_LINES
from ....shared.text.printing import say, say_part, say_raw
from ....shared.wire.model import Lease
from ...client import Client
from ...follow import PATIENCE_S
from ...local.database import DatabaseClient
from ...trial_logs import LogPart, told_assignment
from ..options import EXPERIMENT_ID, TRIAL_ID, asking_options, say_if_at_rest


@click.command("logs")
@click.argument("experiment", type=EXPERIMENT_ID)
@click.argument("trial", type=TRIAL_ID)
@click.option("-f", "--follow", is_flag=True, help="Go on as more is printed, until the trial has ended.")
@click.option(
    "--tail",
    type=click.IntRange(0, MAX_TAIL_LINES),
    metavar="N",
    help="Only the last N lines of the latest assignment, and with -f what follows.",
)
@click.option(
    "--assignment",
    "token",
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    help="Only of this one, as `trial` numbers them.",
)
@click.option(
    "--raw", is_flag=True, help="The very bytes, control characters included; all else goes to standard error."
)
@asking_options
def command(
    experiment: int, trial: int, follow: bool, tail: int | None, token: int | None, raw: bool, client: Client
) -> int:
    """Print what the training of TRIAL of EXPERIMENT printed, assignment by assignment.

    While it trains its worker is asked; afterwards it is read from the storage of the checkpoints, by a worker that
    reaches that, or from here. Control characters are escaped. Exit code 1 where nothing of it could be had.
    """
    unit = client.get(experiment).unit
    at_rest = follow and say_if_at_rest(client)
    # Whoever follows waits for the next master where one is gone; a database has no other.
    patient = follow and not isinstance(client, DatabaseClient)
    with client.with_timeout(PATIENCE_S) if patient else nullcontext(client) as asked:
        parts = asked.trial_logs(experiment, trial, follow=follow and not at_rest, tail=tail, token=token)
        try:
            return _print(parts, trial, unit, raw=raw)
        except KeyboardInterrupt:
            return 130


def _print(parts: Iterable[LogPart], trial: int, unit: str, *, raw: bool) -> int:
    missing = found = False
    show: Callable[[bytes], None] = say_raw
    for part in parts:
        if part.note:
            say(f"({part.note})", err=True)
        elif part.missing:
            missing = True
            say(f"(no more of this assignment: {part.missing})", err=True)
        elif part.content:
            found = True
            show(part.content)
        elif part.assignment is not None:
            show = say_raw if raw else _Decoder().show
            say(header(trial, part.assignment, unit), err=raw)
    return 1 if missing and not found else 0


def header(trial: int, assignment: Lease, unit: str) -> str:
    """What stands before the log of an assignment."""
    return f"==> trial {trial}, {told_assignment(assignment, unit)} <=="


class _Decoder:
    """Bytes as they come, shown as text: whole characters, and each line of a progress bar on a line of its own."""

    def __init__(self) -> None:
        utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._decoder = io.IncrementalNewlineDecoder(utf8, translate=True)

    def show(self, content: bytes) -> None:
        """Prints a part, where nothing in it can act."""
        say_part(self._decoder.decode(content))
