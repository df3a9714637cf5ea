"""The hyperparameters that a spec can declare, each checked by itself; `space_problems.py` checks them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from ..errors import Problem
from ..sampling.protocol import same
from ..spec.fields import (
    MAX_NAME,
    FieldProblems,
    Model,
    flag,
    got,
    limits_hold,
    listed,
    number,
    shown,
    text_problem,
    whole,
)

MAX_CHOICES = 1000
"""The most values of one categorical or ordinal hyperparameter."""

Condition = dict[str, tuple[Any, ...]]
"""Hyperparameters and the values that each may have: all of them must agree."""


def _condition(value: object) -> object:
    """Brings `{parent: value}` and `{parent: [value, value]}` to one form."""
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a mapping from hyperparameters to values, such as {{solver: sgd}}; got {got(value)}")
    problems = [
        Problem(str(name), "must list at least one value")
        for name, values in value.items()
        if isinstance(values, list | tuple) and not values
    ]
    if problems:
        raise FieldProblems(problems)
    return {
        str(name): tuple(values) if isinstance(values, list | tuple) else (values,) for name, values in value.items()
    }


ConditionSpec = Annotated[Condition, BeforeValidator(_condition)]
"""A condition as a spec has it."""


class Prior(Model):
    """Where good values are expected: a normal distribution, cut off at the bounds.

    `mean` is a value of the hyperparameter. `std` is in the same unit, or with `log` in powers of ten.
    """

    mean: Annotated[int | float, number()]
    std: Annotated[int | float, number(above=0)]


class _Declared(Model):
    """What every declared hyperparameter has: `when`, the condition under which it exists (none: always)."""

    when: ConditionSpec = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees(self) -> _Declared:
        problems = self.problems()
        if problems:
            raise FieldProblems(problems)
        return self

    def problems(self) -> list[Problem]:
        """What does not fit together among its fields."""
        return []


class FloatSpec(_Declared):
    """A real number from `low` to `high`, drawn evenly, or evenly in its logarithm with `log`; in a grid it takes
    `count` values."""

    type: Literal["float"] = "float"
    low: Annotated[int | float, number()]
    high: Annotated[int | float, number()]
    log: Annotated[bool, flag()] = False
    prior: Prior | None = None
    count: Annotated[int, whole(1)] | None = None

    def problems(self) -> list[Problem]:
        """What does not fit together among its fields."""
        return _range_problems(self)


class IntSpec(_Declared):
    """A whole number from `low` to `high`, both included; with `log`, evenly in its logarithm; in a grid it takes
    `count` values (none: all)."""

    type: Literal["int"] = "int"
    low: Annotated[int, whole()]
    high: Annotated[int, whole()]
    log: Annotated[bool, flag()] = False
    prior: Prior | None = None
    count: Annotated[int, whole(1)] | None = None

    def problems(self) -> list[Problem]:
        """What does not fit together among its fields."""
        both = self.log and self.prior is not None
        return [*_range_problems(self), *([Problem("prior", "is not available for an int with log")] if both else [])]


def _range_problems(spec: FloatSpec | IntSpec) -> list[Problem]:
    if spec.low == spec.high:
        return [Problem("low", f"must be less than high, got {spec.low} for both; for a fixed value write just it")]
    problems: list[Problem] = []
    if spec.low > spec.high:
        problems.append(Problem("low", f"must be less than high, got {spec.low} and {spec.high}"))
    if spec.log and spec.low <= 0:
        problems.append(Problem("low", f"must be more than 0 with log, got {spec.low}"))
    if not problems and spec.prior is not None:
        problems += _prior_problems(spec, spec.prior)
    return problems


def _prior_problems(spec: FloatSpec | IntSpec, prior: Prior) -> list[Problem]:
    problems: list[Problem] = []
    if not spec.low <= prior.mean <= spec.high:
        problems.append(
            Problem("prior.mean", f"must be from low to high ({spec.low} to {spec.high}), got {prior.mean}")
        )
    width = 1.0 if spec.log else float(spec.high) - float(spec.low)
    if limits_hold() and not 1e-6 <= prior.std / width <= 1e3:
        unit = "" if spec.log else " times the range"
        problems.append(Problem("prior.std", f"must be from 1e-6 to 1000{unit}, got {prior.std}"))
    return problems


class CategoricalSpec(_Declared):
    """One of `choices`, all equally likely, or with the given `weights` (relative; one for each choice)."""

    type: Literal["categorical"] = "categorical"
    choices: Annotated[tuple[Any, ...], BeforeValidator(listed)]
    weights: Annotated[tuple[Annotated[int | float, number(minimum=0)], ...], BeforeValidator(listed)] | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        """The values that it can take."""
        return self.choices

    def problems(self) -> list[Problem]:
        """What does not fit together among its fields."""
        return [*_values_problems("choices", self.choices), *self._weights_problems()]

    def _weights_problems(self) -> list[Problem]:
        if self.weights is None:
            return []
        if len(self.weights) != len(self.choices):
            return [
                Problem("weights", f"must have one for each of {len(self.choices)} choices, got {len(self.weights)}")
            ]
        return [] if any(self.weights) else [Problem("weights", "must not all be 0")]


class OrdinalSpec(_Declared):
    """One of the values of `sequence`, which has an order, from least to most."""

    type: Literal["ordinal"] = "ordinal"
    sequence: Annotated[tuple[Any, ...], BeforeValidator(listed)]

    @property
    def values(self) -> tuple[Any, ...]:
        """The values that it can take."""
        return self.sequence

    def problems(self) -> list[Problem]:
        """What does not fit together among its fields."""
        return _values_problems("sequence", self.sequence)


def _values_problems(field: str, values: Sequence[Any]) -> list[Problem]:
    if not values:
        return [Problem(field, "must have at least one value")]
    if len(values) > MAX_CHOICES and limits_hold():
        return [Problem(field, f"must have at most {MAX_CHOICES} values, got {len(values)}")]
    seen: set[str] = set()
    problems: list[Problem] = []
    for index, value in enumerate(values):
        key = same(value)
        if key in seen:
            problems.append(Problem(f"{field}[{index}]", f"is there already: {shown(value)}"))
        seen.add(key)
    return problems


class ConstantSpec(_Declared):
    """A fixed value. Written as just the value, or in full where that is a list, a mapping or null, or has a `when`."""

    type: Literal["constant"] = "constant"
    value: Any

    @property
    def values(self) -> tuple[Any, ...]:
        """The values that it can take."""
        return (self.value,)

    @model_serializer(mode="wrap")
    def _briefly(self, handler: SerializerFunctionWrapHandler) -> Any:
        brief = isinstance(self.value, str | int | float) and not self.when
        return self.value if brief else handler(self)


TYPES: dict[str, type[_Declared]] = {
    "float": FloatSpec,
    "int": IntSpec,
    "categorical": CategoricalSpec,
    "ordinal": OrdinalSpec,
    "constant": ConstantSpec,
}
"""Every type of hyperparameter by the name that a spec gives it."""


def _tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    if isinstance(value, str | bool | int | float):
        return "plain"
    return kind if isinstance(kind, str) and kind in TYPES else None


def _constant(value: object) -> object:
    return {"type": "constant", "value": value}


HyperparameterSpec = Annotated[
    Annotated[FloatSpec, Tag("float")]
    | Annotated[IntSpec, Tag("int")]
    | Annotated[CategoricalSpec, Tag("categorical")]
    | Annotated[OrdinalSpec, Tag("ordinal")]
    | Annotated[ConstantSpec, Tag("constant")]
    | Annotated[ConstantSpec, BeforeValidator(_constant), Tag("plain")],
    Discriminator(_tag),
]
"""Any hyperparameter of a spec."""

Hyperparameter = FloatSpec | IntSpec | CategoricalSpec | OrdinalSpec | ConstantSpec
"""The same, after parsing."""


def name_problem(name: object) -> str | None:
    """What is wrong with the name of a hyperparameter, if anything."""
    if not isinstance(name, str):
        return f"its name must be text, got {got(name)}; put it in quotes"
    problem = text_problem(name, MAX_NAME)
    return f"its name {problem}" if problem else None
