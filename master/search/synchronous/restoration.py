"""Rebuilds a synchronous bracket from what a ledger recorded, in one pass and with no copy of the records."""

from __future__ import annotations

from ..asha import Running
from ..interface import RungRecord, TrialRecord
from ..rung import Result
from .bracket import SynchronousBracket
from .rung import BarrierContent


class SynchronousRestoration:
    """Fills a bracket with barriers."""

    def __init__(self, bracket: SynchronousBracket) -> None:
        self._bracket = bracket
        self._contents = [BarrierContent() for _ in bracket.rungs]
        #: Of paused trials, the resource at which they entered their last rung.
        self._resources: dict[int, int] = {}
        #: The last rung that each of them entered, its result there, and whether it was promoted.
        self._last: dict[int, tuple[int, Result, bool]] = {}

    def take_trial(self, record: TrialRecord) -> None:
        """Takes in a trial that was made, and not discarded."""
        self._bracket.created += 1
        if record.running:
            self._bracket.running[record.trial] = Running(record.rung, record.resource)
        elif not record.ended:
            self._resources[record.trial] = record.resource

    def take_result(self, record: RungRecord) -> None:
        """Takes in a rung result."""
        content, trial = self._contents[record.rung], record.trial
        result = (self._bracket.key(record.metric), trial)
        content.results.append(result)
        content.promoted += record.promoted
        if trial in self._resources and (trial not in self._last or self._last[trial][0] < record.rung):
            self._last[trial] = (record.rung, result, record.promoted)

    def finish(self) -> None:
        """Hands the results over to the rungs, and finds which of them have all their trials."""
        for trial, (k, result, promoted) in self._last.items():
            content, resource = self._contents[k], self._resources[trial]
            (content.queue if promoted else content.undecided).append(result)
            if resource > self._bracket.rungs[k].resource:
                content.past[trial] = resource
        for rung, content in zip(self._bracket.rungs, self._contents, strict=True):
            rung.load(content)
        self._bracket.expect()
        self._bracket.deciding += [k for k, rung in enumerate(self._bracket.rungs) if rung.all_in and rung.undecided]
