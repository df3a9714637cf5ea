"""What can be wrong between the hyperparameters of a spec: names, conditions and forbidden combinations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ..errors import Problem
from ..spec.fields import did_you_mean, limits_hold, shown
from .hyperparameters import Condition, FloatSpec, Hyperparameter, IntSpec, name_problem, same

MAX_HYPERPARAMETERS = 1000
"""The most hyperparameters of a spec."""

MAX_FORBIDDEN = 1000
"""The most forbidden combinations of a spec."""

MAX_CLAUSES = 10_000
"""The most hyperparameters that all `when` and all forbidden combinations of a spec name together."""

MAX_CIRCLES = 10
"""The most circles of conditions that are told: each takes a walk through all of them."""


def space_problems(
    hyperparameters: Mapping[str, Hyperparameter],
    forbidden: Sequence[Condition],
    conditions: Mapping[Any, Condition] | None = None,
) -> list[Problem]:
    """Everything that does not fit together; of what is more than a spec may have, only that.

    `conditions` are the `when` of all the hyperparameters that the document declares, where `hyperparameters` has only
    those without problems of their own. No values are drawn: `Space.problems` does that.
    """
    conditions = conditions or {name: spec.when for name, spec in hyperparameters.items()}
    if limits_hold() and (too_many := _too_many(conditions, forbidden)):
        return too_many
    declared = _Declared(hyperparameters, conditions)
    problems = _names(conditions)
    for name, when in conditions.items():
        if name in when:
            problems.append(Problem(f"hyperparameters.{name}.when.{name}", "must not depend on itself"))
        problems += declared.reference_problems(f"hyperparameters.{name}.when", when)
    problems += _circles(conditions)
    for index, combination in enumerate(forbidden):
        if not combination:
            problems.append(Problem(f"forbidden[{index}]", "must name at least one hyperparameter"))
        problems += declared.reference_problems(f"forbidden[{index}]", combination)
    return problems


def _too_many(conditions: Mapping[Any, Condition], forbidden: Sequence[Condition]) -> list[Problem]:
    problems: list[Problem] = []
    if len(conditions) > MAX_HYPERPARAMETERS:
        problems.append(Problem("hyperparameters", f"must be at most {MAX_HYPERPARAMETERS}, got {len(conditions)}"))
    if len(forbidden) > MAX_FORBIDDEN:
        problems.append(Problem("forbidden", f"must have at most {MAX_FORBIDDEN} combinations, got {len(forbidden)}"))
    named = sum(map(len, conditions.values())), sum(map(len, forbidden))
    if sum(named) > MAX_CLAUSES:
        what = f"all `when` and `forbidden` together must name at most {MAX_CLAUSES} hyperparameters"
        place = "forbidden" if named[1] > named[0] else "hyperparameters"
        problems.append(Problem(place, f"{what}, got {sum(named)}"))
    return problems


def _names(declared: Collection[Any]) -> list[Problem]:
    if not declared:
        return [Problem("hyperparameters", "must have at least one hyperparameter")]
    found = [(name, name_problem(name)) for name in declared]
    return [Problem(f"hyperparameters.{str(name)[:100]}", problem) for name, problem in found if problem]


class _Declared:
    """The hyperparameters without problems of their own, and the conditions of all."""

    def __init__(self, hyperparameters: Mapping[str, Hyperparameter], conditions: Mapping[Any, Condition]) -> None:
        self._hyperparameters = hyperparameters
        self._conditions = conditions
        self._known = [name for name in conditions if isinstance(name, str)]
        #: Made once for each that is named, however often it is.
        self._possible = cache(lambda name: _Possible.of(hyperparameters[name]))

    def reference_problems(self, path: str, condition: Condition) -> Iterable[Problem]:
        """Hyperparameters that do not exist, or cannot have a value that they are asked to have."""
        for name, values in condition.items():
            if name in self._hyperparameters:
                yield from self._value_problems(f"{path}.{name}", name, values)
            elif name not in self._conditions:
                yield Problem(f"{path}.{name}", f"there is no such hyperparameter{did_you_mean(name, self._known)}")

    def _value_problems(self, path: str, name: str, values: Sequence[Any]) -> Iterable[Problem]:
        if isinstance(self._hyperparameters[name], FloatSpec):
            why = "is a float, and one of those never has exactly a given value; use a categorical or an int"
            yield Problem(path, why)
            return
        possible = self._possible(name)
        impossible = [value for value in values if not possible.has(value)]
        yield from (Problem(path, f"cannot be {shown(value)}; it can be {possible.told}") for value in impossible)


@dataclass(frozen=True, slots=True)
class _Possible:
    """The values that a hyperparameter can have: whether it has one, and all of them in words."""

    has: Callable[[Any], bool]
    told: str

    @classmethod
    def of(cls, parent: Hyperparameter) -> _Possible:
        """Those of a hyperparameter."""
        if isinstance(parent, FloatSpec | IntSpec):
            return cls(partial(_is_whole_within, parent.low, parent.high), f"from {parent.low} to {parent.high}")
        known = frozenset(map(same, parent.values))
        some = ", ".join(shown(value) for value in parent.values[:8])
        return cls(lambda value: same(value) in known, f"{some}, …" if len(parent.values) > 8 else some)


def _is_whole_within(low: float, high: float, value: Any) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and low <= value <= high and value == int(value)


def _circles(conditions: Mapping[str, Condition]) -> Iterable[Problem]:
    """Conditions that go round, each circle once, some of them where there are many."""
    parents = {name: {each for each in when if each != name} for name, when in conditions.items()}
    for _ in range(MAX_CIRCLES):
        circle = _circle(parents)
        if not circle:
            return
        way = " needs ".join(circle if len(circle) <= 6 else [*circle[:5], "…", circle[-1]])
        yield Problem(f"hyperparameters.{circle[0]}.when", f"goes round in a circle: {way}")
        for name in circle:
            parents.pop(name, None)


def _circle(parents: Mapping[str, set[str]]) -> list[str]:
    """Names of which each needs the next, the first and the last being the same; none where there is no circle."""
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        return [*reversed(error.args[1])]
    return []
