"""How an experiment begins, is restored, is steered by people, and ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Mapping

from ....shared.errors import FailedPrecondition
from ....shared.limits import MAX_TOTAL
from ....shared.space.space import DRAW_RULES
from ....shared.spec.settings import ExperimentSettings
from ....shared.spec.spec import SPEC_RULES, spec_to_json
from ....shared.text.failure_text import summary
from ....shared.wire.model import SEARCH_ENDED, ExperimentState, LeaseRef, TrialState
from ....shared.wire.session import Decision, DecisionKind, LeaseLost
from ...search.interface import RULES, Goal, RungRecord, Searcher, TrialRecord, planned_trials
from ..changes import ExperimentRow, RungResultRow, StoredRows, TrialRow
from ..essentials import essentials
from ..experiment import LiveExperiment
from ..records import Batch, ExperimentRecords
from ..setup import NO_CODE, NOBODY, ExperimentSetup, Owner
from .ending import begin

#: At least this many discarded trials are borne before an experiment gives up; more where it makes more trials.
DISCARDS_BORNE = 100


def create(
    experiment_id: int,
    request_id: str,
    setup: ExperimentSetup,
    batch: Batch,
    code: Mapping[str, str] = NO_CODE,
    owner: Owner = NOBODY,
) -> LiveExperiment:
    """Begins an experiment; `code` is the fingerprint of its training code, for its journal, and `owner` who submitted
    it."""
    spec, searcher = setup.spec, setup.searcher
    row = ExperimentRow(
        experiment_id,
        spec.name,
        request_id,
        ExperimentState.ACTIVE.value,
        state_reason="",
        spec=spec_to_json(spec),
        create_time=batch.now,
        end_time=None,
        counts={state.value: 0 for state in TrialState},
        resource_spent=0,
        resource_full=min(searcher.expected_cost().full, MAX_TOTAL),
        draw_rules=DRAW_RULES,
        spec_rules=SPEC_RULES,
        owner=owner.name,
        owner_known_by=owner.known_by,
        **spec.settings.model_dump(),
    )
    batch.changes.new_experiments.append(row)
    records = ExperimentRecords(row, Goal(spec.metric.goal))
    records.add_brackets(searcher.plan, batch)
    known = {"code": dict(code)} if code else {}
    records.note("experiment_created", None, {"name": spec.name, "rules": RULES, **known}, batch)
    return LiveExperiment(records, setup)


def restore(stored_rows: StoredRows, setup: ExperimentSetup) -> LiveExperiment:
    """Takes an experiment up where the ledger says it stood."""
    row, searcher = stored_rows.row, setup.searcher
    kept = {checkpoint.trial_id for checkpoint in stored_rows.checkpoints}
    take_up(searcher, row, stored_rows.trials, stored_rows.results, kept)
    goes_on = row.max_trials is not None and not ExperimentState(row.state).ended
    records = restored_records(stored_rows, _waiting(searcher) if goes_on else frozenset())
    experiment = LiveExperiment(records, setup)
    experiment.next_trial.number = max((row.trial_id + 1 for row in stored_rows.trials), default=0)
    line_up(experiment)
    experiment.last_error = _last_error(stored_rows.trials)
    return experiment


def _waiting(searcher: Searcher) -> set[int]:
    """The trials that wait at rungs."""
    waiting: set[int] = set()
    searcher.keep_waiting(lambda trial: waiting.add(trial) is None)
    return waiting


def restored_records(stored_rows: StoredRows, waiting: Container[int] = frozenset()) -> ExperimentRecords:
    """An experiment's rows alone, without its search; its spec need not be readable. Of a search that was extended
    after its end, trials that stopped then are among the `waiting`, and may go on."""
    records = ExperimentRecords(stored_rows.row, essentials(stored_rows.row.spec).goal)
    records.brackets = {row.bracket_id: row for row in stored_rows.brackets}
    records.rungs = {(row.bracket_id, row.rung_id): row for row in stored_rows.rungs}
    records.leases = {row.trial_id: row for row in stored_rows.leases}
    records.trials_left = sum(row.max_trials - row.trials_created for row in stored_rows.brackets)
    records.checkpoints.restore(stored_rows.checkpoints, stored_rows.trials)
    for row in stored_rows.trials:
        if TrialState(row.state).ended and row.trial_id not in records.leases and row.trial_id not in waiting:
            records.remember(row)
        else:
            records.adopt(row)
    return records


def take_up(
    searcher: Searcher,
    row: ExperimentRow,
    trials: Iterable[TrialRow],
    results: Iterable[RungResultRow],
    kept: Container[int],
) -> None:
    """Has a fresh searcher go on where an experiment stands, of which the checkpoints of these trials are kept."""
    put_in_force(searcher, row)
    searcher.restore((trial_record(trial, trial.trial_id in kept) for trial in trials), map(rung_record, results))


def put_in_force(searcher: Searcher, row: ExperimentRow) -> None:
    """Gives a fresh searcher what was changed since the spec was written. Raises NotExtendable where it makes no more
    trials."""
    if row.max_trials is not None:
        searcher.extend(row.max_trials)
    searcher.limit(row.max_concurrent_trials)


def _last_error(trials: Iterable[TrialRow]) -> str:
    failed = (row for row in trials if row.state in (TrialState.FAILED, TrialState.DISCARDED))
    last = max(failed, key=lambda row: (row.end_time or 0.0, row.trial_id), default=None)
    return last.state_reason if last is not None else ""


def line_up(experiment: LiveExperiment) -> None:
    """Everything that waits to be handed out, in the order of the trials' numbers."""
    records = experiment.records
    pending = (row.trial_id for row in records.trials.values() if row.state == TrialState.PENDING)
    handed_out = records.leases.keys() | records.awaiting.keys()
    experiment.ready = deque(trial_id for trial_id in pending if trial_id not in handed_out)


def trial_record(row: TrialRow, kept: bool = False) -> TrialRecord:
    """A trial as a searcher takes it up; `kept` is whether a checkpoint of it is."""
    state = TrialState(row.state)
    return TrialRecord(
        row.trial_id,
        row.bracket_id,
        row.rung_id,
        row.metric_resource,
        running=state in (TrialState.PENDING, TrialState.RUNNING),
        ended=state.ended,
        discarded=state is TrialState.DISCARDED,
        kept=kept and state is TrialState.STOPPED,
        parent=row.parent,
    )


def rung_record(row: RungResultRow) -> RungRecord:
    """A rung result as a searcher takes it up."""
    return RungRecord(row.bracket_id, row.rung_id, row.trial_id, row.metric, row.promoted)


def pause(experiment: LiveExperiment, batch: Batch) -> list[tuple[str, Decision]]:
    """Hands out nothing more, and asks running trials back: decisions, each with the session it goes to.

    Raises FailedPrecondition where the experiment has ended.
    """
    _refuse_if_ended(experiment, "paused")
    if not experiment.active:
        return []
    experiment.records.move(ExperimentState.PAUSED, "paused by a person", batch)
    return _ask_back(experiment, "the experiment was paused", batch)


def resume(experiment: LiveExperiment, batch: Batch) -> None:
    """Hands out trials again. Raises FailedPrecondition where the experiment has ended."""
    _refuse_if_ended(experiment, "resumed")
    if not experiment.active:
        experiment.records.move(ExperimentState.ACTIVE, "", batch)


def change(experiment: LiveExperiment, changes: ExperimentSettings, batch: Batch) -> None:
    """Puts other settings in force, those of `changes` that are set. Raises FailedPrecondition where it has ended."""
    _refuse_if_ended(experiment, "changed")
    row = experiment.records.row
    changed = {
        name: value for name, value in changes.model_dump(exclude_unset=True).items() if getattr(row, name) != value
    }
    if not changed:
        return
    for name, value in changed.items():
        setattr(row, name, value)
    if "max_concurrent_trials" in changed:
        experiment.searcher.limit(row.max_concurrent_trials)
        experiment.records.replan(experiment.searcher.plan, batch)
    experiment.records.touch(batch)
    experiment.records.note("settings_changed", None, changed, batch)


def suspend(records: ExperimentRecords, reason: str, batch: Batch) -> list[tuple[str, LeaseLost]]:
    """Pauses an experiment whose search cannot be asked: its leases end, and what was trained is to be trained again
    from its last checkpoint. Gives the leases, each with its session."""
    lost: list[tuple[str, LeaseLost]] = []
    for lease in list(records.leases.values()):
        trial = records.trials[lease.trial_id]
        if trial.state == TrialState.RUNNING:
            records.move_trial(trial, TrialState.PENDING, "its experiment was paused", batch)
        ref = LeaseRef(records.experiment_id, lease.trial_id, lease.token)
        lost.append((lease.session_id, LeaseLost(ref, f"the experiment was paused: {reason}")))
        records.close_lease(lease, "cancelled", "", batch)
    if records.state is ExperimentState.ACTIVE:
        records.move(ExperimentState.PAUSED, reason, batch)
    else:
        records.row.state_reason = reason
        records.touch(batch)
        records.note("experiment_" + records.row.state, None, {"reason": reason}, batch)
    return lost


def cancel(experiment: LiveExperiment, batch: Batch) -> None:
    """Ends the experiment for good. Raises FailedPrecondition where it has ended."""
    _refuse_if_ended(experiment, "cancelled")
    begin(experiment, ExperimentState.CANCELLED, "cancelled by a person", batch)


def _refuse_if_ended(experiment: LiveExperiment, verb: str) -> None:
    if experiment.records.state.ended:
        raise FailedPrecondition(
            f"experiment {experiment.experiment_id} is {experiment.records.row.state} and can no longer be {verb}",
            experiment_id=experiment.experiment_id,
        )


def settle(experiment: LiveExperiment, batch: Batch) -> list[tuple[str, Decision]]:
    """Ends an experiment whose search has ended or cannot go on; to be called after each batch that changed it.

    One that ends early, by its spec's `stop`, asks running trials back first: decisions, each with its session.
    """
    if not experiment.active:
        return []
    if experiment.hopeless:
        begin(experiment, ExperimentState.FAILED, experiment.hopeless, batch)
        return []
    discarded = experiment.records.row.counts[TrialState.DISCARDED.value]
    limit = max(DISCARDS_BORNE, planned_trials(experiment.searcher.plan))
    if discarded > limit:
        reason = (
            f"{discarded} trials were discarded for invalid hyperparameters (the limit is {limit}): narrow "
            f"`hyperparameters` or add `forbidden` combinations; the last reason: {experiment.last_error}"
        )
        begin(experiment, ExperimentState.FAILED, reason, batch)
        return []
    early = experiment.early_end(batch.now)
    if early and experiment.records.leases:
        _tell_early_end(experiment, early, batch)
        return _ask_back(experiment, early, batch)
    if early:
        _complete(experiment, early, batch)
    elif not experiment.records.leases and not experiment.ready and experiment.searcher.done:
        _complete(experiment, SEARCH_ENDED, batch)
    elif experiment.records.row.state_reason:
        # The trial that had reached the metric was discarded: the search goes on.
        _tell_early_end(experiment, "", batch)
    return []


def _tell_early_end(experiment: LiveExperiment, reason: str, batch: Batch) -> None:
    """While it ends early, an active experiment says why."""
    row = experiment.records.row
    if row.state_reason != reason:
        if not row.state_reason:
            experiment.records.note("stop_reached", None, {"reason": reason}, batch)
        row.state_reason = reason
        experiment.records.touch(batch)


def _ask_back(experiment: LiveExperiment, reason: str, batch: Batch) -> list[tuple[str, Decision]]:
    """Tells the running trials that were not told yet to pause."""
    return [
        (lease.session_id, experiment.tell(lease, DecisionKind.PAUSE, reason, batch))
        for lease in experiment.records.leases.values()
        if lease.decision != DecisionKind.PAUSE
        and experiment.records.trials[lease.trial_id].state == TrialState.RUNNING
    ]


def _complete(experiment: LiveExperiment, reason: str, batch: Batch) -> None:
    counts = experiment.records.row.counts
    failed = counts[TrialState.FAILED.value]
    if failed and failed + counts[TrialState.DISCARDED.value] == sum(counts.values()):
        reason = f"every trial failed; the last error: {summary(experiment.last_error)}"
        begin(experiment, ExperimentState.FAILED, reason, batch)
    else:
        begin(experiment, ExperimentState.COMPLETED, reason, batch)
