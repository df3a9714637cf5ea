"""Densities over rows of codes from kernels around observed rows (Falkner et al. 2018, sections 3.2 and 4.2).

Each numeric hyperparameter has a normal kernel, whose bandwidth follows the normal reference rule. It is never less
than 1 / (n + 1) for n rows (as in the TPE of Bergstra et al. 2011): rows that were suggested lie where others lay, and
a density that follows them alone ends in the first good place, and finds no better one.

A categorical one has the kernel of Aitchison and Aitken (1976), whose bandwidth is the probability of another choice:
as much as one more row makes which is spread over all choices. The reference rule would take the indexes of choices for
numbers, and blur the kernel until it says next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .spaces.columns import Codes, Column

MOST_PARTS = 100
"""The least standard deviation of a kernel is one in this many, however many rows there are."""


MOST_REDRAWN = 30
"""How often what lies beyond the bounds is drawn again, before it is put at the bound."""


class Density:
    """Kernels around rows that lack nothing."""

    def __init__(self, rows: Codes, columns: Sequence[Column]) -> None:
        self._rows = rows
        self._columns = columns
        number, width = rows.shape
        shrunk = 1.06 * number ** (-1 / (4 + width))
        self._bandwidths = [_bandwidth(column, codes, shrunk) for column, codes in zip(columns, rows.T, strict=True)]

    def logs(self, rows: Codes) -> NDArray[np.float64]:
        """The logarithm of the density at each row."""
        kernels = np.zeros((len(rows), len(self._rows)))
        for place, (column, width) in enumerate(zip(self._columns, self._bandwidths, strict=True)):
            kernels += _log_kernel(column, rows[:, place, None], self._rows[None, :, place], width)
        most = kernels.max(axis=1)
        return most + np.log(np.exp(kernels - most[:, None]).mean(axis=1))

    def drawn(self, random: Generator, number: int, factor: float) -> Codes:
        """So many rows, by kernels that are so many times as wide."""
        around = self._rows[random.integers(len(self._rows), size=number)]
        drawn = [
            _moved(column, around[:, place], factor * width, random)
            for place, (column, width) in enumerate(zip(self._columns, self._bandwidths, strict=True))
        ]
        return np.column_stack(drawn)


def _bandwidth(column: Column, codes: Codes, shrunk: float) -> float:
    if column.is_categorical:
        return (column.size - 1) / column.size / (len(codes) + 1)
    # A kernel that never reaches the next of few values would give the same one again and again.
    few = 0.25 / column.size if column.size else 0.0
    return max(shrunk * float(codes.std()), 1 / min(len(codes) + 1, MOST_PARTS), few)


def _log_kernel(column: Column, at: Codes, around: Codes, width: float) -> Codes:
    if column.is_categorical:
        return np.where(at == around, math.log(1 - width), math.log(width / (column.size - 1)))
    return -0.5 * ((at - around) / width) ** 2 - math.log(width)


def _moved(column: Column, around: Codes, width: float, random: Generator) -> Codes:
    if column.is_categorical:
        possible = np.flatnonzero(column.weights)
        other = possible[random.integers(len(possible), size=len(around))].astype(float)
        return np.where(random.random(len(around)) < width, other, around)
    moved = random.normal(around, width)
    for _ in range(MOST_REDRAWN):
        outside = (moved < 0) | (moved > 1)
        if not outside.any():
            break
        moved[outside] = random.normal(around[outside], width)
    return column.rounded(np.clip(moved, 0.0, 1.0))
