"""Reports as columns: arrays of one length, which the database hands over as text, one text for each column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Between two documents of one text; JSON has no such character but as an escape.
DOCUMENT_END = "\n"
#: Documents that are parsed in one go, in which no other thread runs.
_AT_ONCE = 256
_decode = json.JSONDecoder().decode


def _none() -> Whole:
    return np.empty(0, np.int64)


def _no_value() -> NDArray[np.float64]:
    return np.empty(0, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class ReportColumns:
    """Reports in the order of their keys, which are trial, token and sequence number.

    `place` counts them in that order, from the first of the experiment on.
    """

    trial: Whole
    resource: Whole
    commit: Whole
    place: Whole

    def __len__(self) -> int:
        return len(self.trial)

    def __getitem__(self, chosen: slice | NDArray[Any]) -> Self:
        return type(self)(*(getattr(self, each.name)[chosen] for each in fields(self)))

    def __add__(self, other: Self) -> Self:
        pairs = ((getattr(self, each.name), getattr(other, each.name)) for each in fields(self))
        return type(self)(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredColumns(ReportColumns):
    """The same with one metric: `value` is NaN and `there` false where a report does not have it. `time_us` are
    microseconds since the creation of the experiment."""

    time_us: Whole
    value: NDArray[np.float64]
    there: Mask

    @classmethod
    def nothing(cls) -> Self:
        """No reports."""
        none = np.empty(0, np.int64)
        return cls(none, none, none, none, none, np.empty(0), np.empty(0, bool))


def whole_numbers(text: str) -> Whole:
    """Numbers with commas between them."""
    return np.fromstring(text, np.int64, sep=",")


def values_of(text: str, metric: str) -> tuple[NDArray[np.float64], Mask, set[str]]:
    """One metric of each document in a text, which of them have it, and the names of all metrics.

    Raises ValueError where that is no metrics as `dump_metrics` writes them.
    """
    names: set[str] = set()
    found: list[float | str | None] = []
    for documents in _parsed(text.split(DOCUMENT_END)):
        names.update(*documents)
        found += [document.get(metric) for document in documents]
    # The words for NaN and the infinities become what they mean; None becomes NaN.
    values = np.array(found, np.float64)
    there = np.array([value is not None for value in found]) if None in found else np.ones(len(found), bool)
    return values, there, names


def _parsed(documents: Sequence[str]) -> Iterable[list[dict[str, Any]]]:
    for first in range(0, len(documents), _AT_ONCE):
        yield _decode(f"[{','.join(documents[first : first + _AT_ONCE])}]")
