"""One hyperparameter of the neutral form of a space as numbers that models work with.

Its *code*: of a categorical the index of a choice; of all others a place from 0 to 1, evenly in the logarithm with
`log`. Each whole number, and each value of an ordinal, has a part of that, and its code lies in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...shared.sampling.protocol import same
from .parameters import Parameter

Codes = NDArray[np.float64]

DIGITS = 12
"""Significant digits of a suggested float, as of one that the master draws."""

#: As near as a probability comes to 0 and to 1: there a normal distribution has no value.
_NEAREST = 2.0**-53


class Column(Parameter):
    """A hyperparameter, and the codes of its values."""

    @cached_property
    def prior(self) -> tuple[float, float] | None:
        """Mean and standard deviation of its codes, where good values are expected; None: nothing is known."""
        return None if self.expected is None else _unit_prior(self, self.expected)

    def code(self, value: Any) -> float:
        """The code of a value; NaN for one that it does not have."""
        if self.values:
            index = self.places.get(same(value))
            if index is None:
                return math.nan
            return index if self.is_categorical else (index + 0.5) / self.size
        if isinstance(value, bool) or not isinstance(value, int | float):
            return math.nan
        place = (self._scaled(value) - self._bounds[0]) / (self._bounds[1] - self._bounds[0])
        return min(max(place, 0.0), 1.0)

    def value(self, code: float) -> Any:
        """The value of a code."""
        if self.values:
            return self.values[int(self.indexes(np.array([code]))[0])]
        low, high = self._bounds
        place = low + (high - low) * min(max(code, 0.0), 1.0)
        found = math.exp(place) if self.log else place
        if self.kind == "int":
            return min(max(round(found), int(self.low)), int(self.high))
        return min(max(float(f"{found:.{DIGITS}g}"), self.low), self.high)

    def indexes(self, codes: Codes) -> Codes:
        """Of what can be counted, which value of all each code is, from 0; NaN stays."""
        if self.is_categorical:
            return codes
        if self.kind == "int" and self.log:
            low, high = self._bounds
            return np.clip(np.rint(np.exp(low + (high - low) * codes)), self.low, self.high) - self.low
        return np.clip(np.floor(codes * self.size), 0, self.size - 1)

    def index(self, value: Any) -> float:
        """Which of all a value is that a condition names."""
        return float(self.places[same(value)]) if self.values else value - self.low

    def drawn(self, chances: Codes, *, by_prior: bool) -> Codes:
        """Codes from numbers from 0 to 1, as the space distributes them; with or without its prior."""
        if self.is_categorical:
            bounds = np.cumsum(self.weights)
            # Rounding may lead past the last that has a weight.
            last = max(index for index, weight in enumerate(self.weights) if weight)
            return np.minimum(np.searchsorted(bounds, chances * bounds[-1], side="right"), last).astype(float)
        places = normal(*self.prior, chances) if by_prior and self.prior is not None else chances
        return self.rounded(places)

    def rounded(self, codes: Codes) -> Codes:
        """Each code as the one that its value has: the middle of a whole number's part, or an ordinal's."""
        if not self.size or self.is_categorical:
            return codes
        if self.kind == "int" and self.log:
            low, high = self._bounds
            return (np.log(self.indexes(codes) + self.low) - low) / (high - low)
        return (self.indexes(codes) + 0.5) / self.size

    @cached_property
    def _bounds(self) -> tuple[float, float]:
        half = 0.5 if self.kind == "int" else 0.0
        return self._scaled(self.low - half), self._scaled(self.high + half)

    def _scaled(self, value: float) -> float:
        return math.log(max(value, 5e-324)) if self.log else float(value)


def normal(mean: float, std: float, chances: Codes) -> Codes:
    """The values of a normal distribution, cut off at 0 and 1, for numbers from 0 to 1."""
    distribution = NormalDist(mean, std)
    below, above = distribution.cdf(0.0), distribution.cdf(1.0)
    probabilities = np.clip(below + chances * (above - below), _NEAREST, 1 - _NEAREST)
    return np.clip([distribution.inv_cdf(each) for each in probabilities.tolist()], 0.0, 1.0)


def _unit_prior(column: Column, prior: Mapping[str, float]) -> tuple[float, float]:
    low, high, half = column.low, column.high, 0.5 if column.kind == "int" else 0.0
    if column.log:
        decades = math.log10(high) - math.log10(low)
        return (math.log10(prior["mean"]) - math.log10(low)) / decades, prior["std"] / decades
    width = float(high) - float(low) + 2 * half
    return (prior["mean"] - low + half) / width, prior["std"] / width
