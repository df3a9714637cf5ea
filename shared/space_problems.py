"""What can be wrong between the hyperparameters of a spec: names, conditions and forbidden combinations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from .errors import Problem
from .fields import did_you_mean, shown
from .hyperparameters import Condition, FloatSpec, Hyperparameter, IntSpec, name_problem, same

MAX_HYPERPARAMETERS = 1000
"""The most hyperparameters of a spec."""

MAX_FORBIDDEN = 1000
"""The most forbidden combinations of a spec."""


def space_problems(
    hyperparameters: Mapping[str, Hyperparameter],
    forbidden: Sequence[Condition],
    conditions: Mapping[Any, Condition] | None = None,
) -> list[Problem]:
    """Everything that does not fit together.

    `conditions` are the `when` of all the hyperparameters that the document declares, where `hyperparameters` has only
    those without problems of their own. No values are drawn: `space.check_space` does that.
    """
    declared = _Declared(hyperparameters, conditions or {name: spec.when for name, spec in hyperparameters.items()})
    problems = _names(declared.conditions)
    for name, when in declared.conditions.items():
        if name in when:
            problems.append(Problem(f"hyperparameters.{name}.when.{name}", "must not depend on itself"))
        problems += declared.reference_problems(f"hyperparameters.{name}.when", when)
    problems += _circles(declared.conditions)
    if len(forbidden) > MAX_FORBIDDEN:
        problems.append(Problem("forbidden", f"must have at most {MAX_FORBIDDEN} combinations, got {len(forbidden)}"))
    for index, combination in enumerate(forbidden[:MAX_FORBIDDEN]):
        if not combination:
            problems.append(Problem(f"forbidden[{index}]", "must name at least one hyperparameter"))
        problems += declared.reference_problems(f"forbidden[{index}]", combination)
    return problems


def _names(declared: Collection[Any]) -> list[Problem]:
    if not declared:
        return [Problem("hyperparameters", "must have at least one hyperparameter")]
    if len(declared) > MAX_HYPERPARAMETERS:
        return [Problem("hyperparameters", f"must be at most {MAX_HYPERPARAMETERS}, got {len(declared)}")]
    found = [(name, name_problem(name)) for name in declared]
    return [Problem(f"hyperparameters.{str(name)[:100]}", problem) for name, problem in found if problem]


@dataclass(frozen=True, slots=True)
class _Declared:
    """The hyperparameters without problems of their own, and the conditions of all."""

    hyperparameters: Mapping[str, Hyperparameter]
    conditions: Mapping[Any, Condition]

    def reference_problems(self, path: str, condition: Condition) -> Iterable[Problem]:
        """Hyperparameters that do not exist, or cannot have a value that they are asked to have."""
        for name, values in condition.items():
            if name in self.hyperparameters:
                yield from _value_problems(f"{path}.{name}", self.hyperparameters[name], values)
            elif name not in self.conditions:
                suggestion = did_you_mean(name, [each for each in self.conditions if isinstance(each, str)])
                yield Problem(f"{path}.{name}", f"there is no such hyperparameter{suggestion}")


def _value_problems(path: str, parent: Hyperparameter, values: Sequence[Any]) -> Iterable[Problem]:
    if isinstance(parent, FloatSpec):
        yield Problem(path, "is a float, and one of those never has exactly a given value; use a categorical or an int")
    else:
        some = _possible(parent)
        impossible = [value for value in values if not can_be(parent, value)]
        yield from (Problem(path, f"cannot be {shown(value)}; it can be {some}") for value in impossible)


def can_be(parent: Hyperparameter, value: Any) -> bool:
    """Whether a hyperparameter can have this value."""
    if isinstance(parent, FloatSpec | IntSpec):
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        return numeric and parent.low <= value <= parent.high and value == int(value)
    return same(value) in map(same, parent.values)


def _possible(parent: Hyperparameter) -> str:
    if isinstance(parent, FloatSpec | IntSpec):
        return f"from {parent.low} to {parent.high}"
    some = ", ".join(shown(value) for value in parent.values[:8])
    return f"{some}, …" if len(parent.values) > 8 else some


def _circles(conditions: Mapping[str, Condition]) -> Iterable[Problem]:
    """Conditions that go round, each circle once."""
    parents = {name: {each for each in when if each != name} for name, when in conditions.items()}
    while circle := _circle(parents):
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
