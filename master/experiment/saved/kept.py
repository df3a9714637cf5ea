"""Which checkpoints of an experiment stay: those that its trials may go on from, and those that its spec keeps.

A trial that starts from another's (PBT) pins that one: it stays, whatever becomes of its own trial, until the other has
one of its own or has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Protocol

from ....shared.wire.model import TrialState
from ....shared.wire.session import CheckpointRef
from ..changes import Changes, CheckpointRow, TrialRow
from ..essentials import Essentials


class Results(Protocol):
    """Where the best results of an experiment were measured."""

    def best_at(self, trial_id: int) -> int | None:
        """The resource of a trial's best result, as far as that is known; None before one."""
        ...

    def leads_at(self, trial_id: int) -> int | None:
        """The resource of the experiment's best result; None where that is another trial's."""
        ...


class KeptCheckpoints:
    """The checkpoints that are needed, by trial in the order of their resources, and what pins them."""

    def __init__(self, known: Essentials, results: Results) -> None:
        self._keep = known.keep
        self._keeps_best_result = known.keep == "best" and known.best_is == "any"
        self._results = results
        self.by_trial: dict[int, list[CheckpointRow]] = {}
        #: Of trials that have none of their own yet, the one of another from which they start.
        self.starts: dict[int, CheckpointRow] = {}
        #: How many trials start from a checkpoint, by its URI.
        self._pins: Counter[str] = Counter()
        #: Trials that need none any more, and of whose others start.
        self._given_up: set[int] = set()

    def restore(self, rows: Iterable[CheckpointRow], trials: Iterable[TrialRow]) -> None:
        """Takes up what the ledger has."""
        by_uri: dict[str, CheckpointRow] = {}
        for row in rows:
            self.by_trial.setdefault(row.trial_id, []).append(row)
            by_uri[row.uri] = row
        for kept in self.by_trial.values():
            kept.sort(key=_order)
        failed: set[int] = set()
        for trial in trials:
            if trial.start_uri in by_uri:
                self.pin(trial.trial_id, by_uri[trial.start_uri])
            if trial.state in (TrialState.FAILED, TrialState.DISCARDED):
                failed.add(trial.trial_id)
        self._given_up = failed & {row.trial_id for row in self.starts.values()}

    def offered(self, trial: TrialRow) -> list[CheckpointRow]:
        """What a trial may go on from, best first: its own, or before it has one what it starts from, with what is left
        of its parent's for when that is broken."""
        own = self.by_trial.get(trial.trial_id)
        if own:
            return own[::-1]
        start = self.starts.get(trial.trial_id)
        if start is None or trial.parent is None:
            return []
        below = start_limit(trial)
        others = (row for row in reversed(self.by_trial.get(trial.parent, ())) if row.resource < below)
        return [start, *(row for row in others if row is not start)]

    def refs(self, trial: TrialRow) -> tuple[CheckpointRef, ...]:
        """The same as a worker is told of them."""
        return tuple(CheckpointRef(row.uri, row.resource, row.checksum) for row in self.offered(trial))

    def saved_at(self, trial: TrialRow) -> int:
        """The resource of the checkpoint that it would go on from; 0 for none."""
        offered = self.offered(trial)
        return offered[0].resource if offered else 0

    def latest(self, trial_id: int, below: int) -> CheckpointRow | None:
        """The latest from which another trial may start, below its target: of a trial that has none of its own, the one
        from which it starts itself."""
        own = [row for row in self.by_trial.get(trial_id, ()) if row.resource < below]
        last = own[-1] if own else self.starts.get(trial_id)
        return last if last is not None and last.resource < below else None

    def find(self, uri: str, trials: Iterable[int]) -> CheckpointRow | None:
        """One of these trials' by its URI."""
        return next((row for trial_id in trials for row in self.by_trial.get(trial_id, ()) if row.uri == uri), None)

    def pin(self, trial_id: int, row: CheckpointRow) -> None:
        """A trial that has none of its own starts from this one."""
        self.starts[trial_id] = row
        self._pins[row.uri] += 1

    def release(self, trial_id: int, now: float, changes: Changes) -> None:
        """The trial does not start from another's any more."""
        row = self.starts.pop(trial_id, None)
        if row is None:
            return
        self._pins[row.uri] -= 1
        if self._pins[row.uri] == 0:
            del self._pins[row.uri]
            if row.trial_id in self._given_up:
                self.give_up(row.trial_id, now, changes)
            else:
                self._trim(row.trial_id, now, changes)

    def add(self, row: CheckpointRow, now: float, changes: Changes) -> None:
        """A checkpoint was saved. The one before stays, for when this one turns out to be broken; older ones go."""
        changes.new_checkpoints.append(row)
        kept = self.by_trial.setdefault(row.trial_id, [])
        kept.append(row)
        kept.sort(key=_order)
        self._trim(row.trial_id, now, changes)

    def _trim(self, trial_id: int, now: float, changes: Changes) -> None:
        kept = self.by_trial.get(trial_id, [])
        # The model of the best result stays where that of the experiment's best is kept.
        best = self._results.best_at(trial_id) if self._keeps_best_result else None
        for row in [row for row in kept[:-2] if row.resource != best and row.uri not in self._pins]:
            kept.remove(row)
            _drop(row, now, changes)

    def give_up(self, trial_id: int, now: float, changes: Changes) -> None:
        """The trial needs none any more. What the spec keeps stays: all, or the model of the best result."""
        if self._keep == "all":
            return
        leads = self._results.leads_at(trial_id) if self._keeps_best_result else None
        rows = self.by_trial.pop(trial_id, [])
        pinned = [row for row in rows if row.uri in self._pins]
        (self._given_up.add if pinned else self._given_up.discard)(trial_id)
        if stay := [row for row in rows if row.resource == leads or row in pinned]:
            self.by_trial[trial_id] = stay
        for row in rows:
            if row not in stay:
                _drop(row, now, changes)

    def give_up_broken(self, uris: Collection[str], trials: Iterable[int], now: float, changes: Changes) -> list[int]:
        """A worker found these checkpoints of these trials broken: none is offered again, or kept for a whole one.

        Gives the trials that would have started from them.
        """
        for trial_id in trials:
            rows = self.by_trial.pop(trial_id, [])
            if whole := [row for row in rows if row.uri not in uris]:
                self.by_trial[trial_id] = whole
            for row in rows:
                if row.uri in uris:
                    _drop(row, now, changes)
        lost = [trial_id for trial_id, row in self.starts.items() if row.delete_time is not None]
        for trial_id in lost:
            del self._pins[self.starts.pop(trial_id).uri]
        return lost

    def needless(self, needed: Collection[int | None], completed: Collection[int]) -> list[int]:
        """Whose go once the experiment has ended: of all trials but the ones `needed`, and unless only the best is kept
        those that were trained in full."""
        if self._keep == "all":
            return []
        stay = {*needed, *(completed if self._keep == "promotable" else ())}
        return [trial_id for trial_id in self.by_trial if trial_id not in stay]


def start_limit(trial: TrialRow) -> int:
    """Below which resource lies what it may start from of another's: its target, and once it has trained what it has
    reached, so that its own training is not forgotten."""
    return min(trial.target, trial.resource) if trial.resource > trial.start_resource else trial.target


def _order(row: CheckpointRow) -> tuple[int, int, int]:
    return row.resource, row.token, row.sequence


def _drop(row: CheckpointRow, now: float, changes: Changes) -> None:
    row.delete_time = now
    changes.unneeded_checkpoints[row.uri] = now
