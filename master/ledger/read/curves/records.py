"""The records of a search, and what was trained by each, from reports that come in the order of their keys and not in
that in which they were stored."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .columns import MeasuredColumns, ReportColumns, Whole


class RecordFinder:
    """Finds the results that were better than every one stored before them. `sign` is as for Thinner.

    A report that is no record among some of the reports is none among all, so that only few are held.
    """

    def __init__(self, sign: int) -> None:
        self._sign = sign
        #: In the order in which they were stored.
        self.found = MeasuredColumns.nothing()

    def add(self, reports: MeasuredColumns) -> None:
        """Takes reports whose keys are higher than those before."""
        self.found = self._records(self.found + self._records(reports[np.isfinite(reports.value)]))

    def _records(self, reports: MeasuredColumns) -> MeasuredColumns:
        # Within a commit the order of the keys counts, which they have.
        stored = reports[np.argsort(reports.commit, kind="stable")]
        ranked = self._sign * stored.value
        return stored[ranked < np.concatenate(([np.inf], np.minimum.accumulate(ranked)[:-1]))[: len(ranked)]]


class Spending:
    """How much of the resource all trials had trained when each record was stored, and in all.

    `starts` are as for Thinner. Takes all reports in the order of their keys.
    """

    def __init__(self, records: ReportColumns, starts: Mapping[int, int]) -> None:
        self._records = records
        self._starts = starts
        self._spent = np.zeros(len(records) + 1, np.int64)
        self._trial, self._furthest = -1, 0

    @property
    def at_records(self) -> Whole:
        """By each record, itself included."""
        return np.cumsum(self._spent)[:-1]

    @property
    def total(self) -> int:
        """By all reports."""
        return int(self._spent.sum())

    def add(self, reports: ReportColumns) -> None:
        """Takes reports whose keys are higher than those before."""
        if len(reports):
            np.add.at(self._spent, self._records_before(reports), self._increments(reports))

    def _records_before(self, reports: ReportColumns) -> Whole:
        """How many records were stored before each report."""
        commits = self._records.commit
        before = np.searchsorted(commits, reports.commit)
        for commit in np.unique(reports.commit[before < np.searchsorted(commits, reports.commit, side="right")]):
            # Within a commit those with lower keys come first.
            same = reports.commit == commit
            before[same] += np.searchsorted(self._records.place[commits == commit], reports.place[same])
        return before

    def _increments(self, reports: ReportColumns) -> Whole:
        """What each report added to how far its trial was trained."""
        trial = reports.trial
        begins = np.flatnonzero(np.diff(trial, prepend=-1))
        starts = np.array([self._start(number) for number in trial[begins].tolist()], np.int64)
        furthest = np.maximum(self._furthest_so_far(reports), np.repeat(starts, np.diff(begins, append=len(trial))))
        self._trial, self._furthest = int(trial[-1]), int(furthest[-1])
        increments = np.diff(furthest, prepend=0)
        increments[begins] = furthest[begins] - starts
        return increments

    def _start(self, trial_id: int) -> int:
        return self._furthest if trial_id == self._trial else self._starts.get(trial_id, 0)

    @staticmethod
    def _furthest_so_far(reports: ReportColumns) -> Whole:
        trial, furthest = reports.trial, reports.resource.copy()
        back = (trial[1:] == trial[:-1]) & (furthest[1:] < furthest[:-1])
        for number in np.unique(trial[1:][back]):
            part = slice(np.searchsorted(trial, number), np.searchsorted(trial, number, side="right"))
            furthest[part] = np.maximum.accumulate(furthest[part])
        return furthest
