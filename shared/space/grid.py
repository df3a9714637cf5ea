"""The grid of a search space: every combination of evenly spaced values, once, in an order that the spec alone decides.

The loops are nested in the order in which the spec has its hyperparameters, parents before what depends on them; the
last one changes fastest. Categorical and ordinal hyperparameters take all their values as they are listed, an int or
float `count` values from low to high, evenly, or evenly in the logarithm with `log` (an int without `count`: all).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from ..errors import Problem
from .clauses import parents_first, places_of
from .combinations import MOST_STEPS, Group
from .dimensions import decoder, reader
from .hyperparameters import Condition, FloatSpec, Hyperparameter, IntSpec

MAX_COMBINATIONS = 100_000
"""The most combinations of a grid."""


class Grid:
    """The combinations of a search space without `grid_problems`."""

    def __init__(self, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]) -> None:
        self._names = parents_first(hyperparameters)
        self._group = _group(self._names, hyperparameters, forbidden)
        self._read = {name: reader(spec) for name, spec in hyperparameters.items()}
        #: Those that were asked for, and where the rest comes from.
        self._made: list[tuple[float | None, ...]] = []
        self._rest = self._group.combinations()

    @cached_property
    def number(self) -> int:
        """How many there are."""
        found = self._group.number(MOST_STEPS)
        assert found is not None, "a grid that cannot be counted is refused with its spec"
        assert found[0] is not None, "every value of a grid has a code"
        return found[0]

    def hparams(self, index: int) -> dict[str, Any]:
        """Combination `index` as training code gets it, in the spec's order, as values that are the caller's own."""
        while len(self._made) <= index:
            self._made.append(next(self._rest))
        codes = dict(zip(self._names, self._made[index], strict=True))
        return {name: read(code) for name, read in self._read.items() if (code := codes[name]) is not None}


def grid_problems(hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]) -> list[Problem]:
    """Why there is no grid of this space, by the paths of the spec."""
    if not hyperparameters:
        return [Problem("hyperparameters", "must be there for a grid, which is made of them")]
    if endless := [name for name, spec in hyperparameters.items() if isinstance(spec, FloatSpec) and not spec.count]:
        what = "must be there for a grid: how many values from low to high"
        return [Problem(f"hyperparameters.{name}.count", what) for name in endless]
    if long := [name for name, spec in hyperparameters.items() if isinstance(spec, IntSpec) and _many(spec)]:
        what = f"must be there for a grid, and at most {MAX_COMBINATIONS:,}: how many values from low to high"
        return [Problem(f"hyperparameters.{name}.count", what) for name in long]
    group = _group(parents_first(hyperparameters), hyperparameters, forbidden)
    found = group.number(MOST_STEPS)
    if found is None or found[0] is None:
        what = f"make too many combinations to count for a grid, which may have {MAX_COMBINATIONS:,}"
        return [Problem("hyperparameters", what)]
    if found[0] > MAX_COMBINATIONS:
        what = (
            f"make {found[0]:,} combinations, and a grid may have {MAX_COMBINATIONS:,}: give fewer values or a `count`"
        )
        return [Problem("hyperparameters", what)]
    return [] if found[0] else [Problem("forbidden", "rules out every combination of the grid")]


def _many(spec: FloatSpec | IntSpec) -> bool:
    return (spec.count or int(spec.high) - int(spec.low) + 1) > MAX_COMBINATIONS


def _group(
    names: Sequence[str], hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]
) -> Group:
    places = places_of(names, hyperparameters, forbidden)
    return Group(places, tuple(_codes(hyperparameters[name]) for name in names), single=False)


def _codes(spec: Hyperparameter) -> Sequence[float]:
    """Codes as in `dimensions.py`."""
    if isinstance(spec, FloatSpec):
        return [*_evenly(spec.count or 1)]
    if not isinstance(spec, IntSpec):
        return range(len(spec.values))
    values = range(spec.low, spec.high + 1)
    if spec.count is None or spec.count >= len(values):
        return values
    code_of = decoder(spec)
    return [*dict.fromkeys(code_of(place) for place in _evenly(spec.count))]


def _evenly(count: int) -> Iterator[float]:
    """So many numbers from 0 to 1; a single one is in the middle."""
    return (index / (count - 1) for index in range(count)) if count > 1 else iter((0.5,))
