"""A spec's search space as sampler programs are told of it, and whether what they suggest lies in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..space.clauses import ALL, parents_first, places_of
from ..space.dimensions import coder, reader
from ..space.hyperparameters import (
    CategoricalSpec,
    Condition,
    ConstantSpec,
    FloatSpec,
    Hyperparameter,
    IntSpec,
    same,
)
from ..space.values import value_problem
from ..spec.fields import did_you_mean, shown


class RefusedSuggestion(ValueError):
    """A suggestion does not lie in the space; the text is one line that says why."""


def neutral_space(hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition] = ()) -> dict[str, Any]:
    """The space of a valid spec as plain JSON, in the form of `docs/samplers.md`: parents before their children."""
    return {
        "parameters": [_parameter(name, hyperparameters[name]) for name in parents_first(hyperparameters)],
        "forbidden": [_condition(combination) for combination in forbidden],
    }


def _parameter(name: str, spec: Hyperparameter) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "type": spec.type}
    if isinstance(spec, FloatSpec | IntSpec):
        found |= {"low": spec.low, "high": spec.high, "log": spec.log}
        if spec.prior is not None:
            found["prior"] = {"mean": spec.prior.mean, "std": spec.prior.std}
    elif isinstance(spec, CategoricalSpec):
        found["choices"] = [*spec.choices]
        if spec.weights is not None:
            found["weights"] = [*spec.weights]
    elif isinstance(spec, ConstantSpec):
        found["value"] = spec.value
    else:
        found["values"] = [*spec.values]
    return found | ({"when": _condition(spec.when)} if spec.when else {})


def _condition(condition: Condition) -> dict[str, list[Any]]:
    return {name: [*values] for name, values in condition.items()}


def accepted(
    hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition], suggestion: Mapping[str, Any]
) -> dict[str, Any]:
    """The hyperparameters of a suggestion as a trial gets them, in the spec's order and with the spec's own values.

    3.0 is taken for 3, constants need not be given, and what does not exist beside the rest is dropped. Raises
    RefusedSuggestion for a name that is unknown, a value that is missing or out of range, a forbidden combination.
    """
    if unknown := [name for name in suggestion if name not in hyperparameters]:
        hint = did_you_mean(unknown[0], [*hyperparameters])
        raise RefusedSuggestion(f"{shown(unknown[0])}: there is no such hyperparameter{hint}")
    found: dict[str, Any] = {}
    agreed = ALL
    for place in places_of(parents_first(hyperparameters), hyperparameters, forbidden):
        code = None
        if place.exists(agreed):
            spec = hyperparameters[place.name]
            found[place.name], code = _value_and_code(place.name, spec, suggestion)
        agreed = place.after(agreed, code)
        if agreed & place.decided:
            raise RefusedSuggestion(f"is forbidden: {_forbidden_part(found, forbidden)}")
    return {name: found[name] for name in hyperparameters if name in found}


def _value_and_code(name: str, spec: Hyperparameter, suggestion: Mapping[str, Any]) -> tuple[Any, float]:
    if name not in suggestion:
        if isinstance(spec, ConstantSpec):
            return reader(spec)(0), 0
        raise RefusedSuggestion(f"{shown(name)}: is missing")
    value = suggestion[name]
    try:
        problem = value_problem(spec, value)
    except RecursionError:
        problem = "is nested too deeply"
    if problem:
        raise RefusedSuggestion(f"{shown(name)}: {problem}")
    if isinstance(spec, FloatSpec):
        return float(value), float(value)
    code = coder(spec)(value)
    return reader(spec)(code), code


def _forbidden_part(found: Mapping[str, Any], forbidden: Sequence[Condition]) -> str:
    """The first forbidden combination with which all that is found agrees, in words."""
    agreeing = next(
        combination
        for combination in forbidden
        if all(name in found and same(found[name]) in map(same, values) for name, values in combination.items())
    )
    return ", ".join(f"{name}: {shown(found[name])}" for name in agreeing)
