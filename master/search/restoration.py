"""Rebuilds brackets from what a ledger recorded, in one pass and with no copy of the records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from .asha import AshaBracket, Running
from .interface import RungRecord, TrialRecord
from .rung import WORST, Content


class BracketRestoration(Protocol):
    """Fills one fresh bracket: first all its trials, then all its results, then `finish`."""

    def take_trial(self, record: TrialRecord) -> None:
        """Takes in a trial that was made, and not discarded."""
        ...

    def take_result(self, record: RungRecord) -> None:
        """Takes in a rung result."""
        ...

    def finish(self) -> None:
        """Hands over what was taken in."""
        ...


def restore_brackets(
    restorations: Sequence[BracketRestoration], trials: Iterable[TrialRecord], results: Iterable[RungRecord]
) -> int:
    """Fills the brackets of a search, each by the restoration at its index, from all trials ever made and all rung
    results; gives the number of the next trial."""
    next_trial = 0
    for record in trials:
        next_trial = max(next_trial, record.trial + 1)
        if not record.discarded:
            restorations[record.bracket].take_trial(record)
    for result in results:
        restorations[result.bracket].take_result(result)
    for restoration in restorations:
        restoration.finish()
    return next_trial


class Restoration:
    """Fills a bracket of asynchronous halving."""

    def __init__(self, bracket: AshaBracket) -> None:
        self._bracket = bracket
        self._contents = [Content() for _ in bracket.rungs]
        #: Resource of the paused trials that were past their rung when they entered it.
        self._past: dict[int, int] = {}
        #: Trials that have ended; one that waited then was left behind when its search was extended.
        self._over: set[int] = set()

    def take_trial(self, record: TrialRecord) -> None:
        """Takes in a trial that was made, and not discarded."""
        self._bracket.count(1)
        if record.running:
            self._bracket.running[record.trial] = Running(record.rung, record.resource)
        elif record.ended and not record.kept:
            self._over.add(record.trial)
        elif record.resource > self._bracket.rungs[record.rung].resource:
            self._past[record.trial] = record.resource

    def take_result(self, record: RungRecord) -> None:
        """Takes in a rung result."""
        content = self._contents[record.rung]
        result = (self._bracket.key(record.metric), record.trial)
        content.results.append(result)
        self._bracket.count(0, entered=record.rung == 0)
        if record.promoted or result[0] == WORST:
            return
        if record.trial in self._over:
            content.left.add(record.trial)
        else:
            content.candidates.append(result)
            if record.trial in self._past:
                content.overshoot[record.trial] = self._past[record.trial]

    def finish(self) -> None:
        """Hands the results over to the rungs."""
        for rung, content in zip(self._bracket.rungs, self._contents, strict=True):
            rung.load(content)
