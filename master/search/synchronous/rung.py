"""A rung with a barrier: it waits until all its trials are in, and then decides about each of them.

Every operation is O(log n) in the number of results.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

from sortedcontainers import SortedList

from ..arithmetic import quota
from ..rung import WORST, Result


@dataclass(slots=True)
class BarrierContent:
    """What a rung holds, in any order: all results; those of trials that wait for a decision, or promoted for their
    turn; the resource of the waiting ones that are past the rung; how many were promoted."""

    results: list[Result] = field(default_factory=list)
    undecided: list[Result] = field(default_factory=list)
    queue: list[Result] = field(default_factory=list)
    past: dict[int, int] = field(default_factory=dict)
    promoted: int = 0


class BarrierRung:
    """One level of a bracket. A trial that waits here is undecided, or was promoted and is in the queue.

    `expected` is how many trials it waits for: None while the rung below has not all of its own.
    """

    __slots__ = ("_eta", "_finite", "_past", "_queue", "_results", "_undecided", "expected", "promoted", "resource")

    def __init__(self, resource: int, eta: Fraction, expected: int | None) -> None:
        self.resource = resource
        self.expected = expected
        #: How many were promoted so far.
        self.promoted = 0
        self._eta = eta
        self._results: SortedList = SortedList()
        self._finite = 0
        self._undecided: SortedList = SortedList()
        self._queue: SortedList = SortedList()
        #: Of trials that wait and were past the rung when they entered it, their resource; of others it is the rung's.
        self._past: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._results)

    @property
    def all_in(self) -> bool:
        """Whether every trial that it waits for has come or failed."""
        return len(self._results) == self.expected

    @property
    def passing(self) -> int:
        """How many of the results go on, if so many are finite: ⌊n/η⌋, and at least the best."""
        return max(1, quota(len(self._results), self._eta))

    @property
    def promotions(self) -> int:
        """How many trials are promoted once all are in."""
        return min(self.passing, self._finite)

    @property
    def undecided(self) -> int:
        """How many trials wait for a decision."""
        return len(self._undecided)

    @property
    def queued(self) -> int:
        """How many promoted trials wait for their turn."""
        return len(self._queue)

    @property
    def can_promote(self) -> bool:
        """Whether one of those that wait for a decision goes on, now that all are in."""
        return bool(self._undecided) and self.passes(cast(Result, self._undecided[0]))

    def load(self, content: BarrierContent) -> None:
        """Fills an empty rung at once, which takes far less time than one result after the other."""
        self._results, self._undecided = SortedList(content.results), SortedList(content.undecided)
        self._queue, self._past, self.promoted = SortedList(content.queue), content.past, content.promoted
        self._finite = sum(key != WORST for key, _ in content.results)

    def enter(self, result: Result) -> None:
        """Adds a result."""
        self._results.add(result)
        self._finite += result[0] != WORST

    def rank(self, result: Result) -> int:
        """Rank of a result that entered, 0 for the best."""
        return self._results.bisect_left(result)

    def passes(self, result: Result) -> bool:
        """Whether this result goes on, now that all are in."""
        return self.rank(result) < self.promotions

    def wait(self, result: Result, resource: int) -> None:
        """The trial of a result, trained to `resource`, waits for a decision."""
        self._undecided.add(result)
        if resource > self.resource:
            self._past[result[1]] = resource

    def best_undecided(self) -> Result:
        """Takes the best of those that wait for a decision, about which it is made now."""
        return cast(Result, self._undecided.pop(0))

    def take_undecided(self, result: Result) -> bool:
        """Takes this one, if it waits for a decision."""
        return _taken(self._undecided, result)

    def promote(self, result: Result) -> int:
        """The trial goes on as soon as its turn comes; gives the resource to which it has trained."""
        self.promoted += 1
        self._queue.add(result)
        return self._past.get(result[1], self.resource)

    def best_promoted(self) -> Result:
        """Takes the best of those that wait for their turn, which has come."""
        return cast(Result, self._queue.pop(0))

    def take_promoted(self, result: Result) -> bool:
        """Takes this one, if it waits for its turn."""
        return _taken(self._queue, result)

    def leave(self, trial: int) -> int:
        """A trial does not wait here any more; gives the resource to which it has trained."""
        return self._past.pop(trial, self.resource)

    def trials(self) -> Iterable[int]:
        """All that entered, best first."""
        return (trial for _, trial in self._results)

    def check(self) -> None:
        """Raises AssertionError where its orders contradict each other."""
        where = f"the rung at {self.resource}"
        results, undecided, queue = list(self._results), list(self._undecided), list(self._queue)
        for order in (results, undecided, queue):
            assert order == sorted(set(order)), f"what {where} holds is not in order"
        assert len(set(self.trials())) == len(results), f"a trial entered {where} twice"
        assert self._finite == sum(key != WORST for key, _ in results), f"{where} has lost count of its finite results"
        assert {*undecided, *queue} <= set(results), f"a trial waits in {where} that never entered it"
        assert not set(undecided) & set(queue), f"a trial in {where} was promoted, and waits for a decision"
        assert all(key != WORST for key, _ in queue), f"a failure was promoted from {where}"
        assert self._past.keys() <= {trial for _, trial in (*undecided, *queue)}
        assert self.all_in or not self.promoted, f"{where} has promoted before all were in"
        assert len(queue) <= self.promoted <= self.promotions, f"{where} has promoted too many"


def _taken(order: SortedList, result: Result) -> bool:
    if result not in order:
        return False
    order.remove(result)
    return True
