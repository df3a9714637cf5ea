"""Which reports of an experiment that has ended must stay when it is thinned, and which may go.

Those stay that decided (at a resource at which the trial entered a rung), each trial's best and its last, and where
that is wanted those whose sequence number is a multiple of `keep_every`. Thinning again, or going on after an
interruption from any trial that is not finished, leaves the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ....shared.limits import MAX_KEEP_EVERY
from ...search.interface import Goal


class Measured(NamedTuple):
    """A report as far as it matters here. They are ordered as the ledger keeps them; `metric` is the searcher's."""

    trial_id: int
    token: int
    sequence: int
    resource: int
    metric: float | None


@dataclass(frozen=True, slots=True)
class Span:
    """Reports of one lease with sequence numbers from `first` to `last`."""

    trial_id: int
    token: int
    first: int
    last: int


class Sieve:
    """Takes the reports of an experiment in their order, in memory that does not grow with them.

    A report is given up as soon as a better or a later one of its trial is known; so what was given up at any moment
    need not be known to go on from the beginning of the trial at which it stood.
    """

    def __init__(self, goal: Goal, keep_every: int) -> None:
        self._sign = goal.sign
        self._keep_every = keep_every
        self._best: Measured | None = None
        self._last: Measured | None = None
        self._last_stays = False
        self._best_stays = False

    def take(self, report: Measured, deciding: Collection[int]) -> list[Measured]:
        """What may go now that this report is known. `deciding` has the resources at which its trial entered rungs."""
        if self._last is not None and self._last.trial_id != report.trial_id:
            self._best = self._last = None
        stays = self._stays(report, deciding)
        gone = []
        better = self._better(report)
        if self._last is not None and not self._last_stays and (self._last is not self._best or better):
            gone.append(self._last)
        if better:
            if self._best is not None and not self._best_stays and self._best is not self._last:
                gone.append(self._best)
            self._best, self._best_stays = report, stays
        self._last, self._last_stays = report, stays
        return gone

    def _stays(self, report: Measured, deciding: Collection[int]) -> bool:
        return report.resource in deciding or bool(self._keep_every and report.sequence % self._keep_every == 0)

    def _better(self, report: Measured) -> bool:
        """Whether it is the trial's best so far; of equal ones the first is."""
        if report.metric is None or not math.isfinite(report.metric):
            return False
        best = self._best.metric if self._best is not None else None
        return best is None or self._sign * report.metric < self._sign * best


def spans(reports: Iterable[Measured]) -> list[Span]:
    """The same reports as runs of sequence numbers, which a database deletes much faster."""
    found: list[Span] = []
    for report in sorted(reports):
        lease, number = (report.trial_id, report.token), report.sequence
        if found and (found[-1].trial_id, found[-1].token, found[-1].last + 1) == (*lease, number):
            found[-1] = Span(*lease, found[-1].first, number)
        else:
            found.append(Span(*lease, number, number))
    return found


def thinner(before: int | None, asked: int) -> int:
    """The `keep_every` that is left when an experiment thinned to `before` (None: not at all) is thinned to `asked`."""
    both = asked if before is None else math.lcm(before, asked)
    return both if both <= MAX_KEEP_EVERY else 0
