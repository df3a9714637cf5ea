"""The neutral form of a search space for models: hyperparameters as rows of codes, with NaN for what does not exist.

`columns.py` tells what a code is. NumPy and the standard library are all that this needs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ...shared.sampling.protocol import same
from .columns import Codes, Column

MOST_DRAWS = 100_000
"""So many combinations are drawn before all are taken to be forbidden."""

Truths = NDArray[np.bool_]


class NothingAllowedError(ValueError):
    """Every combination that was drawn is forbidden."""


class NeutralSpace:
    """A search space. A row of codes has one for each of `columns`, parents before their children."""

    def __init__(self, space: Mapping[str, Any]) -> None:
        self.columns = [Column.of(parameter) for parameter in space["parameters"]]
        self._place = {column.name: place for place, column in enumerate(self.columns)}
        self._conditions = [self._condition(column.when) for column in self.columns]
        self._forbidden = [self._condition(combination) for combination in space.get("forbidden", ())]
        #: The places of those that can have more than one value.
        self.varying = [place for place, column in enumerate(self.columns) if column.size != 1]

    @property
    def has_prior(self) -> bool:
        """Whether for any hyperparameter it is known where good values are expected."""
        return any(column.prior is not None for column in self.columns)

    def _condition(self, condition: Mapping[str, Sequence[Any]]) -> list[tuple[int, Codes]]:
        """The columns that a condition names, and the indexes that each may have."""
        places = [self._place[name] for name in condition]
        return [
            (place, np.array([self.columns[place].index(value) for value in values], dtype=float))
            for place, values in zip(places, condition.values(), strict=True)
        ]

    def encoded(self, hyperparameters: Mapping[str, Any]) -> Codes:
        """The row of some hyperparameters; NaN where one is not there, or has a value that this space does not know."""
        there = (hyperparameters.get(column.name, _ABSENT) for column in self.columns)
        return np.array(
            [
                np.nan if value is _ABSENT else column.code(value)
                for column, value in zip(self.columns, there, strict=True)
            ]
        )

    def decoded(self, row: Codes) -> dict[str, Any]:
        """The hyperparameters of a row, as values that are the caller's own."""
        found = {
            column.name: column.value(code)
            for column, code in zip(self.columns, row, strict=True)
            if not math.isnan(code)
        }
        return copy.deepcopy(found)

    def existing(self, rows: Codes) -> Codes:
        """The same rows without what does not exist beside the rest, each code as that of its value."""
        rows = np.column_stack([column.rounded(codes) for column, codes in zip(self.columns, rows.T, strict=True)])
        for place, condition in enumerate(self._conditions):
            if condition:
                rows[~self._agree(rows, condition), place] = np.nan
        return rows

    def allowed(self, rows: Codes) -> Truths:
        """Which of such rows are not forbidden."""
        allowed = np.ones(len(rows), dtype=bool)
        for combination in self._forbidden:
            allowed &= ~self._agree(rows, combination)
        return allowed

    def _agree(self, rows: Codes, condition: Sequence[tuple[int, Codes]]) -> Truths:
        agree = np.ones(len(rows), dtype=bool)
        for place, indexes in condition:
            # What does not exist is NaN, and agrees with nothing.
            agree &= np.isin(self.columns[place].indexes(rows[:, place]), indexes)
        return agree

    def drawn(self, random: Generator, number: int, *, by_prior: bool = True) -> Codes:
        """So many rows as the space distributes them, none of them forbidden; with or without the priors of its
        hyperparameters. Fewer where very much is forbidden; raises NothingAllowedError where none was found."""
        found: list[Codes] = []
        missing, drawn = number, 0
        while missing > 0 and drawn < MOST_DRAWS:
            size = min(max(2 * drawn, missing), MOST_DRAWS)
            rows = self.existing(self.everything(random, size, by_prior=by_prior))
            found.append(rows[self.allowed(rows)][:missing])
            missing, drawn = missing - len(found[-1]), drawn + size
        if missing == number:
            raise NothingAllowedError(f"of {drawn:,} combinations that were drawn, every one is forbidden")
        return np.concatenate(found)

    def everything(self, random: Generator, number: int, *, by_prior: bool = True) -> Codes:
        """So many rows, with codes also for what does not exist, forbidden or not."""
        chances = random.random((number, len(self.columns)))
        return np.column_stack(
            [column.drawn(chances[:, place], by_prior=by_prior) for place, column in enumerate(self.columns)]
        )


_ABSENT = object()


def name_of(hyperparameters: Mapping[str, Any]) -> str:
    """A text that is the same for the same hyperparameters."""
    return same(dict(hyperparameters))
