"""The command `audit`: who did what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import click

from ....shared.durations import seconds_of
from ....shared.text.printing import say_lines
from ....shared.wire.convert import from_messages
from ....shared.wire.model import Act
from ...client import Client
from ...requests import list_acts
from .. import text
from ..event_text import particulars
from ..options import experiment_argument, json_option, limit_option, looking_options
from ..output import print_json_lines

_HEADER = ("time (UTC)", "act", "to", "by", "from", "particulars")
_NOT_ASKED = "(not asked)"


class _Since(click.ParamType):
    """A time, or how long ago that is."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """See click."""
        seconds = seconds_of(value)
        try:
            if seconds is not None:
                return datetime.now(UTC) - timedelta(seconds=seconds)
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            words = "is neither how long ago (2d, 12h) nor a time such as 2027-01-31 or 2027-01-31T12:00"
            self.fail(f"{value!r} {words}", param, ctx)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@click.command("audit")
@experiment_argument
@click.option("--who", default="", metavar="NAME", help="Only by whoever has a token or certificate of this name.")
@click.option(
    "--since", type=_Since(), metavar="TIME", help="Only from 2027-01-31, 2027-01-31T12:00 (UTC) or 2d (ago) on."
)
@click.option("--oldest-first", is_flag=True, help="In the order in which it was done; otherwise the newest first.")
@limit_option
@looking_options
@json_option
def command(
    experiment: int | None,
    who: str,
    since: datetime | None,
    oldest_first: bool,
    limit: int | None,
    client: Client,
    as_json: bool,
) -> None:
    """List what people did: who, when, from where and to what; with --json one act a line.

    To all experiments and workers, or to EXPERIMENT (its id), also when that is deleted. Where the master asked for
    neither token nor certificate, nobody knows who it was.
    """
    messages = islice(client.connection.pages(list_acts(experiment, who, since, oldest_first)), limit)
    if as_json:
        print_json_lines(messages)
        return
    say_lines(text.table(_HEADER, _rows(from_messages(messages, Act)), left=frozenset(range(len(_HEADER)))))


def _rows(acts: Iterator[Act]) -> Iterator[tuple[str, ...]]:
    for act in acts:
        yield (
            f"{act.create_time:%Y-%m-%d %H:%M:%S}",
            act.kind,
            f"worker {act.subject}" if act.experiment_id is None else f"{act.experiment_id} ({act.subject})",
            f"{act.who} ({act.known_by})" if act.known_by else _NOT_ASKED,
            act.host or "-",
            particulars(act.data),
        )
