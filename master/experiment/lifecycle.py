"""How an experiment begins, is restored, is steered by people, and ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ...shared.errors import FailedPrecondition
from ...shared.failure_text import summary
from ...shared.limits import MAX_TOTAL
from ...shared.model import ExperimentState, LeaseRef, TrialState
from ...shared.session import Decision, DecisionKind, LeaseLost
from ...shared.settings import Settings
from ...shared.space import DRAW_RULES
from ...shared.spec import Spec, spec_to_json
from ..search.interface import RULES, Goal, RungRecord, Searcher, TrialRecord
from .book import Batch, Book
from .changes import ExperimentRow, Records, RungResultRow, TrialRow
from .ending import begin
from .essentials import essentials
from .experiment import Experiment
from .next_trial import Draw

#: At least this many discarded trials are borne before an experiment gives up; more where it makes more trials.
DISCARDS_BORNE = 100


def create(
    experiment_id: int,
    request_id: str,
    spec: Spec,
    searcher: Searcher,
    draw: Draw,
    batch: Batch,
    code: Mapping[str, str] = MappingProxyType({}),
    owner: str = "",
) -> Experiment:
    """Begins an experiment from a valid spec; `code` is the fingerprint of its training code, for its journal, and
    `owner` who submitted it."""
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
        resource_full=min(sum(bracket.max_trials * bracket.rungs[-1] for bracket in searcher.plan), MAX_TOTAL),
        draw_rules=DRAW_RULES,
        owner=owner,
        **spec.settings.model_dump(),
    )
    batch.changes.new_experiments.append(row)
    book = Book(row, Goal(spec.metric.goal))
    book.add_brackets(searcher.plan, batch)
    known = {"code": dict(code)} if code else {}
    book.note("experiment_created", None, {"name": spec.name, "rules": RULES, **known}, batch)
    return Experiment(book, spec, searcher, draw)


def restore(records: Records, spec: Spec, searcher: Searcher, draw: Draw) -> Experiment:
    """Takes an experiment up where the ledger says it stood."""
    book = restored_book(records)
    searcher.limit(records.row.max_concurrent_trials)
    searcher.restore(map(trial_record, records.trials), map(rung_record, records.results))
    experiment = Experiment(book, spec, searcher, draw)
    experiment.next_trial.number = max((row.trial_id + 1 for row in records.trials), default=0)
    line_up(experiment)
    experiment.last_error = _last_error(records.trials)
    return experiment


def restored_book(records: Records) -> Book:
    """An experiment's rows alone, without its search; its spec need not be readable."""
    book = Book(records.row, essentials(records.row.spec).goal)
    book.brackets = {row.bracket_id: row for row in records.brackets}
    book.rungs = {(row.bracket_id, row.rung_id): row for row in records.rungs}
    book.leases = {row.trial_id: row for row in records.leases}
    book.trials_left = sum(row.max_trials - row.trials_created for row in records.brackets)
    for row in records.trials:
        if TrialState(row.state).ended and row.trial_id not in book.leases:
            book.remember(row)
        else:
            book.adopt(row)
    for checkpoint in records.checkpoints:
        book.checkpoints.setdefault(checkpoint.trial_id, []).append(checkpoint)
    for kept in book.checkpoints.values():
        kept.sort(key=lambda row: (row.resource, row.token, row.sequence))
    return book


def _last_error(trials: Iterable[TrialRow]) -> str:
    failed = (row for row in trials if row.state in (TrialState.FAILED, TrialState.DISCARDED))
    last = max(failed, key=lambda row: (row.end_time or 0.0, row.trial_id), default=None)
    return last.state_reason if last is not None else ""


def line_up(experiment: Experiment) -> None:
    """Everything that waits to be handed out, in the order of the trials' numbers."""
    book = experiment.book
    pending = (row.trial_id for row in book.trials.values() if row.state == TrialState.PENDING)
    experiment.ready = deque(trial_id for trial_id in pending if trial_id not in book.leases)


def trial_record(row: TrialRow) -> TrialRecord:
    """A trial as a searcher takes it up."""
    state = TrialState(row.state)
    return TrialRecord(
        row.trial_id,
        row.bracket_id,
        row.rung_id,
        row.metric_resource,
        running=state in (TrialState.PENDING, TrialState.RUNNING),
        ended=state.ended,
        discarded=state is TrialState.DISCARDED,
    )


def rung_record(row: RungResultRow) -> RungRecord:
    """A rung result as a searcher takes it up."""
    return RungRecord(row.bracket_id, row.rung_id, row.trial_id, row.metric, row.promoted)


def pause(experiment: Experiment, batch: Batch) -> list[tuple[str, Decision]]:
    """Hands out nothing more, and asks running trials back: decisions, each with the session it goes to.

    Raises FailedPrecondition where the experiment has ended.
    """
    _refuse_if_ended(experiment, "paused")
    if not experiment.active:
        return []
    experiment.book.move(ExperimentState.PAUSED, "paused by a person", batch)
    return [
        (lease.session_id, experiment.tell(lease, DecisionKind.PAUSE, "the experiment was paused", batch))
        for lease in experiment.book.leases.values()
        if experiment.book.trials[lease.trial_id].state == TrialState.RUNNING
    ]


def resume(experiment: Experiment, batch: Batch) -> None:
    """Hands out trials again. Raises FailedPrecondition where the experiment has ended."""
    _refuse_if_ended(experiment, "resumed")
    if not experiment.active:
        experiment.book.move(ExperimentState.ACTIVE, "", batch)


def change(experiment: Experiment, changes: Settings, batch: Batch) -> None:
    """Puts other settings in force, those of `changes` that are set. Raises FailedPrecondition where it has ended."""
    _refuse_if_ended(experiment, "changed")
    row = experiment.book.row
    changed = {
        name: value for name, value in changes.model_dump(exclude_unset=True).items() if getattr(row, name) != value
    }
    if not changed:
        return
    for name, value in changed.items():
        setattr(row, name, value)
    if "max_concurrent_trials" in changed:
        experiment.searcher.limit(row.max_concurrent_trials)
        experiment.book.limit(experiment.searcher.plan, batch)
    experiment.book.touch(batch)
    experiment.book.note("settings_changed", None, changed, batch)


def suspend(book: Book, reason: str, batch: Batch) -> list[tuple[str, LeaseLost]]:
    """Pauses an experiment whose search cannot be asked: its leases end, and what was trained is to be trained again
    from its last checkpoint. Gives the leases, each with its session."""
    lost: list[tuple[str, LeaseLost]] = []
    for lease in list(book.leases.values()):
        trial = book.trials[lease.trial_id]
        if trial.state == TrialState.RUNNING:
            book.move_trial(trial, TrialState.PENDING, "its experiment was paused", batch)
        ref = LeaseRef(book.experiment_id, lease.trial_id, lease.token)
        lost.append((lease.session_id, LeaseLost(ref, f"the experiment was paused: {reason}")))
        book.close_lease(lease, "cancelled", "", batch)
    if book.state is ExperimentState.ACTIVE:
        book.move(ExperimentState.PAUSED, reason, batch)
    else:
        book.row.state_reason = reason
        book.touch(batch)
        book.note("experiment_" + book.row.state, None, {"reason": reason}, batch)
    return lost


def cancel(experiment: Experiment, batch: Batch) -> None:
    """Ends the experiment for good. Raises FailedPrecondition where it has ended."""
    _refuse_if_ended(experiment, "cancelled")
    begin(experiment, ExperimentState.CANCELLED, "cancelled by a person", batch)


def _refuse_if_ended(experiment: Experiment, verb: str) -> None:
    if experiment.book.state.ended:
        raise FailedPrecondition(
            f"experiment {experiment.experiment_id} is {experiment.book.row.state} and can no longer be {verb}"
        )


def settle(experiment: Experiment, batch: Batch) -> None:
    """Ends an experiment whose search has ended or cannot go on; to be called after each batch that changed it."""
    if not experiment.active:
        return
    if experiment.hopeless:
        begin(experiment, ExperimentState.FAILED, experiment.hopeless, batch)
        return
    discarded = experiment.book.row.counts[TrialState.DISCARDED.value]
    limit = max(DISCARDS_BORNE, experiment.spec.searcher.max_trials)
    if discarded > limit:
        reason = (
            f"{discarded} trials were discarded for invalid hyperparameters (the limit is {limit}): narrow "
            f"`hyperparameters` or add `forbidden` combinations; the last reason: {experiment.last_error}"
        )
        begin(experiment, ExperimentState.FAILED, reason, batch)
    elif not experiment.book.leases and not experiment.ready and experiment.searcher.done:
        _complete(experiment, batch)


def _complete(experiment: Experiment, batch: Batch) -> None:
    counts = experiment.book.row.counts
    failed = counts[TrialState.FAILED.value]
    if failed and failed + counts[TrialState.DISCARDED.value] == sum(counts.values()):
        reason = f"every trial failed; the last error: {summary(experiment.last_error)}"
        begin(experiment, ExperimentState.FAILED, reason, batch)
    else:
        begin(experiment, ExperimentState.COMPLETED, "the search has ended", batch)
