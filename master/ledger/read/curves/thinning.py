"""Makes curves of reports that come in the order of their keys: whole trials, each thinned to so many points."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .columns import Mask, MeasuredColumns, Whole

#: Reports of a trial that are held until all of it was read; where there are more, every second one goes before, and so
#: on.
HELD = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class ThinnedCurve:
    """What is left of one trial; `furthest` is the highest resource of any report of it, with the metric or without."""

    trial_id: int
    furthest: int
    resource: Whole
    value: NDArray[np.float64]
    time_us: Whole


class Thinner:
    """Takes reports in the order of their keys, some at a time; gives the curve of each trial once it is whole.

    `levels` are the resources of rungs, `starts` those of the checkpoints from which trials began that did not begin
    from nothing; `sign` is 1 where less is better and -1 where more is.
    """

    def __init__(self, levels: Collection[int], sign: int, points: int, starts: Mapping[int, int]) -> None:
        self._levels = np.array(sorted(levels), np.int64)
        self._sign = sign
        self._points = points
        self._starts = starts
        self._rest = MeasuredColumns.nothing()
        #: The trial that is held: how far it was trained, where it begins, and which part of its reports is left.
        self._held, self._furthest, self._first, self._stride = -1, 0, 0, 1

    def add(self, reports: MeasuredColumns) -> list[ThinnedCurve]:
        """The curves of the trials before the last one, of which more may come."""
        known = self._rest + reports
        if not len(known):
            return []
        last = int(np.searchsorted(known.trial, known.trial[-1]))
        curves = self._curves(known[:last])
        self._rest = known[last:]
        if self._rest.trial[0] != self._held:
            self._held, self._first = int(self._rest.trial[0]), int(self._rest.place[0])
        if len(self._rest) > HELD:
            self._hold_fewer()
        return curves

    def _hold_fewer(self) -> None:
        self._furthest = max(self._furthest, int(self._rest.resource.max()))
        kept = _repeated_once(self._rest)
        needed = self._is_needed(kept)
        while np.count_nonzero(left := self._is_left(kept) | needed) > max(HELD // 2, 2 * np.count_nonzero(needed)):
            self._stride *= 2
        # What is held says that there is such a trial, whether it has the metric or not.
        self._rest = kept[left] if len(kept) else self._rest[-1:]

    def end(self) -> list[ThinnedCurve]:
        """The curve of the last trial."""
        rest, self._rest = self._rest, MeasuredColumns.nothing()
        return self._curves(rest)

    def _curves(self, reports: MeasuredColumns) -> list[ThinnedCurve]:
        if not len(reports):
            return []
        begins, _ = _trials(reports)
        trials = reports.trial[begins]
        furthest = np.maximum.reduceat(reports.resource, begins)
        kept = _repeated_once(reports)
        # Of the first trial some reports may have gone before.
        furthest[0] = max(int(furthest[0]), self._furthest)
        kept = kept[(kept.trial != trials[0]) | self._is_left(kept) | self._is_needed(kept)]
        self._furthest, self._stride = 0, 1
        kept = kept[self._is_even(kept) | self._is_needed(kept)]
        ends = np.searchsorted(kept.trial, trials, side="right").tolist()
        curves, begin = [], 0
        for trial, far, end in zip(trials.tolist(), furthest.tolist(), ends, strict=True):
            far, part = max(far, self._starts.get(trial, 0)), slice(begin, end)
            curves.append(ThinnedCurve(trial, far, kept.resource[part], kept.value[part], kept.time_us[part]))
            begin = end
        return curves

    def _is_left(self, kept: MeasuredColumns) -> Mask:
        """Of the trial that is held."""
        return (kept.place - self._first) % self._stride == 0

    def _is_even(self, kept: MeasuredColumns) -> Mask:
        """Evenly spaced ones of each trial."""
        begins, counts = _trials(kept)
        of = np.repeat(counts, counts)
        place = np.arange(len(kept)) - np.repeat(begins, counts)
        return (of <= self._points) | (place * self._points // of != (place - 1) * self._points // of)

    def _is_needed(self, kept: MeasuredColumns) -> Mask:
        """The first of each trial, its last, its best and those at rungs."""
        needed = np.isin(kept.resource, self._levels)
        if len(kept):
            begins, counts = _trials(kept)
            for places in (begins, begins + counts - 1, self._best(kept, begins, counts)):
                needed[places] = True
        return needed

    def _best(self, kept: MeasuredColumns, begins: Whole, counts: Whole) -> Whole:
        """Where the best of each trial is, the first of equal ones."""
        ranked = np.where(np.isfinite(kept.value), self._sign * kept.value, np.inf)
        best = np.repeat(np.minimum.reduceat(ranked, begins), counts)
        at = np.flatnonzero((ranked == best) & np.isfinite(ranked))
        return at[np.unique(kept.trial[at], return_index=True)[1]]


def _trials(reports: MeasuredColumns) -> tuple[Whole, Whole]:
    """Where each trial begins, and how many reports it has."""
    begins = np.flatnonzero(np.diff(reports.trial, prepend=-1))
    return begins, np.diff(begins, append=len(reports))


def _repeated_once(reports: MeasuredColumns) -> MeasuredColumns:
    """The reports that have the metric, but for those that were repeated: where a later one of the same trial has the
    same resource or a lower one."""
    reports = reports[reports.there]
    trial, resource = reports.trial, reports.resource
    stays = np.ones(len(reports), bool)
    back = (trial[1:] == trial[:-1]) & (resource[1:] <= resource[:-1])
    for number in np.unique(trial[1:][back]):
        begin, end = np.searchsorted(trial, number), np.searchsorted(trial, number, side="right")
        lowest_after = np.minimum.accumulate(resource[begin:end][::-1])[::-1][1:]
        stays[begin : end - 1] = resource[begin : end - 1] < lowest_after
    return reports[stays]
