"""The table of trials: which are in it, in which order, with which columns. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...client.tables.conditions import Condition
from ...client.tables.trial_columns import TrialColumn, usual_columns
from ...shared.wire.model import TrialInfo, TrialState

PAGE_SIZES = (25, 100, 500)


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


def shown_columns(query: TableQuery, columns: Mapping[str, TrialColumn]) -> list[TrialColumn]:
    """The columns that are asked for, or the usual ones; that of the trial's number always comes first."""
    wanted = query.columns or usual_columns(columns)
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
        and all(condition.holds(trial) for condition in query.conditions)
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
