"""What the ledger knows of checkpoints that were found in a store, and where stores are; workers that are long gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, exists, select

from .....shared.checkpoints.paths import CheckpointPath
from ....experiment.saved.orphans import KnownCheckpoints
from ...leadership.mastership import read_database_id
from ...schema import tables
from ...schema.tables import wanted_trials

_EXPERIMENTS, _EVENTS, _TRIALS, _LEASES = tables.experiments.c, tables.events.c, tables.trials.c, tables.leases.c
_CHECKPOINTS, _WORKERS = tables.checkpoints.c, tables.workers.c


def storages(connection: Connection) -> tuple[str, list[str]]:
    """The database's id, and where its experiments keep checkpoints, each place once as it is written in a spec."""
    found: dict[str, None] = {}
    for spec in connection.scalars(select(_EXPERIMENTS.spec).order_by(_EXPERIMENTS.experiment_id)):
        storage = spec.get("checkpoints", {}).get("storage", "") if isinstance(spec, dict) else ""
        if storage and isinstance(storage, str):
            found[storage] = None
    return read_database_id(connection), list(found)


def known(connection: Connection, places: Iterable[CheckpointPath]) -> KnownCheckpoints:
    """All there is to know of these places."""
    trials = sorted({place.trial for place in places})
    if not trials:
        return KnownCheckpoints()
    wanted, condition = wanted_trials(trials)
    tokens = select(_TRIALS.experiment_id, _TRIALS.trial_id, _TRIALS.token).join(wanted, condition)
    same_lease = (wanted.c.experiment_id == _LEASES.experiment_id) & (wanted.c.trial_id == _LEASES.trial_id)
    held = select(_LEASES.experiment_id, _LEASES.trial_id, _LEASES.token).join(wanted, same_lease)
    same = (wanted.c.experiment_id == _CHECKPOINTS.experiment_id) & (wanted.c.trial_id == _CHECKPOINTS.trial_id)
    kept = select(_CHECKPOINTS.experiment_id, _CHECKPOINTS.trial_id, _CHECKPOINTS.uri).join(wanted, same)
    return KnownCheckpoints(
        deleted_among(connection, {experiment_id for experiment_id, _ in trials}),
        {(e, t): token for e, t, token in connection.execute(tokens)},
        {(e, t): token for e, t, token in connection.execute(held.where(_LEASES.end_time.is_(None)))},
        {(e, t, _name(uri)) for e, t, uri in connection.execute(kept.where(~_CHECKPOINTS.deleted))},
    )


def deleted_among(connection: Connection, experiments: Collection[int]) -> frozenset[int]:
    """Those of the experiments that were deleted."""
    there = select(_EXPERIMENTS.experiment_id).where(_EXPERIMENTS.experiment_id.in_(experiments))
    # Their journals have been emptied, while those of the others may be long.
    missing = set(experiments) - set(connection.scalars(there))
    told = select(_EVENTS.experiment_id).where(_EVENTS.experiment_id.in_(missing), _EVENTS.kind == "experiment_deleted")
    return frozenset(connection.scalars(told)) if missing else frozenset()


def forget_workers(connection: Connection, before: float, here: Collection[str], limit: int) -> int:
    """Deletes rows of workers that said hello or goodbye before that time last, hold nothing and are not `here`
    (sessions), at most so many; returns how many."""
    holds = exists().where(_LEASES.session_id == _WORKERS.session_id, _LEASES.end_time.is_(None))
    old = select(_WORKERS.session_id).where(_WORKERS.hello_time < before, ~holds).order_by(_WORKERS.session_id)
    gone = [session_id for session_id in connection.scalars(old.limit(limit + len(here))) if session_id not in here]
    if gone:
        connection.execute(delete(tables.workers).where(_WORKERS.session_id.in_(gone[:limit])))
    return len(gone[:limit])


def _name(uri: str) -> str:
    return uri.rstrip("/").rsplit("/", 1)[-1]
