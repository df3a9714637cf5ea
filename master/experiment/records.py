"""The rows of one experiment in memory, and the only place that changes them.

The rows are the state: what is here is what the ledger will hold once the batch is committed. Every change is
noted in the batch's `Changes`, so that nothing can be changed in memory and forgotten on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...shared.checkpoints.storage import address_in
from ...shared.limits import MAX_TOTAL
from ...shared.wire.model import ExperimentState, LeaseRef, TrialState
from ...shared.wire.session import CheckpointSaved, Measurement
from ..search.interface import BracketPlan, Effect, Entered, Goal, Promoted, Train
from .changes import (
    BracketRow,
    Changes,
    CheckpointRow,
    EventRow,
    ExperimentRow,
    LeaseRow,
    ReportRow,
    RungResultRow,
    RungRow,
    TrialRow,
)
from .essentials import essentials
from .next_trial import SampledHparams
from .ranks import Ranking
from .saved.kept import KeptCheckpoints
from .states import check_experiment_move, check_trial_move

#: Why a trial is pending that has no hyperparameters yet.
WAITS_FOR_HPARAMS = "waits for its hyperparameters"


@dataclass(slots=True)
class Batch:
    """What one step of the master changes, and when it happens (seconds since the epoch, for people only)."""

    changes: Changes
    now: float


class ExperimentRecords:
    """Live trials, held leases, rungs and needed checkpoints of one experiment. Trials that cannot go on leave it."""

    def __init__(self, row: ExperimentRow, goal: Goal) -> None:
        self.row = row
        self.goal = goal
        self.brackets: dict[int, BracketRow] = {}
        self.rungs: dict[tuple[int, int], RungRow] = {}
        self.trials: dict[int, TrialRow] = {}
        self.leases: dict[int, LeaseRow] = {}
        #: Trials that wait for their hyperparameters, lowest first.
        self.awaiting: dict[int, None] = {}
        self.completed: set[int] = set()
        #: Trials that its brackets may still create.
        self.trials_left = 0
        self._sign = goal.sign
        known = essentials(row.spec)
        self._metric, self._storage = known.metric, known.storage
        self._stop_metric, self.inherits = known.stop_metric, known.inherits
        self.ranking = Ranking(self.trials, goal, known.best_is)
        self.checkpoints = KeptCheckpoints(known, self.ranking)

    @property
    def experiment_id(self) -> int:
        """The experiment's number."""
        return self.row.experiment_id

    @property
    def state(self) -> ExperimentState:
        """Where the experiment stands."""
        return ExperimentState(self.row.state)

    def add_brackets(self, plan: Iterable[BracketPlan], batch: Batch) -> None:
        """Writes the plan's brackets and rungs, empty."""
        for b, bracket in enumerate(plan):
            row = BracketRow(self.experiment_id, b, bracket.max_trials, bracket.max_concurrent_trials, 0)
            self.brackets[b] = row
            self.trials_left += row.max_trials
            batch.changes.new_brackets.append(row)
            for k, resource in enumerate(bracket.rungs):
                rung = RungRow(self.experiment_id, b, k, resource, 0, 0, 0, None)
                self.rungs[b, k] = rung
                batch.changes.new_rungs.append(rung)

    def replan(self, plan: Iterable[BracketPlan], batch: Batch) -> None:
        """Writes how many trials each bracket makes in all and trains at once from now on."""
        for b, bracket in enumerate(plan):
            batch.changes.brackets[self.experiment_id, b] = row = self.brackets[b]
            self.trials_left += bracket.max_trials - row.max_trials
            row.max_trials, row.max_concurrent_trials = bracket.max_trials, bracket.max_concurrent_trials

    def move(self, state: ExperimentState, reason: str, batch: Batch) -> None:
        """Takes the experiment to another state and journals it."""
        check_experiment_move(self.experiment_id, self.state, state)
        self.row.state, self.row.state_reason = state.value, reason
        self.row.end_time = batch.now if state.ended else None
        if state.ended and self.row.max_trials is not None:
            # What stopped at its last end, and could have gone on, cannot now.
            for trial_id in list(self.trials):
                self._forget_if_over(trial_id)
        self.touch(batch)
        self.note("experiment_" + state.value, None, {"reason": reason}, batch)

    def touch(self, batch: Batch) -> None:
        """Notes that the experiment's own row has changed."""
        batch.changes.experiments[self.experiment_id] = self.row

    def touch_trial(self, trial: TrialRow, batch: Batch) -> None:
        """Notes that a trial has changed."""
        batch.changes.trials[self.experiment_id, trial.trial_id] = trial

    def touch_lease(self, lease: LeaseRow, batch: Batch) -> None:
        """Notes that a lease has changed."""
        batch.changes.leases[self.experiment_id, lease.trial_id, lease.token] = lease

    def note(self, kind: str, trial_id: int | None, data: Mapping[str, Any], batch: Batch) -> None:
        """Adds a journal entry."""
        batch.changes.new_events.append(EventRow(self.experiment_id, trial_id, batch.now, kind, data))

    def hparams_of(self, parent: int | None) -> Mapping[str, Any] | None:
        """The hyperparameters of a trial after which another is to take; None where there is none, or it has ended."""
        trial = None if parent is None else self.trials.get(parent)
        return None if trial is None else trial.hparams

    def create_trial(self, train: Train, given: SampledHparams | None, batch: Batch) -> None:
        """Adds a pending trial; it waits for its hyperparameters where none are given. They go to the ledger, and are
        kept only where others may inherit them.

        One that has a parent starts from the latest checkpoint of that, and where there is none from nothing.
        """
        trial_id, bracket = train.trial, train.bracket
        start = None if train.parent is None else self.checkpoints.latest(train.parent, train.target)
        resource = 0 if start is None else start.resource
        hparams, origin = (None, "") if given is None else (given.hparams, given.origin)
        trial = TrialRow(
            self.experiment_id,
            trial_id,
            TrialState.PENDING.value,
            WAITS_FOR_HPARAMS if given is None else "new",
            bracket,
            rung_id=train.rung,
            resource=resource,
            target=train.target,
            metric=None,
            metric_resource=0,
            restarts=0,
            workers_lost=0,
            token=0,
            create_time=batch.now,
            end_time=None,
            origin=origin,
            hparams=hparams if self.inherits else None,
            parent=train.parent,
            start_resource=resource,
            start_uri="" if start is None else start.uri,
        )
        self.adopt(trial)
        if start is not None:
            self.checkpoints.pin(trial_id, start)
        batch.changes.new_trials.append(replace(trial, hparams=hparams))
        self._count(TrialState.PENDING, 1, batch)
        row = self.brackets[bracket]
        row.trials_created += 1
        self.trials_left -= 1
        batch.changes.brackets[self.experiment_id, bracket] = row
        taken_over = {} if train.parent is None else {"parent": train.parent, "from": resource}
        self.note("trial_created", trial_id, {"bracket": bracket, "target": train.target, **taken_over}, batch)

    def uncount_created(self, bracket: int, batch: Batch) -> None:
        """A discarded trial does not count toward its bracket's max_trials."""
        row = self.brackets[bracket]
        row.trials_created -= 1
        self.trials_left += 1
        batch.changes.brackets[self.experiment_id, bracket] = row

    def move_trial(self, trial: TrialRow, state: TrialState, reason: str, batch: Batch) -> None:
        """Takes a trial to another state; an ended one leaves once no lease is held on it."""
        start = TrialState(trial.state)
        check_trial_move(self.experiment_id, trial.trial_id, start, state)
        self._count(start, -1, batch)
        self._count(state, 1, batch)
        trial.state, trial.state_reason = state.value, reason
        trial.end_time = batch.now if state.ended else None
        if state is TrialState.DISCARDED:
            self.ranking.discount(trial)
        self.awaiting.pop(trial.trial_id, None)
        if state.ended:
            trial.hparams = None
            self._release(trial, batch)
        self._forget_if_over(trial.trial_id)
        self.touch_trial(trial, batch)

    def _release(self, trial: TrialRow, batch: Batch) -> None:
        """The trial does not start from another's checkpoint any more."""
        if trial.start_uri:
            trial.start_uri = ""
            self.checkpoints.release(trial.trial_id, batch.now, batch.changes)
            self.touch_trial(trial, batch)

    def _count(self, state: TrialState, change: int, batch: Batch) -> None:
        self.row.counts[state.value] = self.row.counts.get(state.value, 0) + change
        self.touch(batch)

    def _forget_if_over(self, trial_id: int) -> None:
        trial = self.trials.get(trial_id)
        if trial is not None and trial_id not in self.leases and TrialState(trial.state).ended:
            del self.trials[trial_id]
            self.remember(trial)

    def remember(self, trial: TrialRow) -> None:
        """Keeps the little that is needed of a trial that has ended."""
        if trial.state == TrialState.COMPLETED:
            self.completed.add(trial.trial_id)
        self.ranking.remember(trial)

    def adopt(self, trial: TrialRow) -> None:
        """Takes up a trial that goes on."""
        self.trials[trial.trial_id] = trial
        if not trial.origin and trial.state == TrialState.PENDING:
            self.awaiting[trial.trial_id] = None
        self.ranking.adopt(trial)

    def open_lease(self, lease: LeaseRow, batch: Batch) -> None:
        """Records a new lease as held."""
        self.leases[lease.trial_id] = lease
        batch.changes.new_leases.append(lease)
        data = {"token": lease.token, "worker": lease.worker, "from": lease.from_resource, "target": lease.target}
        self.note("assigned", lease.trial_id, data, batch)

    def close_lease(self, lease: LeaseRow, outcome: str, error: str, batch: Batch) -> None:
        """Ends a lease; from now on its token is worth nothing."""
        lease.end_time, lease.outcome, lease.error = batch.now, outcome, error
        del self.leases[lease.trial_id]
        # While a lease is held its reports tell how far the trial came; from now on the trial's own row has to.
        self.touch_trial(self.trials[lease.trial_id], batch)
        self.touch_lease(lease, batch)
        data = {"token": lease.token, "worker": lease.worker, "outcome": outcome} | ({"error": error} if error else {})
        self.note("lease_ended", lease.trial_id, data, batch)
        self._forget_if_over(lease.trial_id)

    def add_report(self, trial: TrialRow, ref: LeaseRef, sequence: int, report: Measurement, batch: Batch) -> None:
        """Records a measurement; training that was repeated after a loss is spent once."""
        batch.changes.new_reports.append(ReportRow(*ref, sequence, report.resource, report.metrics, batch.now))
        if report.resource > trial.resource:
            self.row.resource_spent = min(self.row.resource_spent + report.resource - trial.resource, MAX_TOTAL)
            trial.resource = report.resource
            self.touch(batch)
        metric = report.metrics.get(self._metric)
        if metric is not None and trial.improve(metric, report.resource, self._sign) and self.ranking.improved(trial):
            self.touch_trial(trial, batch)

    def write_bests(self, batch: Batch) -> None:
        """Writes the trials whose best has changed since the last time."""
        for trial in self.ranking.unwritten():
            self.touch_trial(trial, batch)

    def add_checkpoint(
        self, trial: TrialRow, ref: LeaseRef, sequence: int, saved: CheckpointSaved, batch: Batch
    ) -> None:
        """Records a checkpoint, once: the worker says the path, and the spec where that begins."""
        uri = address_in(self._storage, saved.path)
        if any(row.uri == uri for row in self.checkpoints.by_trial.get(trial.trial_id, ())):
            return
        row = CheckpointRow(
            *ref, sequence, uri, saved.resource, saved.size_bytes, saved.checksum, create_time=batch.now
        )
        self.checkpoints.add(row, batch.now, batch.changes)
        self._release(trial, batch)
        if trial.state in (TrialState.FAILED, TrialState.DISCARDED):
            self.drop_checkpoints(trial.trial_id, batch)

    def drop_checkpoints(self, trial_id: int, batch: Batch) -> None:
        """The trial needs no checkpoint any more. What the spec keeps stays, and what others start from."""
        self.checkpoints.give_up(trial_id, batch.now, batch.changes)

    def needless(self) -> list[int]:
        """Whose checkpoints go once the experiment has ended, however it did: of all but the best trial, the one that
        reached the metric asked for, and unless only those are kept all that were trained in full."""
        return self.checkpoints.needless(self.ranking.needed(self._stop_metric), self.completed)

    def apply(self, effects: Iterable[Effect], batch: Batch) -> None:
        """Writes what the searcher changed in its rungs."""
        for effect in effects:
            if isinstance(effect, Entered):
                self._enter(effect, batch)
            else:
                self._promote(effect, batch)

    def _enter(self, entered: Entered, batch: Batch) -> None:
        rung = self.rungs[entered.bracket, entered.rung]
        rung.entered += 1
        if entered.metric is None:
            rung.failed += 1
        elif rung.best_metric is None or self._sign * entered.metric < self._sign * rung.best_metric:
            rung.best_metric = entered.metric
        ids = (self.experiment_id, entered.bracket, entered.rung)
        batch.changes.rungs[ids] = rung
        batch.changes.new_results.append(
            RungResultRow(*ids, entered.trial, entered.resource, entered.metric, promoted=False, enter_time=batch.now)
        )
        trial = self.trials[entered.trial]
        trial.rung_id, trial.metric, trial.metric_resource = entered.rung, entered.metric, entered.resource
        trial.workers_lost = 0
        self.touch_trial(trial, batch)

    def _promote(self, promoted: Promoted, batch: Batch) -> None:
        ids = (self.experiment_id, promoted.bracket, promoted.rung)
        rung = self.rungs[promoted.bracket, promoted.rung]
        rung.promoted += 1
        batch.changes.rungs[ids] = rung
        batch.changes.promoted.append((*ids, promoted.trial))
        trial = self.trials[promoted.trial]
        trial.rung_id = promoted.rung + 1
        trial.target = self.rungs[promoted.bracket, promoted.rung + 1].resource
        self.touch_trial(trial, batch)

    def check(self) -> None:
        """Raises AssertionError where they contradict each other."""
        counts = dict.fromkeys(TrialState, 0)
        for trial in self.trials.values():
            counts[TrialState(trial.state)] += 1
        for state in TrialState:
            if not state.ended:
                assert self.row.counts.get(state.value, 0) == counts[state], f"{state}: {self.row.counts} {counts}"
        for trial_id, lease in self.leases.items():
            assert lease.end_time is None, f"an ended lease of trial {trial_id} is still held"
            assert lease.token == self.trials[trial_id].token
        running = {t.trial_id for t in self.trials.values() if t.state == TrialState.RUNNING}
        assert running <= self.leases.keys(), f"running without a lease: {running - self.leases.keys()}"
