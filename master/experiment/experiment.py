"""One experiment: a searcher with trials, leases and failure counting around it, as a pure state machine.

Events come in with the time at which they happened; what changed goes into the batch; what must be told to workers
comes back.
Nothing here may be shown outside before the batch is committed.
"""

from __future__ import annotations

from collections import deque
from itertools import chain

from ...shared.metric_goal import reaches
from ...shared.text.failure_text import summary
from ...shared.wire.model import ExperimentState, LeaseRef, TrialState
from ...shared.wire.session import (
    CheckpointSaved,
    Decision,
    DecisionKind,
    Exit,
    ExitOutcome,
    LeaseEvent,
    LeaseLost,
    Measurement,
)
from ..search.interface import Action, SearchDecision, Step, Train
from .changes import LeaseRow, TrialRow
from .entries import Answer, Holder, decision_on, failure_of, lies_in_its_part, new_lease, verdict_data
from .first_attempts import FirstAttempts
from .life.early_end import early_end
from .next_trial import NextTrial
from .records import Batch, ExperimentRecords
from .saved.starts import drop_broken, find_start, waits
from .setup import ExperimentSetup


class LiveExperiment:
    """Trials and leases around a searcher. Begun, restored and ended by `life/lifecycle.py`."""

    def __init__(self, records: ExperimentRecords, setup: ExperimentSetup) -> None:
        self.records = records
        self.spec = setup.spec
        self.searcher = setup.searcher
        self.next_trial = NextTrial(setup.draw, len(setup.spec.first_trials), setup.explore, setup.spec.sampler)
        #: Trials that have a target and no lease, in the order in which they are handed out.
        self.ready: deque[int] = deque()
        #: Of trials whose training code failed, the session in which it did last.
        self._failed_in: dict[int, str] = {}
        #: The last error of training code, for the experiment's own failure.
        self.last_error = ""
        self._first_attempts = FirstAttempts(setup.spec.fail_fast)
        #: Whether a checkpoint of it was saved, as far as is known.
        self.saved = bool(records.checkpoints.by_trial)
        #: Whether one of them lies in the database's own part of the storage.
        self.storage_used = any(map(lies_in_its_part, chain.from_iterable(records.checkpoints.by_trial.values())))
        #: Why the search cannot go on, once that is known.
        self.hopeless = ""
        #: Whether its searcher, asked last, had no work but decisions about trials that wait: it may have more.
        self.deciding = False

    @property
    def experiment_id(self) -> int:
        """Its number."""
        return self.records.experiment_id

    @property
    def active(self) -> bool:
        """Whether trials are handed out."""
        return self.records.state is ExperimentState.ACTIVE

    @property
    def slots_in_use(self) -> int:
        """Slots that its held leases take."""
        return len(self.records.leases) * self.spec.resources.slots_per_trial

    @property
    def proven(self) -> bool:
        """Whether its code has shown anywhere that it can run."""
        return self.saved or self.records.row.resource_spent > 0

    def early_end(self, now: float) -> str:
        """Why the search ends before it has trained all that it may; nothing where it goes on."""
        return early_end(self.spec, self.records.row, self.records.ranking.lead, now)

    def _goes_on(self, now: float) -> bool:
        return self.active and not self.early_end(now)

    def prepare(self, batch: Batch) -> bool:
        """Whether a trial is ready to be handed out; asks the searcher for one if none is."""
        if not self._goes_on(batch.now):
            return False
        while self._place() is None:
            if not self._search(batch):
                return False
        return True

    def _search(self, batch: Batch) -> bool:
        """Asks the searcher what to train; whether there is anything."""
        self.deciding = False
        if self.records.trials_left and self.searcher.draws and not self.next_trial.drawn():
            # It may want a new trial, and then the hyperparameters must be there.
            self.hopeless = self.hopeless or self.next_trial.failure
            return False
        if self.next_trial.lacks_hparams(self.searcher) and len(self.records.awaiting) >= self.next_trial.requests:
            return False
        step = self.searcher.next()
        self.records.apply(step.effects, batch)
        self._settle_others(step, batch)
        if not isinstance(step.answer, Train):
            if step.decisions:
                self.deciding = batch.changes.deciding[self.experiment_id] = True
            return False
        self._target(step.answer, batch)
        return True

    def _target(self, train: Train, batch: Batch) -> None:
        """The searcher wants this trial trained: it is ready now, or as soon as its lease has ended."""
        if train.new:
            given = self.next_trial.take(train, self.records.hparams_of(train.parent))
            self.records.create_trial(train, given, batch)
            if given is not None and not given.drawn:
                self.records.note("trial_sampled", train.trial, given.told, batch)
        else:
            trial = self.records.trials[train.trial]
            before = trial.state_reason
            trial.rung_id, trial.target = train.rung, train.target
            self.records.move_trial(trial, TrialState.PENDING, f"promoted to rung {train.rung}", batch)
            self.records.note("promoted", train.trial, {"rung": train.rung, "target": train.target}, batch)
            if self._cannot_go_on(trial):
                self._fail_for_good(trial, before, batch)
                return
        if train.trial not in self.records.leases and train.trial not in self.records.awaiting:
            self.ready.append(train.trial)

    def assign(self, holder: Holder, request_id: str, batch: Batch) -> LeaseRow | None:
        """Gives the next trial to a worker under a new lease; None where nothing can be trained now."""
        if not self.prepare(batch):
            return None
        trial = self.records.trials[self._take(holder, batch)]
        find_start(self.records, trial, batch)
        trial.token += 1
        if trial.token == 1 and not self.proven:
            self._first_attempts.begun(trial.trial_id)
        self.records.move_trial(trial, TrialState.RUNNING, f"trained by {holder.worker}", batch)
        slots, saved_at = self.spec.resources.slots_per_trial, self.records.checkpoints.saved_at(trial)
        lease = new_lease(trial, holder, request_id, slots=slots, from_resource=saved_at, now=batch.now)
        self.records.open_lease(lease, batch)
        return lease

    def _take(self, holder: Holder, batch: Batch) -> int:
        """The first in line, but what failed on this worker only where there is nothing else: the worker may be to
        blame, and on another one the trial shows whether it was.

        Before anything was reported, what failed anywhere waits for what was never tried: the code may be to blame, and
        other trials show that sooner.
        """
        place = self._place(holder)
        if place is None and (self._doubtful or not holder.alone):
            self._search(batch)
            place = self._place(holder)
        place = self._place() or 0 if place is None else place
        trial_id = self.ready[place]
        del self.ready[place]
        self._failed_in.pop(trial_id, None)
        return trial_id

    @property
    def _doubtful(self) -> bool:
        return bool(self.spec.fail_fast) and not self.proven

    def _place(self, holder: Holder | None = None) -> int | None:
        """The place of the first that need not wait and did not fail on this worker; in doubt, that did not at all."""
        doubtful = self._doubtful
        for place, trial_id in enumerate(self.ready):
            failed_in = self._failed_in.get(trial_id)
            may = holder is None or failed_in is None or (failed_in != holder.session_id and not doubtful)
            if may and not waits(self.records, self.records.trials[trial_id]):
                return place
        return None

    def held(self, ref: LeaseRef, session_id: str) -> LeaseRow | None:
        """The lease, if it is this session's and still held."""
        lease = self.records.leases.get(ref.trial_id)
        if lease is None or lease.token != ref.token or lease.session_id != session_id:
            return None
        return lease

    def record(self, event: LeaseEvent, session_id: str, batch: Batch) -> Answer | LeaseLost:
        """Takes in what happened under a lease: once, in sequence, and only from the one who holds it."""
        lease = self.held(event.lease, session_id)
        if lease is None:
            return LeaseLost(event.lease, "the lease has ended or was given to another worker")
        if event.sequence != lease.last_sequence + 1:
            repeated = event.sequence <= lease.last_sequence and event.sequence == lease.decision_sequence
            return Answer(lease.last_sequence, self.decision_of(lease) if repeated else None)
        lease.last_sequence = event.sequence
        trial = self.records.trials[event.lease.trial_id]
        if event.broken_checkpoints:
            data = {"worker": lease.worker, "token": lease.token, "reason": event.broken_checkpoints}
            if event.broken_uris:
                data["uris"] = list(event.broken_uris)
            self.records.note("checkpoint_broken", trial.trial_id, data, batch)
            drop_broken(self.records, trial, event.broken_uris, event.started_from, batch)
        decision = None
        if isinstance(event.event, Measurement):
            self.records.add_report(trial, event.lease, event.sequence, event.event, batch)
            decision = self._measured(trial, lease, event.event, batch)
        elif isinstance(event.event, CheckpointSaved):
            self.records.add_checkpoint(trial, event.lease, event.sequence, event.event, batch)
            self.saved = self.storage_used = True
            self._trust(trial, batch)
        else:
            self._exited(trial, lease, event.event, batch)
        return Answer(event.sequence, decision)

    def _trust(self, trial: TrialRow, batch: Batch) -> None:
        """The trial came on, so it is not what takes its workers down."""
        if trial.workers_lost:
            trial.workers_lost = 0
            self.records.touch_trial(trial, batch)

    def _measured(self, trial: TrialRow, lease: LeaseRow, report: Measurement, batch: Batch) -> Decision | None:
        metric = report.metrics.get(self.spec.metric.name)
        if trial.state != TrialState.RUNNING:
            return None
        if report.resource < trial.target:
            if not reaches(metric, self.spec.stop.metric, self.spec.metric.goal):
                return None
            # Its training waits for this, so that its model is the one that is saved.
            return self.tell(lease, DecisionKind.PAUSE, self.early_end(batch.now), batch, lease.last_sequence)
        if metric is None:
            return self._report_without_metric(trial, lease, report, batch)
        step = self.searcher.report(trial.trial_id, report.resource, metric)
        assert isinstance(step.answer, SearchDecision)
        self.records.apply(step.effects, batch)
        data = verdict_data(trial, step.answer, report.resource, metric)
        self.records.note("decision", trial.trial_id, data, batch)
        self._carry_out(step.answer, batch)
        self._settle_others(step, batch)
        return self._decide(lease, step.answer, batch)

    def _report_without_metric(
        self, trial: TrialRow, lease: LeaseRow, report: Measurement, batch: Batch
    ) -> Decision | None:
        have = ", ".join(sorted(report.metrics)) or "none"
        why = f"the report at its target lacks the metric {self.spec.metric.name!r} (it has: {have})"
        self._fail_for_good(trial, why, batch)
        return self.tell(lease, DecisionKind.STOP, why, batch)

    def _decide(self, lease: LeaseRow, verdict: SearchDecision, batch: Batch) -> Decision:
        lease.save = verdict.save
        if verdict.action is Action.CONTINUE:
            assert verdict.target is not None
            lease.target = verdict.target
            if not self._goes_on(batch.now):
                why = self.early_end(batch.now) or "the experiment is paused"
                return self.tell(lease, DecisionKind.PAUSE, why, batch, lease.last_sequence)
        return self.tell(lease, DecisionKind(verdict.action.value), verdict.reason, batch, lease.last_sequence)

    def tell(self, lease: LeaseRow, kind: DecisionKind, reason: str, batch: Batch, sequence: int = 0) -> Decision:
        """Decides about a held lease; `sequence` is the measurement that it answers, 0 for none."""
        lease.decision, lease.decision_sequence = kind.value, sequence
        self.records.touch_lease(lease, batch)
        return decision_on(lease, self.records.trials[lease.trial_id], reason)

    def decision_of(self, lease: LeaseRow) -> Decision | None:
        """The last decision of a lease, to be given again after an interruption."""
        return decision_on(lease, self.records.trials[lease.trial_id]) if lease.decision else None

    def _settle_others(self, step: Step, batch: Batch) -> None:
        """Writes what an event decided about other, paused trials, after its own: a replay meets them in this order."""
        for verdict in step.decisions:
            trial = self.records.trials[verdict.trial]
            data = verdict_data(trial, verdict, trial.metric_resource, trial.metric)
            self.records.note("passed", trial.trial_id, data, batch)
            self._carry_out(verdict, batch)

    def _carry_out(self, verdict: SearchDecision, batch: Batch) -> None:
        """Does to a trial what was decided about it."""
        trial = self.records.trials[verdict.trial]
        state = TrialState(trial.state)
        if verdict.action is Action.CONTINUE:
            trial.target = verdict.target or trial.target
        elif verdict.action is Action.PAUSE:
            state = TrialState.PAUSED
        else:
            state = TrialState.COMPLETED if verdict.completed else TrialState.STOPPED
        if trial.state == state:
            trial.state_reason = verdict.reason
            self.records.touch_trial(trial, batch)
        else:
            self.records.move_trial(trial, state, verdict.reason, batch)

    def _exited(self, trial: TrialRow, lease: LeaseRow, end: Exit, batch: Batch) -> None:
        self.records.close_lease(lease, end.outcome.value, end.error, batch)
        if trial.state == TrialState.RUNNING:
            self._ended_early(trial, lease, end, batch)
            return
        if end.outcome is ExitOutcome.FAILED:
            self._failed_after_result(trial, end.error, batch)
        if trial.state == TrialState.PENDING:
            self.ready.append(trial.trial_id)

    def _failed_after_result(self, trial: TrialRow, error: str, batch: Batch) -> None:
        """Its code failed once the searcher had its result, as where its checkpoint was refused: the result stands,
        and it counts; after its last restart the trial is not trained again."""
        trial.restarts += 1
        self.last_error = error
        if not TrialState(trial.state).ended:
            trial.state_reason = failure_of(trial, error)
        self.records.touch_trial(trial, batch)
        if trial.state == TrialState.PENDING and self._cannot_go_on(trial):
            self._fail_for_good(trial, trial.state_reason, batch)

    def _cannot_go_on(self, trial: TrialRow) -> bool:
        """Whether a promoted trial would have to repeat training, and has no restart left for it."""
        return self._worn_out(trial) and self.records.checkpoints.saved_at(trial) < trial.metric_resource

    def _worn_out(self, trial: TrialRow) -> bool:
        """Whether it has failed as often as it may be restarted, and once more."""
        return trial.restarts > self.spec.max_restarts

    def _ended_early(self, trial: TrialRow, lease: LeaseRow, end: Exit, batch: Batch) -> None:
        """A running trial's lease ended before the searcher had its result."""
        if end.outcome is ExitOutcome.INVALID_HPARAMS:
            self._discard(trial, end.error, batch)
        elif end.outcome is ExitOutcome.CANNOT_START:
            self._requeue(trial, f"{lease.worker} cannot start it: {summary(end.error)}", batch)
        elif end.outcome is ExitOutcome.ENVIRONMENT:
            self._requeue(trial, f"{lease.worker} could not run it for the moment: {summary(end.error)}", batch)
        elif end.outcome is ExitOutcome.WORKER_FAULT:
            self._worker_lost(trial, f"its worker could not run it: {end.error}", batch)
        elif end.outcome is ExitOutcome.FAILED:
            self._training_failed(trial, lease.session_id, end.error, batch)
        else:
            self._requeue(trial, "given back by its worker", batch)

    def _requeue(self, trial: TrialRow, reason: str, batch: Batch) -> None:
        """A trial that was begun goes before new ones."""
        self.records.move_trial(trial, TrialState.PENDING, reason, batch)
        self.ready.appendleft(trial.trial_id)

    def _training_failed(self, trial: TrialRow, session_id: str, error: str, batch: Batch) -> None:
        trial.restarts += 1
        self.last_error = error
        if not self.proven:
            self.hopeless = self._first_attempts.failed(trial.trial_id, error)
        if self._worn_out(trial):
            self._fail_for_good(trial, failure_of(trial, error), batch)
        else:
            self._failed_in[trial.trial_id] = session_id
            left = self.spec.max_restarts - trial.restarts
            self._requeue(trial, f"failed, to be restarted ({left} restarts left): {summary(error)}", batch)

    def _worker_lost(self, trial: TrialRow, why: str, batch: Batch) -> None:
        trial.workers_lost += 1
        if trial.workers_lost > self.spec.max_workers_lost:
            count = trial.workers_lost
            why = (
                f"{count} workers were lost with it or could not run it, so the cause may be the trial; the last: {why}"
            )
            self._fail_for_good(trial, why, batch)
        else:
            self._requeue(trial, why, batch)

    def _fail_for_good(self, trial: TrialRow, reason: str, batch: Batch) -> None:
        self.last_error = self.last_error or reason
        self._first_attempts.dropped(trial.trial_id)
        step = self.searcher.fail(trial.trial_id)
        self._give_up(trial, TrialState.FAILED, reason, step, batch)

    def _discard(self, trial: TrialRow, reason: str, batch: Batch) -> None:
        self._first_attempts.dropped(trial.trial_id)
        step = self.searcher.discard(trial.trial_id)
        state = TrialState.FAILED if step.enters(trial.trial_id) else TrialState.DISCARDED
        if state is TrialState.DISCARDED:
            self.records.uncount_created(trial.bracket_id, batch)
        self._give_up(trial, state, f"invalid hyperparameters: {reason}", step, batch)
        self.last_error = reason

    def _give_up(self, trial: TrialRow, state: TrialState, reason: str, step: Step, batch: Batch) -> None:
        """Ends a trial that failed or was discarded, and writes what the searcher made of that."""
        self.records.apply(step.effects, batch)
        self.records.move_trial(trial, state, reason, batch)
        self.records.note("trial_" + state.value, trial.trial_id, {"reason": reason}, batch)
        self.records.drop_checkpoints(trial.trial_id, batch)
        self._settle_others(step, batch)

    def expire(self, ref: LeaseRef, batch: Batch) -> None:
        """The holder gave no sign of life for too long: the lease ends, and its trial is handed out again."""
        lease = self.records.leases.get(ref.trial_id)
        if lease is None or lease.token != ref.token:
            return
        trial = self.records.trials[ref.trial_id]
        self.records.close_lease(lease, "expired", "", batch)
        if trial.state == TrialState.RUNNING:
            self._worker_lost(trial, f"its worker {lease.worker} was lost", batch)
        elif trial.state == TrialState.PENDING:
            self.ready.append(trial.trial_id)
