"""A hyperparameter as ConfigSpace has it, and the way back from what ConfigSpace draws.

ConfigSpace compares and rounds values in ways that would show: it takes 1 for true, and keeps thirteen decimals, which
a weight decay of 1e-12 does not survive. So it is given a *code* in place of each value: a choice's index, a float's
place between its bounds from 0 to 1 (in its logarithm with `log`), and a whole number as it is.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .hyperparameters import (
    CategoricalSpec,
    ConstantSpec,
    FloatSpec,
    Hyperparameter,
    IntSpec,
    OrdinalSpec,
    Prior,
    same,
)

if TYPE_CHECKING:
    from ConfigSpace.hyperparameters import Hyperparameter as Dimension

DIGITS = 12
"""Significant digits of a drawn float; what lies beyond differs between machines' mathematical libraries."""


def dimension(name: str, spec: Hyperparameter) -> Dimension:
    """The hyperparameter as ConfigSpace has it. Imports ConfigSpace."""
    if isinstance(spec, FloatSpec):
        return _float_dimension(name, spec)
    if isinstance(spec, IntSpec):
        return _int_dimension(name, spec)
    return _index_dimension(name, spec)


def coder(spec: Hyperparameter) -> Callable[[Any], int]:
    """What turns a value that a condition names into its code; floats have none."""
    if isinstance(spec, IntSpec):
        return int
    assert not isinstance(spec, FloatSpec)
    codes = {same(value): code for code, value in enumerate(spec.values)}
    return lambda value: codes[same(value)]


def decoder(spec: Hyperparameter) -> Callable[[float], float]:
    """What turns the place that ConfigSpace draws for a hyperparameter into a code."""
    if isinstance(spec, FloatSpec):
        return float
    return int_decoder(spec) if isinstance(spec, IntSpec) else round


def reader(spec: Hyperparameter) -> Callable[[Any], Any]:
    """What turns a code into a value, which is the caller's own."""
    if isinstance(spec, FloatSpec):
        return _float_reader(spec)
    if isinstance(spec, IntSpec):
        return int
    values = spec.values
    if any(isinstance(value, list | dict) for value in values):
        return lambda code: copy.deepcopy(values[code])
    return lambda code: values[code]


def _float_dimension(name: str, spec: FloatSpec) -> Dimension:
    from ConfigSpace import NormalFloatHyperparameter, UniformFloatHyperparameter

    if spec.prior is None:
        return UniformFloatHyperparameter(name, 0.0, 1.0)
    mean, std = unit_prior(spec, spec.prior)
    return NormalFloatHyperparameter(name, mean, std, 0.0, 1.0)


def unit_prior(spec: FloatSpec, prior: Prior) -> tuple[float, float]:
    """A prior's mean and standard deviation on the way from the bounds' 0 to 1."""
    if not spec.log:
        width = float(spec.high) - float(spec.low)
        return (prior.mean - spec.low) / width, prior.std / width
    decades = math.log10(spec.high) - math.log10(spec.low)
    return (math.log10(prior.mean) - math.log10(spec.low)) / decades, prior.std / decades


def _int_dimension(name: str, spec: IntSpec) -> Dimension:
    from ConfigSpace import NormalIntegerHyperparameter, UniformIntegerHyperparameter

    if spec.prior is not None:
        return NormalIntegerHyperparameter(name, spec.prior.mean, spec.prior.std, spec.low, spec.high)
    return UniformIntegerHyperparameter(name, spec.low, spec.high, log=spec.log)


def _index_dimension(name: str, spec: CategoricalSpec | OrdinalSpec | ConstantSpec) -> Dimension:
    from ConfigSpace import CategoricalHyperparameter, OrdinalHyperparameter

    indexes = range(len(spec.values))
    if isinstance(spec, OrdinalSpec):
        return OrdinalHyperparameter(name, indexes)
    weights = spec.weights if isinstance(spec, CategoricalSpec) else None
    largest = max(weights or [1])
    return CategoricalHyperparameter(name, indexes, weights=weights and [each / largest for each in weights])


def rounder(spec: FloatSpec) -> Callable[[float], float]:
    """What gives a float the digits that are kept, within its bounds."""
    low, high = float(spec.low), float(spec.high)
    return lambda value: min(max(float(f"{value:.{DIGITS}g}"), low), high)


def int_decoder(spec: IntSpec) -> Callable[[float], int]:
    """What turns a place between an int's bounds, from 0 to 1, into a value; with `log`, in its logarithm."""
    low, high = spec.low, spec.high
    if spec.log:
        log_low, log_high = math.log(low), math.log(high)
        return lambda place: min(max(round(math.exp(log_low * (1 - place) + log_high * place)), low), high)
    return lambda place: min(max(low + round(place * (high - low)), low), high)


def _float_reader(spec: FloatSpec) -> Callable[[float], float]:
    low, high, within = float(spec.low), float(spec.high), rounder(spec)
    if spec.log:
        log_low, log_high = math.log(low), math.log(high)
        return lambda place: within(math.exp(log_low * (1 - place) + log_high * place))
    return lambda place: within(low * (1 - place) + high * place)
