"""The command `trials`: the trials of an experiment as a table, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import click

from ....proto.v1 import experiment_pb2
from ....shared.text.printing import say_lines
from ....shared.wire.convert import from_message
from ....shared.wire.model import TrialInfo, TrialOrder, TrialState
from ...client import Client
from ...requests import PAGE_SIZE, list_trials
from ...tables.cells import csv_rows, json_object
from ...tables.conditions import Condition, parse_conditions
from ...tables.trial_columns import TrialColumn, column_named, columns_of
from .. import text
from ..options import choose, experiment_argument, json_option, limit_option, looking_options
from ..output import print_json_lines

_FORMS = ("table", "csv", "jsonl")


@click.command("trials")
@experiment_argument
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in TrialState]),
    help="Only these; repeatable.",
)
@click.option(
    "--where",
    "wanted",
    default="",
    metavar="CONDITIONS",
    help="Only those for which this holds, such as 'width >= 64, solver = adam, best < 0.1'.",
)
@click.option("--order", type=click.Choice([order.value for order in TrialOrder]), default="id", show_default=True)
@limit_option
@click.option(
    "--columns",
    "names",
    multiple=True,
    metavar="NAME,…",
    help="Only these, in this order: columns of the table on a page, and hyperparameters by their names; a wrong one "
    "lists them all.",
)
@click.option(
    "--format", "form", type=click.Choice(_FORMS), default="table", show_default=True, help="jsonl: one object a line."
)
@looking_options
@json_option
def command(
    experiment: int | None,
    states: tuple[str, ...],
    wanted: str,
    order: str,
    limit: int | None,
    names: tuple[str, ...],
    form: str,
    client: Client,
    as_json: bool,
) -> None:
    """List the trials of an experiment; with --json one a line, all that is known of each.

    Without EXPERIMENT (its id), of the only unfinished one, or where all have ended of the newest.

    \b
    rungmaster trials 1 --order best --limit 10 --columns trial,best,width,learning_rate
    rungmaster trials 1 --where 'best < 0.1' --format csv > good.csv
    """
    if as_json and (names or form != "table"):
        raise click.UsageError("--json prints all that is known of each trial; --format jsonl has columns")
    chosen = choose(client, experiment)
    columns = columns_of(client.get(chosen)) if wanted or names or form != "table" else {}
    conditions = parse_conditions(wanted, columns)
    request = list_trials(chosen, states, order, page_size=PAGE_SIZE if wanted else min(limit or PAGE_SIZE, PAGE_SIZE))
    found = islice(_found(client.connection.pages(request), conditions), limit)
    if as_json:
        print_json_lines(message for message, _ in found)
        return
    trials = (trial for _, trial in found)
    if form == "table" and not names:
        say_lines(text.table(text.TRIAL_HEADER, map(text.trial_row, trials), left=text.TRIAL_LEFT))
    else:
        _print(_chosen(columns, names), trials, form)


def _found(
    messages: Iterable[experiment_pb2.Trial], conditions: Sequence[Condition]
) -> Iterator[tuple[experiment_pb2.Trial, TrialInfo]]:
    for message in messages:
        trial = from_message(message, TrialInfo)
        if all(condition.holds(trial) for condition in conditions):
            yield message, trial


def _chosen(columns: dict[str, TrialColumn], names: Sequence[str]) -> list[TrialColumn]:
    """The columns that were named, of which a name may have a comma in it; all where none was."""
    if not names:
        return list(columns.values())
    parts = [part for name in names for part in ([name] if name in columns else name.split(","))]
    return [column_named(columns, part.strip()) for part in parts if part.strip()]


def _print(columns: Sequence[TrialColumn], trials: Iterable[TrialInfo], form: str) -> None:
    if form == "jsonl":
        say_lines(
            json_object({each.name: each.value(trial) for each in columns if each.has(trial)}) for trial in trials
        )
        return
    names = [column.name for column in columns]
    rows = ([column.value(trial) if column.has(trial) else None for column in columns] for trial in trials)
    if form == "csv":
        # A line each, so that no text in it can look like another.
        say_lines(row.removesuffix("\r\n") for row in csv_rows(names, rows))
    else:
        shown = ([_cell(value) for value in row] for row in rows)
        left = frozenset(place for place, column in enumerate(columns) if not column.numeric)
        say_lines(text.table(names, shown, left=left))


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return f"{value.astimezone():%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else _short(value)


def _short(value: Any) -> str:
    return text.number(value) if isinstance(value, float) else value if isinstance(value, str) else text.exactly(value)
