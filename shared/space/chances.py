"""One hyperparameter's value from 128 bits of chance, without ConfigSpace: for values that are drawn one by one.

What is written here decides what trials get: it must stay as it is.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from statistics import NormalDist

from .combinations import log_likelihood
from .dimensions import int_decoder, reader, unit_prior
from .hyperparameters import CategoricalSpec, ConstantSpec, FloatSpec, Hyperparameter, IntSpec, Prior

BITS = 128
#: As near as a probability comes to 0 and to 1: there a normal distribution has no value.
_NEAREST = 2.0**-53


def chance(*about: object) -> int:
    """As many bits as BITS that depend on what they are about, and on nothing else."""
    return int.from_bytes(sha256(" ".join(map(str, about)).encode()).digest()[: BITS // 8])


def part(bits: int) -> float:
    """Those bits as a number from 0 to 1, neither included."""
    return ((bits >> (BITS - 52)) + 0.5) / 2**52


def drawn(spec: Hyperparameter, bits: int) -> float:
    """A code as in `dimensions.py`, but of a float the value, distributed as the spec declares."""
    if isinstance(spec, FloatSpec):
        place = part(bits)
        if spec.prior is not None:
            mean, std = unit_prior(spec, spec.prior)
            place = _normal(Prior(mean=mean, std=std), 0.0, 1.0, place)
        return reader(spec)(place)
    if isinstance(spec, IntSpec):
        if spec.prior is not None:
            return round(_normal(spec.prior, spec.low, spec.high, part(bits)))
        if spec.log:
            return int_decoder(spec)(part(bits))
        return spec.low + (bits * (spec.high - spec.low + 1) >> BITS)
    if isinstance(spec, CategoricalSpec) and spec.weights is not None:
        return _weighted(range(len(spec.weights)), spec.weights, bits)
    return 0 if isinstance(spec, ConstantSpec) else bits * len(spec.values) >> BITS


def drawn_among(spec: Hyperparameter, codes: Sequence[int], bits: int) -> int:
    """One of a few codes, each as likely beside the others as the spec has it; none of a float."""
    weights = spec.weights if isinstance(spec, CategoricalSpec) else None
    likely = [0.0 if weights and not weights[code] else math.exp(log_likelihood(spec, code)) for code in codes]
    return _weighted(codes, likely if any(likely) else [1.0] * len(codes), bits)


def _weighted(codes: Sequence[int], weights: Sequence[float], bits: int) -> int:
    largest = max(weights)
    bounds = [*accumulate(weight / largest for weight in weights)]
    at = min(bisect_right(bounds, part(bits) * bounds[-1]), len(bounds) - 1)
    # Rounding may lead past the last that has a weight.
    return codes[at] if weights[at] else codes[max(i for i, weight in enumerate(weights) if weight)]


def _normal(prior: Prior, low: float, high: float, place: float) -> float:
    """The value that is greater than this part of a normal distribution that is cut off at the bounds."""
    normal = NormalDist(prior.mean, prior.std)
    below, above = normal.cdf(low), normal.cdf(high)
    probability = min(max(below + place * (above - below), _NEAREST), 1 - _NEAREST)
    return min(max(normal.inv_cdf(probability), low), high)
