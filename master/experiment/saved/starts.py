"""From which checkpoint of another a trial starts (PBT), until it has one of its own, and what becomes of it where that
turns out to be broken."""

from __future__ import annotations

from collections.abc import Collection

from ....shared.checkpoints.paths import CheckpointPath
from ....shared.limits import MAX_TOTAL
from ..changes import CheckpointRow, TrialRow
from ..entries import asks_to_save
from ..records import Batch, ExperimentRecords
from .kept import start_limit


def waits(records: ExperimentRecords, trial: TrialRow) -> bool:
    """Whether a new trial's parent is just saving the model of its last result, for which it is taken.

    It has been asked for that, and has reported nothing since: after the next report it is not waited for any more.
    """
    if trial.parent is None or trial.token > 0:
        return False
    parent, lease = records.trials.get(trial.parent), records.leases.get(trial.parent)
    if parent is None or lease is None or not asks_to_save(lease, parent):
        return False
    own = records.checkpoints.by_trial.get(trial.parent)
    return (own[-1].resource if own else 0) < parent.metric_resource == parent.resource


def find_start(records: ExperimentRecords, trial: TrialRow, batch: Batch) -> None:
    """The trial is handed out, or was and its worker never heard of it: the first time, and where what it was to start
    from turned out to be broken, it is given the latest checkpoint of its parent's."""
    if trial.parent is None or trial.trial_id in records.checkpoints.by_trial:
        return
    if trial.token == 0 or (trial.start_resource > 0 and not trial.start_uri):
        row = records.checkpoints.latest(trial.parent, start_limit(trial))
        if row is None or row is not records.checkpoints.starts.get(trial.trial_id):
            _start(records, trial, row, 0 if row is None else row.resource, batch)


def drop_broken(records: ExperimentRecords, trial: TrialRow, uris: Collection[str], source: str, batch: Batch) -> None:
    """The worker that trains the trial found these checkpoints broken, and started from `source` instead (its URI;
    empty: from nothing). None of them is offered again."""
    kept = records.checkpoints
    owners = {trial.trial_id, trial.parent} - {None}
    if trial.trial_id in kept.starts:
        owners.add(kept.starts[trial.trial_id].trial_id)
    for trial_id in kept.give_up_broken(uris, owners, batch.now, batch.changes):
        # One that trains may have started from there before; any other is given another when it is handed out.
        records.trials[trial_id].start_uri = ""
        records.touch_trial(records.trials[trial_id], batch)
    if trial.parent is None or trial.trial_id in kept.by_trial:
        return
    row, place = kept.find(source, owners), CheckpointPath.parse(source)
    resource = row.resource if row is not None else place.resource if place is not None else 0
    _start(records, trial, row, resource if resource < start_limit(trial) else 0, batch)


def _start(records: ExperimentRecords, trial: TrialRow, row: CheckpointRow | None, resource: int, batch: Batch) -> None:
    """The trial starts at another resource; what it has trained so far counts from there on."""
    if row is not records.checkpoints.starts.get(trial.trial_id):
        records.checkpoints.release(trial.trial_id, batch.now, batch.changes)
        if row is not None:
            records.checkpoints.pin(trial.trial_id, row)
    before = trial.resource - trial.start_resource
    if not before:
        trial.resource = resource
    trial.start_resource, trial.start_uri = resource, "" if row is None else row.uri
    records.row.resource_spent = min(records.row.resource_spent + trial.resource - resource - before, MAX_TOTAL)
    records.touch_trial(trial, batch)
    records.touch(batch)
