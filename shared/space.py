"""The search space over ConfigSpace, which knows conditions, forbidden combinations and priors.

ConfigSpace compares and rounds values in ways that would show: it takes 1 for true, and keeps thirteen decimals, which
a weight decay of 1e-12 does not survive. So it sees every choice as its index and every float as its place between the
bounds, from 0 to 1, and this module turns those into values. It is imported only when a space is made, since that
takes a second.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from .errors import InvalidSpec, Problem
from .hyperparameters import (
    CategoricalSpec,
    Condition,
    ConstantSpec,
    FloatSpec,
    Hyperparameter,
    IntSpec,
    OrdinalSpec,
    Prior,
    same,
)

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace, ForbiddenAndConjunction
    from ConfigSpace.hyperparameters import Hyperparameter as Dimension

    from .spec import Spec

DIGITS = 12
"""Significant digits of a drawn float; what lies beyond differs between machines' mathematical libraries."""

PROBES = 1000
"""How many draws decide whether the forbidden combinations leave anything to draw."""


class Space:
    """A search space that draws the hyperparameters of any trial, in any order, always the same.

    Made from the hyperparameters and forbidden combinations of a valid spec. Raises InvalidSpec where the forbidden
    combinations leave (nearly) nothing to draw.
    """

    def __init__(self, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition] = ()) -> None:
        self._hyperparameters = dict(hyperparameters)
        self._space = _build(self._hyperparameters, forbidden)
        self._columns = [
            (name, self._space.index_of[name], _reader(spec)) for name, spec in self._hyperparameters.items()
        ]
        self._lock = threading.Lock()

    def draw(self, seed: int, trial: int) -> dict[str, Any]:
        """The hyperparameters of a trial, in the spec's order, as plain Python values that are the caller's own.

        They depend on `seed` and `trial` alone. Hyperparameters whose `when` does not hold are left out; constants are
        in. Costs about 0.2 ms; safe to call from several threads.
        """
        with self._lock:
            self._space.random = _random(seed, trial)
            places = self._space.sample_configuration().get_array().tolist()
        return {
            name: value_at(places[index]) for name, index, value_at in self._columns if not math.isnan(places[index])
        }


def check_space(spec: Spec) -> list[Problem]:
    """What is wrong with a spec's space that shows only when it is drawn from. Imports ConfigSpace."""
    try:
        Space(spec.hyperparameters, spec.forbidden)
    except InvalidSpec as error:
        return [*error.problems]
    return []


def _random(seed: int, trial: int) -> Any:
    """NumPy's frozen generator, the same in every version of NumPy, from 256 bits of the seed and the trial."""
    from numpy import frombuffer
    from numpy.random import RandomState

    return RandomState(frombuffer(sha256(f"{seed} {trial}".encode()).digest(), dtype="<u4"))


def _build(hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]) -> ConfigurationSpace:
    """ConfigSpace wants default values that are not forbidden, so a first space without prohibitions finds some."""
    free = _conditional_space(hyperparameters, {})
    if not forbidden:
        return free
    space = _conditional_space(hyperparameters, _allowed(free, _prohibitions(free, hyperparameters, forbidden)))
    space.add(_prohibitions(space, hyperparameters, forbidden))
    return space


def _allowed(space: ConfigurationSpace, prohibitions: Sequence[ForbiddenAndConjunction]) -> Mapping[str, Any]:
    """A configuration that is not forbidden. Raises InvalidSpec where no probe finds one."""
    from numpy import array, flatnonzero, zeros

    space.random = _random(0, 0)
    probes = space.sample_configuration(PROBES)
    matrix, ruled_out = array([probe.get_array() for probe in probes]).T, zeros(PROBES, dtype=bool)
    for each in prohibitions:
        each.set_vector_idx(space.index_of)
        ruled_out |= each.is_forbidden_vector_array(matrix)
    left = flatnonzero(~ruled_out)
    if not len(left):
        message = f"rules out too much: of {PROBES} combinations that were drawn, every one is forbidden"
        raise InvalidSpec([Problem("forbidden", message)])
    return dict(probes[left[0]])


def _conditional_space(
    hyperparameters: Mapping[str, Hyperparameter], defaults: Mapping[str, Any]
) -> ConfigurationSpace:
    from ConfigSpace import AndConjunction, ConfigurationSpace, InCondition

    space = ConfigurationSpace()
    space.add([_dimension(name, spec, defaults.get(name)) for name, spec in hyperparameters.items()])
    conditions = []
    for name, spec in hyperparameters.items():
        parts = [
            InCondition(space[name], space[parent], [_place(hyperparameters[parent], value) for value in values])
            for parent, values in spec.when.items()
        ]
        if parts:
            conditions.append(parts[0] if len(parts) == 1 else AndConjunction(*parts))
    space.add(conditions)
    return space


def _prohibitions(
    space: ConfigurationSpace, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]
) -> list[ForbiddenAndConjunction]:
    from ConfigSpace import ForbiddenAndConjunction, ForbiddenInClause

    return [
        ForbiddenAndConjunction(
            *(
                ForbiddenInClause(space[name], [_place(hyperparameters[name], value) for value in values])
                for name, values in combination.items()
            )
        )
        for combination in forbidden
    ]


def _place(spec: Hyperparameter, value: Any) -> int:
    """How ConfigSpace knows a value: a whole number as itself, any other as its index."""
    if isinstance(spec, IntSpec):
        return int(value)
    assert not isinstance(spec, FloatSpec)
    return [*map(same, spec.values)].index(same(value))


def _dimension(name: str, spec: Hyperparameter, default: Any) -> Dimension:
    if isinstance(spec, FloatSpec):
        return _float_dimension(name, spec)
    if isinstance(spec, IntSpec):
        return _int_dimension(name, spec, default)
    return _index_dimension(name, spec, default)


def _float_dimension(name: str, spec: FloatSpec) -> Dimension:
    from ConfigSpace import NormalFloatHyperparameter, UniformFloatHyperparameter

    if spec.prior is None:
        return UniformFloatHyperparameter(name, 0.0, 1.0)
    mean, std = _unit_prior(spec, spec.prior)
    return NormalFloatHyperparameter(name, mean, std, 0.0, 1.0)


def _unit_prior(spec: FloatSpec, prior: Prior) -> tuple[float, float]:
    """A prior's mean and standard deviation on the way from the bounds' 0 to 1."""
    if not spec.log:
        width = float(spec.high) - float(spec.low)
        return (prior.mean - spec.low) / width, prior.std / width
    decades = math.log10(spec.high) - math.log10(spec.low)
    return (math.log10(prior.mean) - math.log10(spec.low)) / decades, prior.std / decades


def _int_dimension(name: str, spec: IntSpec, default: int | None) -> Dimension:
    from ConfigSpace import NormalIntegerHyperparameter, UniformIntegerHyperparameter

    if spec.prior is not None:
        mean, std = spec.prior.mean, spec.prior.std
        return NormalIntegerHyperparameter(name, mean, std, spec.low, spec.high, default_value=default)
    return UniformIntegerHyperparameter(name, spec.low, spec.high, default_value=default, log=spec.log)


def _index_dimension(name: str, spec: CategoricalSpec | OrdinalSpec | ConstantSpec, default: int | None) -> Dimension:
    from ConfigSpace import CategoricalHyperparameter, OrdinalHyperparameter

    indexes = range(len(spec.values))
    if isinstance(spec, OrdinalSpec):
        return OrdinalHyperparameter(name, indexes, default_value=default or 0)
    weights = spec.weights if isinstance(spec, CategoricalSpec) else None
    shares = weights and tuple(weight / max(weights) for weight in weights)
    return CategoricalHyperparameter(name, indexes, default_value=default or 0, weights=shares)


def _reader(spec: Hyperparameter) -> Callable[[float], Any]:
    """What turns ConfigSpace's number for a hyperparameter into its value."""
    if isinstance(spec, FloatSpec):
        return _log_float_reader(spec) if spec.log else _float_reader(spec)
    if isinstance(spec, IntSpec):
        return _int_reader(spec)
    values = [(value, isinstance(value, list | dict)) for value in spec.values]

    def choice(place: float) -> Any:
        value, mutable = values[round(place)]
        return copy.deepcopy(value) if mutable else value

    return choice


def _float_reader(spec: FloatSpec) -> Callable[[float], float]:
    low, high = float(spec.low), float(spec.high)
    return lambda place: _within(low * (1 - place) + high * place, low, high)


def _log_float_reader(spec: FloatSpec) -> Callable[[float], float]:
    low, high = float(spec.low), float(spec.high)
    log_low, log_high = math.log(low), math.log(high)
    return lambda place: _within(math.exp(log_low * (1 - place) + log_high * place), low, high)


def _within(value: float, low: float, high: float) -> float:
    return min(max(float(f"{value:.{DIGITS}g}"), low), high)


def _int_reader(spec: IntSpec) -> Callable[[float], int]:
    low, high = spec.low, spec.high
    if spec.log:
        log_low, log_high = math.log(low), math.log(high)
        return lambda place: min(max(round(math.exp(log_low * (1 - place) + log_high * place)), low), high)
    return lambda place: min(max(low + round(place * (high - low)), low), high)
