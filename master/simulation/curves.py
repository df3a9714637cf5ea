"""How simulated trials learn: a learning curve for each, drawn from a model.

Trial i of a simulation with seed s has a learning curve that depends on (s, i) alone, so that different searchers can
be compared on the same trials. Its error after resource r is

    error(r) = floor + (start - floor) · (1 + r / scale) ^ -power   + noise

a power law, the shape that learning curves of neural networks are commonly found to have. The noise is normal and
shrinks as training goes on. One unit of resource takes a trial's own `pace` (log-normal around 1), in units of virtual
time: one is what a unit of resource takes on a median trial. There are three kinds:

* `model`: `floor` (what it would reach in the end), `scale` and `power` (how fast) differ by trial, so curves cross;
* `truthful`: only the floor differs, evenly from 0.02 to 0.62, with hardly any noise: early results tell the truth;
* `crossing`: the lower the floor, the more slowly it is neared, so that those that are best in the end are the worst
  at first: early results mislead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

_MASK = 2**64 - 1
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Curve:
    """How one trial learns: error by resource, and the virtual time that one unit of resource takes."""

    start: float
    floor: float
    scale: float
    power: float
    noise: float
    pace: float

    def error(self, resource: float) -> float:
        """The error after training to `resource`, without noise."""
        return self.floor + (self.start - self.floor) * (1 + resource / self.scale) ** -self.power


def modelled(max_resource: int, floor: float, speed: float, power: float, noise: float, *, pace: float = 1) -> Curve:
    """What differs between trials is drawn independently; all numbers drawn are between 0 and 1."""
    scale = max_resource * 10 ** (-3 + 2 * speed)
    return Curve(0.9, 0.02 + 0.6 * floor**1.5, scale, power=0.4 + power, noise=0.002 + 0.02 * noise, pace=pace)


def truthful(max_resource: int, floor: float, *_: float, pace: float = 1) -> Curve:
    """All curves have one shape."""
    return Curve(0.9, 0.02 + 0.6 * floor, scale=max_resource * 0.01, power=0.9, noise=0.0001, pace=pace)


def crossing(max_resource: int, floor: float, *_: float, pace: float = 1) -> Curve:
    """The better it is in the end, the more slowly it comes there."""
    scale = max_resource * 10 ** (-1 - 1.5 * floor)
    return Curve(0.9, 0.02 + 0.6 * floor, scale, power=1.5, noise=0.001, pace=pace)


CURVES: dict[str, Callable[..., Curve]] = {"model": modelled, "truthful": truthful, "crossing": crossing}
"""The kinds of curves by their names."""


class Curves:
    """The learning curves of all trials of one simulation; each is a function of (seed, trial) alone."""

    def __init__(self, seed: int, max_resource: int, kind: str = "model") -> None:
        self._seed = _scrambled(seed & _MASK)
        self._max_resource = max_resource
        self._kind = CURVES[kind]

    def curve(self, trial: int) -> Curve:
        """How this trial learns."""
        *drawn, pace = (self._uniform(trial, k) for k in range(5))
        return self._kind(self._max_resource, *drawn, pace=math.exp(0.35 * _NORMAL.inv_cdf(pace)))

    def measured(self, trial: int, curve: Curve, resource: int) -> float:
        """The error that the trial reports at `resource`, noise included: the same each time it is asked for."""
        noise = _NORMAL.inv_cdf(self._uniform(trial, 5 + resource))
        return curve.error(resource) + curve.noise * noise / math.sqrt(1 + 9 * resource / self._max_resource)

    def _uniform(self, trial: int, which: int) -> float:
        """A number strictly between 0 and 1."""
        bits = _scrambled(_scrambled(self._seed ^ trial) + which)
        return ((bits >> 11) + 0.5) / 2**53


def _scrambled(x: int) -> int:
    """SplitMix64 (Steele, Lea & Flood 2014): a fast bijection of 64 bits that passes for random."""
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)
