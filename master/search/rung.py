"""A rung: the results of the trials that reached it, in order, and which of them may go on.

Every operation is O(log n) in the number of results. A result is a pair (key, trial), where a smaller key is better and
WORST stands for a failure or a result that is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

from sortedcontainers import SortedList

WORST = math.inf

Result = tuple[float, int]


def key_of(metric: float | None, sign: float) -> float:
    """What a metric is ranked by: less is better, where `sign` is that of the goal. None is a failure."""
    return WORST if metric is None or not math.isfinite(metric) else sign * metric


@dataclass(slots=True)
class Content:
    """What a rung holds, in any order: all results; those that may still be promoted; their resource where past it;
    and the trials that waited when their search ended, and cannot go on."""

    results: list[Result] = field(default_factory=list)
    candidates: list[Result] = field(default_factory=list)
    overshoot: dict[int, int] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)


class RankedRung:
    """One level of a bracket. With `keeps_candidates` it knows the finite results that were not promoted yet."""

    __slots__ = (
        "_candidates",
        "_changed",
        "_denominator",
        "_keeps_candidates",
        "_left",
        "_numerator",
        "_overshoot",
        "_promotable",
        "_results",
        "resource",
    )

    def __init__(self, resource: int, eta: Fraction, *, keeps_candidates: bool) -> None:
        self.resource = resource
        self._numerator, self._denominator = eta.numerator, eta.denominator
        self._keeps_candidates = keeps_candidates
        self._results: SortedList = SortedList()
        self._candidates: SortedList = SortedList()
        #: Resource of the candidates that were past the rung when they entered it; for most, it is the rung's own.
        self._overshoot: dict[int, int] = {}
        #: Trials that waited here when their search ended, and cannot go on since it was extended.
        self._left: set[int] = set()
        #: The last answer of `promotable`, right until something changes: workers ask far more often than that.
        self._promotable: Result | None = None
        self._changed = False

    def __len__(self) -> int:
        return len(self._results)

    @property
    def quota(self) -> int:
        """How many of the results so far are in the top 1/divisor."""
        return len(self._results) * self._denominator // self._numerator

    def load(self, content: Content) -> None:
        """Fills an empty rung at once, which takes far less time than one result after the other."""
        self._changed = True
        self._results = SortedList(content.results)
        if self._keeps_candidates:
            self._candidates = SortedList(content.candidates)
            self._overshoot = content.overshoot
            self._left = content.left

    def enter(self, result: Result, resource: int) -> int:
        """Adds the result of a trial that has trained to `resource`; gives its rank, 0 for the best."""
        self._changed = True
        self._results.add(result)
        if self._keeps_candidates and result[0] != WORST:
            self._candidates.add(result)
            if resource > self.resource:
                self._overshoot[result[1]] = resource
        return self.rank(result)

    def rank(self, result: Result) -> int:
        """Rank of a result that entered, 0 for the best."""
        return self._results.bisect_left(result)

    def promotable(self) -> Result | None:
        """The best result in the top 1/divisor that is not promoted yet."""
        if self._changed:
            self._changed = False
            best = self.best_waiting()
            self._promotable = best if best is not None and self.rank(best) < self.quota else None
        return self._promotable

    @property
    def waiting_to_go_on(self) -> int:
        """How many results in the top 1/divisor are not promoted yet."""
        return self._candidates.bisect_right(self._results[self.quota - 1]) if self.quota else 0

    def best_waiting(self) -> Result | None:
        """The best result that is not promoted yet, in the top 1/divisor or not."""
        return cast(Result, self._candidates[0]) if self._candidates else None

    @property
    def has_finite(self) -> bool:
        """Whether any trial came here with a finite result."""
        return bool(self._results) and cast(Result, self._results[0])[0] != WORST

    def promote(self, result: Result) -> int:
        """Marks a candidate as promoted; gives the resource to which its trial has trained."""
        self._changed = True
        if self._keeps_candidates:
            self._candidates.remove(result)
        return self._overshoot.pop(result[1], self.resource)

    def keep_waiting(self, kept: Callable[[int], bool]) -> None:
        """Of the candidates only those stay for whose trial this is true."""
        left = {trial for _, trial in self._candidates if not kept(trial)}
        if left:
            self._changed = True
            self._left |= left
            self._candidates = SortedList(result for result in self._candidates if result[1] not in left)
            self._overshoot = {trial: at for trial, at in self._overshoot.items() if trial not in left}

    @property
    def promoted(self) -> set[int]:
        """The trials that went on from here; where no candidates are kept, all with a finite result."""
        finite = {trial for key, trial in self._results if key != WORST}
        return finite - {trial for _, trial in self._candidates} - self._left

    def results(self) -> Iterable[Result]:
        """All results, best first."""
        return iter(self._results)

    def candidates(self) -> Iterable[Result]:
        """The finite results that were not promoted yet, best first; empty where they are not kept."""
        return iter(self._candidates)

    def check(self) -> None:
        """Raises AssertionError where the two orders contradict each other."""
        results, candidates = list(self._results), list(self._candidates)
        assert results == sorted(results), f"the results of the rung at {self.resource} are not in order"
        assert candidates == sorted(candidates), f"the candidates of the rung at {self.resource} are not in order"
        trials = {trial for _, trial in results}
        assert len(trials) == len(results), f"a trial entered the rung at {self.resource} twice"
        assert set(candidates) <= set(results), f"the rung at {self.resource} has candidates that never entered it"
        assert all(key != WORST for key, _ in candidates), f"a failure is a candidate in the rung at {self.resource}"
        assert self._left <= trials, f"the rung at {self.resource} has lost trials that never entered it"
        assert not self._left & {trial for _, trial in candidates}, f"a lost trial waits in the rung at {self.resource}"
        assert self._overshoot.keys() <= {trial for _, trial in candidates}
