"""Rows of the database as values for people: each field from the column of its name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from sqlalchemy import Result, Row

V = TypeVar("V")


def from_row(cls: type[V], row: Row[Any], prefix: str = "", /, **given: Any) -> V:
    """A value of what is given, and for the other fields of the row's columns, whose names may begin with a prefix.

    What neither has is left to its default. Times and states, which the ledger keeps as numbers and words, become such.
    """
    found = {
        name: row[place] if convert is None else convert(row[place])
        for name, place, convert in _plan(cls, prefix, row._fields)
        if name not in given
    }
    return cls(**found, **given)


def from_rows(cls: type[V], rows: Result[Any]) -> list[V]:
    """The values of all rows of a query, as `from_row` makes them, at half its cost: journals are long."""
    plan = _plan(cls, "", tuple(rows.keys()))
    return [
        cls(**{name: row[place] if convert is None else convert(row[place]) for name, place, convert in plan})
        for row in rows
    ]


def as_time(seconds: float | None) -> datetime | None:
    """A time as the ledger stores it, for people."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@cache
def _plan(cls: Any, prefix: str, columns: tuple[str, ...]) -> list[tuple[str, int, Callable[[Any], Any] | None]]:
    """The fields that the columns have: each with its place among them, and what is made of it (None: nothing)."""
    hints = get_type_hints(cls)
    return [(name, columns.index(prefix + name), _made(hints[name])) for name in hints if prefix + name in columns]


def _made(hint: Any) -> Callable[[Any], Any] | None:
    if datetime in (hint, *get_args(hint)):
        return as_time
    return hint if isinstance(hint, type) and issubclass(hint, StrEnum) else None
