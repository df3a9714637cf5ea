"""The journal of an experiment told to a fresh searcher: it has to decide the same, and end with the same rungs."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sortedcontainers import SortedList

from ..search.interface import Effect, Entered, Goal, SearchDecision, Searcher, Step, Train, UnknownTrial
from .changes import RungResultRow


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry."""

    event_id: int
    kind: str
    trial_id: int | None
    data: Mapping[str, Any]


_RULES_SAID = ("experiment_created", "rules_changed")


class Difference(Exception):
    """The searcher answers other than it did."""


class Replay:
    """Takes in the entries in their order; what differs first is told, and the rest is not replayed."""

    def __init__(self, searcher: Searcher, eta: Fraction, goal: Goal, *, stop_once: bool) -> None:
        self.searcher = searcher
        self._eta = eta
        self._sign = 1.0 if goal is Goal.MINIMIZE else -1.0
        self._at_least = 1 if stop_once else 0
        self._ranks: dict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
        self._results: dict[tuple[int, int, int], tuple[int, float | None]] = {}
        self._promoted: set[tuple[int, int, int]] = set()
        #: By rung: the finite results that were not promoted yet, best first, and how many were promoted.
        self._waiting: dict[tuple[int, int], SortedList] = defaultdict(SortedList)
        self._climbs: Counter[tuple[int, int]] = Counter()
        #: A step of `next` that was journaled in part, and those of its decisions that were not yet met.
        self._step: Step | None = None
        self._decisions: list[SearchDecision] = []
        self._handlers: dict[str, Callable[[int, Mapping[str, Any]], None]] = {
            "trial_created": self._created,
            "promoted": self._climbed,
            "passed": self._passed,
            "decision": self._decided,
            "trial_failed": lambda trial, _: self._effects(self.searcher.fail(trial)),
            "trial_discarded": lambda trial, _: self._effects(self.searcher.discard(trial)),
        }

    def run(self, entries: Iterable[Entry], results: Iterable[RungResultRow]) -> Iterator[str]:
        """What differs, as sentences: from the journal's decisions first, then from the stored results of rungs."""
        for entry in entries:
            if entry.kind in _RULES_SAID:
                # A journal that does not say by which rules its search goes is from the time of the first ones.
                self.searcher.follow(entry.data.get("rules", 1))
            if "max_concurrent_trials" in entry.data and entry.kind == "settings_changed":
                self.searcher.limit(entry.data["max_concurrent_trials"])
            handler = self._handlers.get(entry.kind)
            if handler is None or entry.trial_id is None:
                continue
            try:
                handler(entry.trial_id, entry.data)
            except (Difference, UnknownTrial, AssertionError, LookupError, ValueError) as error:
                yield f"journal entry {entry.event_id} ({entry.kind} of trial {entry.trial_id}): {error}"
                return
        yield from self._compare(results)
        try:
            self.searcher.check()
        except AssertionError as error:
            yield f"the search that its journal tells contradicts itself: {error}"

    def _created(self, trial: int, data: Mapping[str, Any]) -> None:
        train = self._train()
        if not (train.new and (train.trial, train.bracket, train.target) == (trial, data["bracket"], data["target"])):
            raise Difference(f"the searcher wants {train}")

    def _climbed(self, trial: int, data: Mapping[str, Any]) -> None:
        train = self._train()
        if train.new or (train.trial, train.rung, train.target) != (trial, data["rung"], data["target"]):
            raise Difference(f"the searcher wants {train}")

    def _train(self) -> Train:
        """What `next` answers, now or when its first decision was met."""
        step = self._step or self._next()
        if self._decisions:
            raise Difference(f"the searcher has decided before: {self._decisions[0]}")
        self._step = None
        if not isinstance(step.answer, Train):
            raise Difference("the searcher wants nothing trained")
        return step.answer

    def _next(self) -> Step:
        self._step = step = self.searcher.next()
        self._effects(step)
        self._decisions = list(step.decisions)
        return step

    def _passed(self, trial: int, data: Mapping[str, Any]) -> None:
        step = self._step or self._next()
        if not self._decisions:
            raise Difference("the searcher decides nothing")
        _same(self._decisions.pop(0), trial, data)
        if not self._decisions and not isinstance(step.answer, Train):
            self._step = None

    def _decided(self, trial: int, data: Mapping[str, Any]) -> None:
        step = self.searcher.report(trial, data["resource"], float(data["metric"]))
        self._effects(step)
        if not isinstance(step.answer, SearchDecision):
            raise Difference(f"the searcher answers {step.answer}")
        _same(step.answer, trial, data)

    def _effects(self, step: Step) -> None:
        for effect in step.effects:
            self._effect(effect)

    def _effect(self, effect: Effect) -> None:
        rung = (effect.bracket, effect.rung)
        key = (*rung, effect.trial)
        if isinstance(effect, Entered):
            if key in self._results:
                raise Difference(f"trial {effect.trial} enters rung {effect.rung} twice")
            self._results[key] = (effect.resource, effect.metric)
            rank = self._rank(effect.trial, effect.metric)
            insort(self._ranks[rung], rank)
            if effect.metric is not None:
                self._waiting[rung].add(rank)
            return
        rank, ranks = self._rank(effect.trial, self._results[key][1]), self._ranks[rung]
        place = bisect_left(ranks, rank)
        passing = max(self._at_least, math.floor(len(ranks) / self._eta))
        if place >= passing and not self._wins(rung, rank):
            raise Difference(f"it is promoted at place {place + 1} of {len(ranks)}, of which {passing} may go on")
        self._promoted.add(key)
        self._climbs[rung] += 1
        self._waiting[rung].remove(rank)

    def _wins(self, rung: tuple[int, int], rank: tuple[float, int]) -> bool:
        """Whether this result is the best of those that wait in their bracket's highest rung, while all its trials are
        in and none has come to the end."""
        bracket = rung[0]
        plan = self.searcher.plan[bracket]
        rungs = [(bracket, i) for i in range(len(plan.rungs))]
        came = [plan.max_trials, *(self._climbs[lower] for lower in rungs[:-1])]
        all_in = came == [len(self._ranks[each]) for each in rungs]
        highest = next((each for each in reversed(rungs) if self._waiting[each]), None)
        return all_in and highest == rung and self._waiting[rung][0] == rank

    def _rank(self, trial: int, metric: float | None) -> tuple[float, int]:
        return (math.inf if metric is None else self._sign * metric), trial

    def _compare(self, rows: Iterable[RungResultRow]) -> Iterator[str]:
        left = dict(self._results)
        for row in rows:
            key = (row.bracket_id, row.rung_id, row.trial_id)
            name = f"trial {row.trial_id} in rung {row.rung_id} of bracket {row.bracket_id}"
            told, stored = left.pop(key, None), (row.resource, row.metric)
            if told != stored:
                yield f"{name} is stored with {stored} (resource, metric), its journal tells {told}"
            if row.promoted != (key in self._promoted):
                yield f"{name} is stored as {'' if row.promoted else 'not '}promoted, its journal tells otherwise"
        for bracket, rung, trial in left:
            yield f"trial {trial} entered rung {rung} of bracket {bracket} by its journal, and is not stored there"


def _same(decision: SearchDecision, trial: int, data: Mapping[str, Any]) -> None:
    told = (trial, data["action"], data["target"], data["reason"])
    if (decision.trial, decision.action.value, decision.target, decision.reason) != told:
        raise Difference(f"the searcher decides {decision}")


def same_future(replayed: Searcher, restored: Searcher, steps: int = 16) -> str | None:
    """How the next wishes of two searchers differ, one from the journal and one from the rows; None where not."""
    for _ in range(steps):
        one, other = replayed.next(), restored.next()
        if one != other:
            return f"after a restart the searcher would want {other.answer}, by its journal {one.answer}"
        if not isinstance(one.answer, Train):
            return None
    return None
