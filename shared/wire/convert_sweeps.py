"""What is asked and told of what lies in a storage, as messages and back."""

from __future__ import annotations

from ...proto.v1 import worker_pb2 as pb
from ..limits import first_of
from .convert_basics import duration_to_proto, seconds_of
from .session import Found, Sweep, Swept


def sweep_to_proto(sweep: Sweep) -> pb.Sweep:
    """A question as a message."""
    return pb.Sweep(
        request_id=sweep.request_id,
        storage=sweep.storage,
        after=_trial_to_proto(sweep.after),
        least_age=duration_to_proto(sweep.least_age),
        database_id=sweep.database_id,
        deleted_experiments=sweep.deleted_experiments,
    )


def sweep_from_proto(message: pb.Sweep) -> Sweep:
    """A question as a value."""
    return Sweep(
        request_id=message.request_id,
        database_id=message.database_id,
        storage=message.storage,
        after=_trial_from_proto(message.after),
        least_age=seconds_of(message.least_age),
        deleted_experiments=tuple(message.deleted_experiments),
    )


def swept_to_proto(swept: Swept) -> pb.Swept:
    """An answer as a message."""
    return pb.Swept(
        request_id=swept.request_id,
        found=[pb.FoundCheckpoint(path=found.path, age=duration_to_proto(found.age)) for found in swept.found],
        after=None if swept.after is None else _trial_to_proto(swept.after),
        logged_experiments=swept.logged_experiments,
        error=first_of(swept.error),
    )


def swept_from_proto(message: pb.Swept) -> Swept:
    """An answer as a value."""
    return Swept(
        request_id=message.request_id,
        found=tuple(Found(found.path, seconds_of(found.age)) for found in message.found),
        after=_trial_from_proto(message.after) if message.HasField("after") else None,
        logged_experiments=tuple(message.logged_experiments),
        error=message.error,
    )


def _trial_to_proto(trial: tuple[int, int]) -> pb.TrialRef:
    return pb.TrialRef(experiment_id=trial[0], trial_id=trial[1])


def _trial_from_proto(message: pb.TrialRef) -> tuple[int, int]:
    return message.experiment_id, message.trial_id
