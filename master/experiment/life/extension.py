"""Gives a search more trials, while it runs or once it has ended. Pure.

Of a search that had ended, the trials that waited at rungs can go on as far as a checkpoint of them is kept; they stay
as they are, stopped, until they are promoted, so that it costs the same however many there are. The others count in
their rungs and are never promoted. Trials that its end stopped on their way to a rung go on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from ....shared.errors import FailedPrecondition
from ....shared.limits import MAX_TOTAL
from ....shared.wire.model import ExperimentState, TrialState
from ...search.interface import RULES, NotExtendable, Searcher, planned_trials
from ..changes import RungResultRow, StoredRows, TrialRow
from ..experiment import LiveExperiment
from ..records import Batch, ExperimentRecords
from ..setup import ExperimentSetup
from .early_end import early_end
from .lifecycle import restore, restored_records


def extend(experiment: LiveExperiment, max_trials: int, batch: Batch) -> None:
    """Gives a search that has not ended this many trials in all; nothing changes where it has as many.

    Raises FailedPrecondition where it would be fewer, its searcher makes no more, or its spec's `stop` is reached.
    """
    check_number(experiment.experiment_id, max_trials, planned_trials(experiment.searcher.plan))
    check_early_end(experiment.experiment_id, experiment.early_end(batch.now))
    if max_trials > planned_trials(experiment.searcher.plan):
        _extend_searcher(experiment.searcher, experiment.experiment_id, max_trials)
        _write(experiment.records, experiment.searcher, max_trials, {}, batch)


def check_number(experiment_id: int, max_trials: int, planned: int) -> None:
    """Raises FailedPrecondition where a search has more trials than it is to have."""
    if max_trials < planned:
        text = f"experiment {experiment_id} makes {planned:,} trials, and cannot be cut to {max_trials:,}"
        raise FailedPrecondition(text, experiment_id=experiment_id)


def check_early_end(experiment_id: int, early_end: str) -> None:
    """Raises FailedPrecondition where a search ends early, by its spec: with more trials it would end again at once."""
    if early_end:
        text = f"experiment {experiment_id} cannot be extended, its `stop` is reached: {early_end}"
        raise FailedPrecondition(f"{text}; submit its spec with another one", experiment_id=experiment_id)


def check_state(experiment_id: int, state: ExperimentState, reason: str) -> None:
    """Raises FailedPrecondition where an experiment has ended for good."""
    if state is ExperimentState.CANCELLED:
        text = f"experiment {experiment_id} was cancelled, and cannot be extended: submit its spec as a new one"
        raise FailedPrecondition(text, experiment_id=experiment_id)
    if state is ExperimentState.FAILED:
        text = (
            f"experiment {experiment_id} failed, and cannot be extended ({reason}): "
            "mend what it failed for, and submit it as a new one"
        )
        raise FailedPrecondition(text, experiment_id=experiment_id)


def reopened(stored_rows: StoredRows, setup: ExperimentSetup, max_trials: int, batch: Batch) -> LiveExperiment | None:
    """Lets a completed experiment go on, as the ledger has it, with this many trials in all and a fresh searcher. It
    takes a while where there are very many trials; the batch has a few rows however many there are.

    None where it has as many trials. Raises FailedPrecondition where it cannot be extended.
    """
    row = stored_rows.row
    planned = sum(bracket.max_trials for bracket in stored_rows.brackets)
    check_state(row.experiment_id, ExperimentState(row.state), row.state_reason)
    check_number(row.experiment_id, max_trials, planned)
    if max_trials == planned:
        return None
    records = restored_records(stored_rows)
    check_early_end(row.experiment_id, early_end(setup.spec, row, records.ranking.lead, batch.now))
    _extend_searcher(setup.searcher, row.experiment_id, max_trials)
    under_way = _under_way(stored_rows.trials, stored_rows.results)
    waiting = _waiting(stored_rows.trials, under_way, records.checkpoints.by_trial)
    _write(records, setup.searcher, max_trials, {"rules": RULES, **waiting}, batch)
    records.move(ExperimentState.ACTIVE, "", batch)
    for trial in under_way.values():
        records.move_trial(trial, TrialState.PENDING, "its search was extended", batch)
        records.note("trial_reopened", trial.trial_id, {"rung": trial.rung_id, "target": trial.target}, batch)
    return restore(stored_rows, setup)


def _under_way(trials: list[TrialRow], results: list[RungResultRow]) -> dict[int, TrialRow]:
    """Stopped trials that have no result at the rung at which they stand: they were heading for it."""
    stopped = {row.trial_id: row for row in trials if row.state == TrialState.STOPPED}
    for result in results:
        trial = stopped.get(result.trial_id)
        if trial is not None and trial.rung_id == result.rung_id:
            del stopped[result.trial_id]
    return stopped


def _waiting(trials: list[TrialRow], under_way: Container[int], checkpoints: Container[int]) -> dict[str, list[int]]:
    """Of those that stopped at rungs, whichever list is shorter: of nearly all a checkpoint is kept, or of nearly
    none."""
    stopped = [row.trial_id for row in trials if row.state == TrialState.STOPPED and row.trial_id not in under_way]
    kept = [trial for trial in stopped if trial in checkpoints]
    if 2 * len(kept) <= len(stopped):
        return {"kept": kept}
    return {"left": [trial for trial in stopped if trial not in checkpoints]}


def kept_of(data: Mapping[str, Any]) -> Callable[[int], bool] | None:
    """By its journal's entry, which trials wait again; None where the search had not ended."""
    if "kept" in data:
        return frozenset(data["kept"]).__contains__
    if "left" in data:
        left = frozenset(data["left"])
        return lambda trial: trial not in left
    return None


def _extend_searcher(searcher: Searcher, experiment_id: int, max_trials: int) -> None:
    try:
        searcher.extend(max_trials)
    except NotExtendable as error:
        text = f"experiment {experiment_id} cannot be extended: {error}"
        raise FailedPrecondition(text, experiment_id=experiment_id) from error


def _write(
    records: ExperimentRecords, searcher: Searcher, max_trials: int, data: Mapping[str, Any], batch: Batch
) -> None:
    records.row.max_trials = max_trials
    records.row.resource_full = min(searcher.expected_cost().full, MAX_TOTAL)
    records.replan(searcher.plan, batch)
    records.touch(batch)
    records.note("experiment_extended", None, {"max_trials": max_trials, **data}, batch)
