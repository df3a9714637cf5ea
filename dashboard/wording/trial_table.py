"""The table of trials: which are in it, in which order, with which columns. Pure functions."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...shared.wire.model import Experiment, TrialInfo, TrialState
from .trial_filters import Condition

PAGE_SIZES = (25, 100, 500)
_SHOWN_HYPERPARAMETERS = 5
#: What stands before a hyperparameter's name in the name of its column.
HYPERPARAMETER = "h."
#: What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class TrialColumn:
    """One column: its name in links, its heading, and what it has of a trial. `numeric` is aligned to the right."""

    name: str
    heading: str
    value: Callable[[TrialInfo], Any]
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class TableQuery:
    """Which trials are wanted; the `columns` by name (none: the usual ones), the `page` from 1 on."""

    states: frozenset[TrialState] = frozenset()
    conditions: tuple[Condition, ...] = ()
    sort: str = ""
    descending: bool = False
    columns: tuple[str, ...] = ()
    page: int = 1
    size: int = PAGE_SIZES[1]


@dataclass(frozen=True, slots=True)
class TablePage:
    """The rows of one page, and how many there are in all."""

    rows: Sequence[TrialInfo]
    total: int
    page: int
    pages: int


def columns_of(experiment: Experiment, trials: Mapping[int, TrialInfo]) -> dict[str, TrialColumn]:
    """All columns that a table of these trials may have, by name, hyperparameters in the order of the spec."""
    names = hyperparameters(experiment, trials)
    fixed = [
        TrialColumn("trial", "Trial", lambda trial: trial.trial_id, numeric=True),
        TrialColumn("state", "State", lambda trial: trial.state.value),
        TrialColumn("best", f"Best {experiment.metric}", lambda trial: trial.best_metric, numeric=True),
        TrialColumn("metric", "At its last rung", lambda trial: trial.metric, numeric=True),
        TrialColumn("resource", experiment.unit.capitalize(), lambda trial: trial.resource, numeric=True),
        TrialColumn("bracket", "Bracket", lambda trial: trial.bracket_id, numeric=True),
        TrialColumn("rung", "Rung", lambda trial: trial.rung_id, numeric=True),
        TrialColumn("origin", "From", lambda trial: trial.origin),
        TrialColumn("restarts", "Restarts", lambda trial: trial.restarts, numeric=True),
        TrialColumn("worker", "Worker", lambda trial: trial.worker),
        TrialColumn("created", "Made", lambda trial: trial.create_time),
        TrialColumn("ended", "Ended", lambda trial: trial.end_time),
        TrialColumn("reason", "Why", lambda trial: trial.state_reason),
    ]
    return {column.name: column for column in [*fixed, *(_hyperparameter(name, trials) for name in names)]}


def hyperparameters(experiment: Experiment, trials: Mapping[int, TrialInfo]) -> list[str]:
    """The names of all hyperparameters: those of the spec, then others that trials have."""
    named = dict.fromkeys(experiment.spec.get("hyperparameters") or {})
    for trial in trials.values():
        for name in trial.hparams:
            if name not in named:
                named[name] = None
    return [*named]


def _hyperparameter(name: str, trials: Mapping[int, TrialInfo]) -> TrialColumn:
    words = any(isinstance(trial.hparams.get(name), str | bool) for trial in trials.values())
    return TrialColumn(HYPERPARAMETER + name, name, lambda trial: trial.hparams.get(name), numeric=not words)


def shown_columns(query: TableQuery, columns: Mapping[str, TrialColumn]) -> list[TrialColumn]:
    """The columns that are asked for, or the usual ones; that of the trial's number always comes first."""
    own = [name for name in columns if name.startswith(HYPERPARAMETER)][:_SHOWN_HYPERPARAMETERS]
    wanted = query.columns or ("state", "best", "resource", "rung", *own)
    return [columns[name] for name in dict.fromkeys(("trial", *wanted)) if name in columns]


def select(
    query: TableQuery, columns: Mapping[str, TrialColumn], trials: Iterable[TrialInfo], goal: str
) -> list[TrialInfo]:
    """The trials that are wanted, in the order that is asked for: by default the best first, and last those without
    a result."""
    found = [
        trial
        for trial in trials
        if (not query.states or trial.state in query.states)
        and all(condition.holds(trial.hparams) for condition in query.conditions)
    ]
    column = columns.get(query.sort) or columns["best"]
    descending = query.descending if query.sort in columns else goal == "maximize"
    have = [trial for trial in found if not _is_missing(column.value(trial))]
    rest = [trial for trial in found if _is_missing(column.value(trial))]
    # Numbers before words, since the values of one hyperparameter may be both.
    have.sort(key=lambda trial: _order(column.value(trial)), reverse=descending)
    return [*have, *rest]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _order(value: Any) -> tuple[int, Any]:
    if isinstance(value, datetime):
        return 0, value.timestamp()
    return (0, value) if isinstance(value, int | float) else (1, str(value))


def page_of(query: TableQuery, selected: Sequence[TrialInfo]) -> TablePage:
    """The rows of the page that is asked for, or of the last one where there are fewer."""
    pages = max(1, -(-len(selected) // query.size))
    page = min(max(1, query.page), pages)
    return TablePage(selected[(page - 1) * query.size : page * query.size], len(selected), page, pages)


def csv_lines(columns: Sequence[TrialColumn], trials: Iterable[TrialInfo]) -> Iterator[str]:
    """The table as CSV, a line at a time, with all digits. Text that a spreadsheet would run has a ' before it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([_cell(column.heading) for column in columns])
    yield buffer.getvalue()
    for trial in trials:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([_cell(column.value(trial)) for column in columns])
        yield buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
