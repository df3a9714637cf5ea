"""What can be wrong between the hyperparameters of a spec: names, conditions and forbidden combinations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .errors import Problem
from .fields import did_you_mean, shown
from .hyperparameters import Condition, FloatSpec, Hyperparameter, IntSpec, name_problem, same

MAX_HYPERPARAMETERS = 1000
"""The most hyperparameters of a spec."""

MAX_FORBIDDEN = 1000
"""The most forbidden combinations of a spec."""


def space_problems(
    hyperparameters: Mapping[str, Hyperparameter], declared: Collection[Any], forbidden: Sequence[Condition]
) -> list[Problem]:
    """Everything that does not fit together.

    `declared` are the names in the document, with those of hyperparameters that have problems of their own;
    `hyperparameters` are the sound ones. No values are drawn: `space.check_space` does that.
    """
    problems = _names(declared)
    for name, spec in hyperparameters.items():
        problems += _references(f"hyperparameters.{name}.when", spec.when, hyperparameters, declared)
        if name in spec.when:
            problems.append(Problem(f"hyperparameters.{name}.when.{name}", "must not depend on itself"))
    problems += _cycles(hyperparameters)
    if len(forbidden) > MAX_FORBIDDEN:
        problems.append(Problem("forbidden", f"must have at most {MAX_FORBIDDEN} combinations, got {len(forbidden)}"))
    for index, combination in enumerate(forbidden[:MAX_FORBIDDEN]):
        if not combination:
            problems.append(Problem(f"forbidden[{index}]", "must name at least one hyperparameter"))
        problems += _references(f"forbidden[{index}]", combination, hyperparameters, declared)
    return problems


def _names(declared: Collection[Any]) -> list[Problem]:
    if not declared:
        return [Problem("hyperparameters", "must have at least one hyperparameter")]
    if len(declared) > MAX_HYPERPARAMETERS:
        return [Problem("hyperparameters", f"must be at most {MAX_HYPERPARAMETERS}, got {len(declared)}")]
    found = [(name, name_problem(name)) for name in declared]
    return [Problem(f"hyperparameters.{str(name)[:100]}", problem) for name, problem in found if problem]


def _references(
    path: str, condition: Condition, hyperparameters: Mapping[str, Hyperparameter], declared: Collection[Any]
) -> Iterable[Problem]:
    for name, values in condition.items():
        if name not in declared:
            suggestion = did_you_mean(name, [each for each in declared if isinstance(each, str)])
            yield Problem(f"{path}.{name}", f"there is no such hyperparameter{suggestion}")
        elif name in hyperparameters:
            yield from _impossible_values(f"{path}.{name}", hyperparameters[name], values)


def _impossible_values(path: str, parent: Hyperparameter, values: Sequence[Any]) -> Iterable[Problem]:
    if isinstance(parent, FloatSpec):
        yield Problem(path, "is a float, and one of those never has exactly a given value; use a categorical or an int")
        return
    for value in values:
        if not can_be(parent, value):
            yield Problem(path, f"cannot be {shown(value)}; it can be {_possible(parent)}")


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


def _cycles(hyperparameters: Mapping[str, Hyperparameter]) -> list[Problem]:
    """Conditions that go round: what is left after taking away, again and again, all whose parents are settled."""
    waiting = {
        name: {parent for parent in spec.when if parent in hyperparameters and parent != name}
        for name, spec in hyperparameters.items()
    }
    while settled := [name for name, parents in waiting.items() if not parents]:
        for name in settled:
            del waiting[name]
        for parents in waiting.values():
            parents.difference_update(settled)
    return [
        Problem(f"hyperparameters.{name}.when", f"goes round in a circle: {' needs '.join(circle)}")
        for name in waiting
        if name in (circle := _circle(name, waiting))[1:]
    ]


def _circle(start: str, waiting: Mapping[str, set[str]]) -> list[str]:
    """The way from a hyperparameter over its parents until one comes a second time."""
    way = [start]
    while way.count(way[-1]) == 1:
        parents = waiting[way[-1]]
        way.append(start if start in parents else min(parents))
    return way
