"""One hyperparameter of the neutral form of a space as numbers that models work with.

Its *code*: of a categorical the index of a choice; of all others a place from 0 to 1, evenly in the logarithm with
`log`. Each whole number, and each value of an ordinal, has a part of that, and its code lies in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...shared.sampling.protocol import same

Codes = NDArray[np.float64]

DIGITS = 12
"""Significant digits of a suggested float, as of one that the master draws."""

#: As near as a probability comes to 0 and to 1: there a normal distribution has no value.
_NEAREST = 2.0**-53


@dataclass(frozen=True)
class Column:
    """A hyperparameter. `size`: how many values it can take; 0: there is no end of them, as for a float."""

    name: str
    kind: str
    size: int
    low: float
    high: float
    log: bool
    #: Those of a categorical, an ordinal or a constant.
    values: tuple[Any, ...]
    weights: tuple[float, ...]
    #: Mean and standard deviation of its codes, where good values are expected; none: nothing is known.
    prior: tuple[float, float] | None
    #: Under which condition it exists: other columns by their names, and the values that each may have.
    when: Mapping[str, tuple[Any, ...]]

    @classmethod
    def of(cls, parameter: Mapping[str, Any]) -> Column:
        """The column of a parameter of the neutral form."""
        kind = parameter["type"]
        found = {"float": _number, "int": _number, "categorical": _choice, "ordinal": _ordinal, "constant": _constant}
        when = {name: tuple(values) for name, values in parameter.get("when", {}).items()}
        return cls(name=parameter["name"], kind=kind, when=when, **found[kind](parameter))

    @property
    def is_categorical(self) -> bool:
        """Whether its values have no order."""
        return self.kind == "categorical"

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {same(value): index for index, value in enumerate(self.values)}

    def code(self, value: Any) -> float:
        """The code of a value; NaN for one that it does not have."""
        if self.values:
            index = self._places.get(same(value))
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
        return float(self._places[same(value)]) if self.values else value - self.low

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


def _number(parameter: Mapping[str, Any]) -> dict[str, Any]:
    low, high, log = parameter["low"], parameter["high"], parameter.get("log", False)
    whole = parameter["type"] == "int"
    size = high - low + 1 if whole else 0
    prior = parameter.get("prior")
    return {
        "size": size,
        "low": low if whole else float(low),
        "high": high if whole else float(high),
        "log": log,
        "values": (),
        "weights": (),
        "prior": None if prior is None else _unit_prior(low, high, log, whole, prior),
    }


def _unit_prior(low: float, high: float, log: bool, whole: bool, prior: Mapping[str, float]) -> tuple[float, float]:
    half = 0.5 if whole else 0.0
    if log:
        decades = math.log10(high) - math.log10(low)
        return (math.log10(prior["mean"]) - math.log10(low)) / decades, prior["std"] / decades
    width = float(high) - float(low) + 2 * half
    return (prior["mean"] - low + half) / width, prior["std"] / width


def _choice(parameter: Mapping[str, Any]) -> dict[str, Any]:
    choices = tuple(parameter["choices"])
    weights = parameter.get("weights") or [1.0] * len(choices)
    largest = max(weights)
    return _listed(choices) | {"weights": tuple(weight / largest for weight in weights)}


def _ordinal(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return _listed(tuple(parameter["values"]))


def _constant(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return _listed((parameter["value"],))


def _listed(values: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "size": len(values),
        "low": 0.0,
        "high": 1.0,
        "log": False,
        "values": values,
        "weights": (),
        "prior": None,
    }
