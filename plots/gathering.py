"""Gathers reports, as they come, into the thinned curves and the records of a History."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Mapping

import numpy as np

from .history import Curve, Record

_MOST_POINTS = 400_000
_FEWEST_OF_A_TRIAL, _MOST_OF_A_TRIAL = 32, 1000


def points_of_a_trial(trials: int) -> int:
    """How many points of each trial are kept where there are so many trials."""
    return max(_FEWEST_OF_A_TRIAL, min(_MOST_OF_A_TRIAL, _MOST_POINTS // max(1, trials)))


class Gathering:
    """Curves of one metric. Those at rungs stay, and of each trial the first, the last and the best; of the others
    every second one goes whenever a trial has twice as many as `points`. What was reported until some moment may be
    taken over from where it was thinned (`begin`, `begin_records`).

    `sign` is 1 where less is better and -1 where more is; `starts` are the resources of the checkpoints from which
    trials began that did not begin from nothing.
    """

    def __init__(self, levels: Collection[int], sign: int, points: int) -> None:
        self._levels = frozenset(levels)
        self._sign = sign
        self._points = points
        self._kept: dict[int, _Kept] = {}
        self._curves: dict[int, Curve] = {}
        self._best = math.inf
        self.starts: dict[int, int] = {}
        self.records: list[Record] = []
        self.spent = 0

    def begin(self, trial_id: int, furthest: int, curve: Curve) -> None:
        """Takes over the curve of a trial that was thinned elsewhere, in place of its reports up to then."""
        self._kept[trial_id] = _Kept.of(furthest, curve)

    def begin_records(self, records: Iterable[Record], spent: int) -> None:
        """Takes over the records up to then, and what all trials had trained."""
        self.records, self.spent = list(records), spent
        self._best = self._sign * self.records[-1].value if self.records else math.inf

    def add(self, trial_id: int, resource: int, value: float | None, time_s: float) -> None:
        """Takes in one report; `value` is None where it does not have the metric."""
        kept = self._kept.get(trial_id)
        if kept is None:
            kept = self._kept[trial_id] = _Kept(self.starts.get(trial_id, 0))
        if resource > kept.furthest:
            self.spent += resource - kept.furthest
            kept.furthest = resource
        if value is None:
            return
        self._curves.pop(trial_id, None)
        ranked = self._sign * value
        kept.add(resource, value, time_s)
        if ranked < self._best and math.isfinite(value):
            self._best = ranked
            self.records.append(Record(time_s, self.spent, trial_id, resource, value))
        if len(kept.resource) > 2 * self._points:
            kept.thin(self._levels, self._sign)

    def curves(self) -> Mapping[int, Curve]:
        """The curves so far, by trial id."""
        for trial_id in self._kept.keys() - self._curves.keys():
            self._curves[trial_id] = self._kept[trial_id].curve()
        return dict(sorted(self._curves.items()))


class _Kept:
    """What is kept of one trial."""

    __slots__ = ("furthest", "resource", "time_s", "value")

    def __init__(self, start: int) -> None:
        self.furthest = start
        self.resource = array("q")
        self.value = array("d")
        self.time_s = array("d")

    @classmethod
    def of(cls, furthest: int, curve: Curve) -> _Kept:
        """A trial as it was thinned elsewhere."""
        kept = cls(furthest)
        kept.resource.frombytes(curve.resource.tobytes())
        kept.value.frombytes(curve.value.tobytes())
        kept.time_s.frombytes(curve.time_s.tobytes())
        return kept

    def add(self, resource: int, value: float, time_s: float) -> None:
        """Training that was repeated takes the place of what it repeats."""
        while self.resource and self.resource[-1] >= resource:
            self.resource.pop()
            self.value.pop()
            self.time_s.pop()
        self.resource.append(resource)
        self.value.append(value)
        self.time_s.append(time_s)

    def thin(self, levels: frozenset[int], sign: int) -> None:
        """Every second point goes, but for those that figures need."""
        last = len(self.resource) - 1
        best = min(range(last + 1), key=lambda place: _ranked(sign * self.value[place]))
        keep = [
            place
            for place in range(last + 1)
            if place % 2 == 0 or place in (last, best) or self.resource[place] in levels
        ]
        self.resource = array("q", self._at(self.resource, keep))
        self.value = array("d", self._at(self.value, keep))
        self.time_s = array("d", self._at(self.time_s, keep))

    @staticmethod
    def _at(values: array, places: Iterable[int]) -> list:
        return [values[place] for place in places]

    def curve(self) -> Curve:
        return Curve(
            np.array(self.resource, np.int64), np.array(self.value, np.float64), np.array(self.time_s, np.float64)
        )


def _ranked(value: float) -> float:
    """Whatever is no finite number is the worst."""
    return value if math.isfinite(value) else math.inf
