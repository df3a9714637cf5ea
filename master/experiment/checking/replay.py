"""The journal of an experiment told to a fresh searcher: it has to decide the same, and end with the same rungs.

Actions, targets, ranks and quotas are compared, as far as the journal has them (older ones have no ranks), and never
what is said to people.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...search.interface import (
    Effect,
    Entered,
    NotExtendable,
    SearchDecision,
    Searcher,
    Standing,
    Step,
    Train,
    UnknownTrial,
)
from ..changes import RungResultRow
from ..life.extension import kept_of


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

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher
        self._rule = searcher.promotion_rule()
        self._results: dict[tuple[int, int, int], tuple[int, float | None]] = {}
        self._promoted: set[tuple[int, int, int]] = set()
        #: A step of `next` that was journaled in part, and what was decided about others and not yet met.
        self._step: Step | None = None
        self._decisions: deque[SearchDecision] = deque()
        self._handlers: dict[str, Callable[[int, Mapping[str, Any]], object]] = {
            "trial_created": self._created,
            "promoted": self._climbed,
            "passed": self._passed,
            "decision": self._decided,
            "trial_failed": lambda trial, _: self._take(self.searcher.fail(trial)),
            "trial_discarded": lambda trial, _: self._take(self.searcher.discard(trial)),
        }

    def run(self, entries: Iterable[Entry], results: Iterable[RungResultRow]) -> Iterator[str]:
        """What differs, as sentences: from the journal's decisions first, then from the stored results of rungs."""
        for entry in entries:
            if entry.kind in _RULES_SAID:
                # A journal that does not say by which rules its search goes is from the time of the first ones.
                self.searcher.follow(entry.data.get("rules", 1))
            if "max_concurrent_trials" in entry.data and entry.kind == "settings_changed":
                self.searcher.limit(entry.data["max_concurrent_trials"])
            try:
                self._take_in(entry)
            except (Difference, UnknownTrial, NotExtendable, AssertionError, LookupError, ValueError) as error:
                of = "" if entry.trial_id is None else f" of trial {entry.trial_id}"
                yield f"journal entry {entry.event_id} ({entry.kind}{of}): {error}"
                return
        if self._decisions:
            yield f"its journal ends, and the searcher has decided: {self._decisions[0]}"
        yield from self._compare(results)
        try:
            self.searcher.check()
        except AssertionError as error:
            yield f"the search that its journal tells contradicts itself: {error}"

    def _take_in(self, entry: Entry) -> None:
        if entry.kind == "experiment_extended":
            self._extended(entry.data)
        handler = self._handlers.get(entry.kind)
        if handler is None or entry.trial_id is None:
            return
        if self._decisions and entry.kind != "passed":
            raise Difference(f"the searcher has decided before: {self._decisions[0]}")
        handler(entry.trial_id, entry.data)

    def _extended(self, data: Mapping[str, Any]) -> None:
        """The search got more trials; where it had ended, the journal tells which of its trials wait again."""
        kept = kept_of(data)
        self.searcher.extend(data["max_trials"])
        if kept is not None:
            self.searcher.follow(data["rules"])
            self.searcher.keep_waiting(kept)
        self._rule.extended(self.searcher.plan, kept)

    def _created(self, trial: int, data: Mapping[str, Any]) -> None:
        train = self._train()
        told = (trial, data["bracket"], data["target"], data.get("parent"))
        if not train.new or (train.trial, train.bracket, train.target, train.parent) != told:
            raise Difference(f"the searcher wants {train}")

    def _climbed(self, trial: int, data: Mapping[str, Any]) -> None:
        train = self._train()
        if train.new or (train.trial, train.rung, train.target) != (trial, data["rung"], data["target"]):
            raise Difference(f"the searcher wants {train}")

    def _train(self) -> Train:
        """What `next` answers, now or when its last decision about another trial was met."""
        step, self._step = self._step or self._take(self.searcher.next()), None
        if self._decisions:
            raise Difference(f"the searcher has decided before: {self._decisions[0]}")
        if not isinstance(step.answer, Train):
            raise Difference("the searcher wants nothing trained")
        return step.answer

    def _passed(self, trial: int, data: Mapping[str, Any]) -> None:
        """Something was decided about another trial than that of the event before; of `next`, before its Train."""
        if not self._decisions:
            step = self._take(self.searcher.next())
            self._step = step if isinstance(step.answer, Train) else None
        if not self._decisions:
            raise Difference("the searcher decides nothing")
        _same(self._decisions.popleft(), trial, data)

    def _decided(self, trial: int, data: Mapping[str, Any]) -> None:
        step = self._take(self.searcher.report(trial, data["resource"], float(data["metric"])))
        if not isinstance(step.answer, SearchDecision):
            raise Difference(f"the searcher answers {step.answer}")
        _same(step.answer, trial, data)

    def _take(self, step: Step) -> Step:
        for effect in step.effects:
            self._effect(effect)
        self._decisions.extend(step.decisions)
        return step

    def _effect(self, effect: Effect) -> None:
        key = (effect.bracket, effect.rung, effect.trial)
        name = f"trial {effect.trial}"
        if isinstance(effect, Entered):
            if key in self._results:
                raise Difference(f"{name} enters rung {effect.rung} twice")
            self._results[key] = (effect.resource, effect.metric)
            self._rule.entered(effect)
            return
        if key not in self._results or key in self._promoted:
            raise Difference(f"{name} is promoted from rung {effect.rung}, which it has not entered, or has left")
        if objection := self._rule.promoted(effect):
            raise Difference(objection)
        self._promoted.add(key)

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
    told = (trial, data["action"], data["target"])
    if (decision.trial, decision.action.value, decision.target) != told:
        raise Difference(f"the searcher decides {decision}")
    standing = decision.standing._asdict() if decision.standing is not None else {}
    if any(data[name] != standing.get(name) for name in Standing._fields if name in data):
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
