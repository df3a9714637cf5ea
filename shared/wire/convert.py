"""Between the messages of `proto/v1/experiment.proto` and the values of `shared/wire/model.py`, both ways.

Every function is total: it takes any value of its type. What a message leaves out becomes the field's default, and an
enum value that this version does not know raises InvalidInput.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...proto.v1 import experiment_pb2
from . import model
from .convert_basics import (
    document_from_json,
    document_to_json,
    experiment_state_from_proto,
    experiment_state_to_proto,
    goal_from_proto,
    goal_to_proto,
    gpu_from_proto,
    gpu_to_proto,
    lease_ref_from_proto,
    lease_ref_to_proto,
    optional_time_from_proto,
    thinning_from_proto,
    thinning_to_proto,
    time_from_proto,
    time_to_proto,
    trial_order_from_proto,
    trial_order_to_proto,
    trial_state_from_proto,
    trial_state_to_proto,
    worker_state_from_proto,
    worker_state_to_proto,
)
from .convert_cluster import master_info_from_proto, master_info_to_proto, worker_from_proto, worker_to_proto

__all__ = [
    "bracket_from_proto",
    "bracket_to_proto",
    "checkpoint_from_proto",
    "checkpoint_to_proto",
    "event_from_proto",
    "event_to_proto",
    "experiment_from_proto",
    "experiment_state_from_proto",
    "experiment_state_to_proto",
    "experiment_to_proto",
    "goal_from_proto",
    "goal_to_proto",
    "gpu_from_proto",
    "gpu_to_proto",
    "lease_from_proto",
    "lease_ref_from_proto",
    "lease_ref_to_proto",
    "lease_to_proto",
    "master_info_from_proto",
    "master_info_to_proto",
    "optional_time_from_proto",
    "report_from_proto",
    "report_to_proto",
    "rung_from_proto",
    "rung_to_proto",
    "thinning_from_proto",
    "thinning_to_proto",
    "time_from_proto",
    "time_to_proto",
    "trial_counts_from_proto",
    "trial_counts_to_proto",
    "trial_from_proto",
    "trial_order_from_proto",
    "trial_order_to_proto",
    "trial_state_from_proto",
    "trial_state_to_proto",
    "trial_to_proto",
    "worker_from_proto",
    "worker_state_from_proto",
    "worker_state_to_proto",
    "worker_to_proto",
]


def rung_to_proto(value: model.Rung) -> experiment_pb2.Rung:
    """The message of a rung."""
    return experiment_pb2.Rung(
        rung_id=value.rung_id,
        resource=value.resource,
        entered=value.entered,
        promoted=value.promoted,
        failed=value.failed,
        best_metric=value.best_metric,
    )


def rung_from_proto(message: experiment_pb2.Rung) -> model.Rung:
    """A rung."""
    return model.Rung(
        rung_id=message.rung_id,
        resource=message.resource,
        entered=message.entered,
        promoted=message.promoted,
        failed=message.failed,
        best_metric=message.best_metric if message.HasField("best_metric") else None,
    )


def bracket_to_proto(value: model.Bracket) -> experiment_pb2.Bracket:
    """The message of a bracket."""
    return experiment_pb2.Bracket(
        bracket_id=value.bracket_id,
        max_trials=value.max_trials,
        max_concurrent_trials=value.max_concurrent_trials,
        trials_created=value.trials_created,
        rungs=[rung_to_proto(rung) for rung in value.rungs],
    )


def bracket_from_proto(message: experiment_pb2.Bracket) -> model.Bracket:
    """A bracket."""
    return model.Bracket(
        bracket_id=message.bracket_id,
        max_trials=message.max_trials,
        max_concurrent_trials=message.max_concurrent_trials if message.HasField("max_concurrent_trials") else None,
        trials_created=message.trials_created,
        rungs=tuple(rung_from_proto(rung) for rung in message.rungs),
    )


def trial_to_proto(value: model.TrialInfo) -> experiment_pb2.Trial:
    """The message of a trial."""
    return experiment_pb2.Trial(
        experiment_id=value.experiment_id,
        trial_id=value.trial_id,
        state=trial_state_to_proto(value.state),
        hparams_json=document_to_json(value.hparams),
        bracket_id=value.bracket_id,
        rung_id=value.rung_id,
        resource=value.resource,
        target=value.target,
        metric=value.metric,
        metric_resource=value.metric_resource,
        restarts=value.restarts,
        workers_lost=value.workers_lost,
        state_reason=value.state_reason,
        create_time=time_to_proto(value.create_time),
        end_time=time_to_proto(value.end_time),
        worker=value.worker,
        best_metric=value.best_metric,
        best_resource=value.best_resource,
    )


def trial_from_proto(message: experiment_pb2.Trial) -> model.TrialInfo:
    """A trial."""
    return model.TrialInfo(
        experiment_id=message.experiment_id,
        trial_id=message.trial_id,
        state=trial_state_from_proto(message.state),
        hparams=document_from_json(message.hparams_json, "hparams_json"),
        bracket_id=message.bracket_id,
        rung_id=message.rung_id,
        resource=message.resource,
        target=message.target,
        metric=message.metric if message.HasField("metric") else None,
        metric_resource=message.metric_resource,
        restarts=message.restarts,
        workers_lost=message.workers_lost,
        state_reason=message.state_reason,
        create_time=time_from_proto(message.create_time),
        end_time=optional_time_from_proto(message, "end_time"),
        worker=message.worker,
        best_metric=message.best_metric if message.HasField("best_metric") else None,
        best_resource=message.best_resource,
    )


def _optional_trial(value: model.TrialInfo | None) -> experiment_pb2.Trial | None:
    return None if value is None else trial_to_proto(value)


def trial_counts_to_proto(counts: Mapping[model.TrialState, int], planned: int) -> experiment_pb2.TrialCounts:
    """The message of how many trials are in each state; states that are left out count 0."""
    return experiment_pb2.TrialCounts(planned=planned, **{state.value: number for state, number in counts.items()})


def trial_counts_from_proto(message: experiment_pb2.TrialCounts) -> dict[model.TrialState, int]:
    """How many trials are in each state, zeros included; the planned ones are `message.planned`."""
    return {state: getattr(message, state.value) for state in model.TrialState}


def experiment_to_proto(value: model.Experiment) -> experiment_pb2.Experiment:
    """The message of an experiment; an empty spec and a missing best trial leave their fields unset."""
    return experiment_pb2.Experiment(
        experiment_id=value.experiment_id,
        name=value.name,
        state=experiment_state_to_proto(value.state),
        state_reason=value.state_reason,
        spec_json=document_to_json(value.spec) if value.spec else "",
        metric=value.metric,
        goal=goal_to_proto(value.goal),
        unit=value.unit,
        create_time=time_to_proto(value.create_time),
        end_time=time_to_proto(value.end_time),
        trial_counts=trial_counts_to_proto(value.trial_counts, value.planned_trials),
        brackets=[bracket_to_proto(bracket) for bracket in value.brackets],
        best_by=value.best_by,
        priority=value.priority,
        weight=value.weight,
        max_concurrent_trials=value.max_concurrent_trials,
        owner=value.owner,
        best_trial=_optional_trial(value.best_trial),
        leading_trial=_optional_trial(value.leading_trial),
        furthest_trial=_optional_trial(value.furthest_trial),
        resource_spent=value.resource_spent,
        resource_full=value.resource_full,
        thinning=None if value.thinning is None else thinning_to_proto(value.thinning),
        last_event_id=value.last_event_id,
        ending=value.ending,
    )


def experiment_from_proto(message: experiment_pb2.Experiment) -> model.Experiment:
    """An experiment."""
    return model.Experiment(
        experiment_id=message.experiment_id,
        name=message.name,
        state=experiment_state_from_proto(message.state),
        state_reason=message.state_reason,
        spec=document_from_json(message.spec_json, "spec_json"),
        metric=message.metric,
        goal=goal_from_proto(message.goal),
        unit=message.unit,
        create_time=time_from_proto(message.create_time),
        end_time=optional_time_from_proto(message, "end_time"),
        trial_counts=trial_counts_from_proto(message.trial_counts),
        planned_trials=message.trial_counts.planned,
        brackets=tuple(bracket_from_proto(bracket) for bracket in message.brackets),
        best_by=message.best_by or "last",
        priority=message.priority,
        weight=message.weight,
        max_concurrent_trials=message.max_concurrent_trials if message.HasField("max_concurrent_trials") else None,
        owner=message.owner,
        best_trial=trial_from_proto(message.best_trial) if message.HasField("best_trial") else None,
        leading_trial=trial_from_proto(message.leading_trial) if message.HasField("leading_trial") else None,
        furthest_trial=trial_from_proto(message.furthest_trial) if message.HasField("furthest_trial") else None,
        resource_spent=message.resource_spent,
        resource_full=message.resource_full,
        thinning=thinning_from_proto(message.thinning) if message.HasField("thinning") else None,
        last_event_id=message.last_event_id,
        ending=message.ending,
    )


def lease_to_proto(value: model.Lease) -> experiment_pb2.Lease:
    """The message of a lease."""
    return experiment_pb2.Lease(
        token=value.token,
        worker=value.worker,
        from_resource=value.from_resource,
        target=value.target,
        start_time=time_to_proto(value.start_time),
        end_time=time_to_proto(value.end_time),
        outcome=value.outcome,
        error=value.error,
    )


def lease_from_proto(message: experiment_pb2.Lease) -> model.Lease:
    """A lease."""
    return model.Lease(
        token=message.token,
        worker=message.worker,
        from_resource=message.from_resource,
        target=message.target,
        start_time=time_from_proto(message.start_time),
        end_time=optional_time_from_proto(message, "end_time"),
        outcome=message.outcome,
        error=message.error,
    )


def checkpoint_to_proto(value: model.Checkpoint) -> experiment_pb2.Checkpoint:
    """The message of a checkpoint."""
    return experiment_pb2.Checkpoint(
        uri=value.uri,
        resource=value.resource,
        size_bytes=value.size_bytes,
        checksum=value.checksum,
        token=value.token,
        create_time=time_to_proto(value.create_time),
        delete_time=time_to_proto(value.delete_time),
    )


def checkpoint_from_proto(message: experiment_pb2.Checkpoint) -> model.Checkpoint:
    """A checkpoint."""
    return model.Checkpoint(
        uri=message.uri,
        resource=message.resource,
        size_bytes=message.size_bytes,
        checksum=message.checksum,
        token=message.token,
        create_time=time_from_proto(message.create_time),
        delete_time=optional_time_from_proto(message, "delete_time"),
    )


def report_to_proto(value: model.Report) -> experiment_pb2.Report:
    """The message of a measurement."""
    return experiment_pb2.Report(
        resource=value.resource,
        metrics=value.metrics,
        token=value.token,
        sequence=value.sequence,
        receive_time=time_to_proto(value.receive_time),
    )


def report_from_proto(message: experiment_pb2.Report) -> model.Report:
    """A measurement."""
    return model.Report(
        resource=message.resource,
        metrics=dict(message.metrics),
        token=message.token,
        sequence=message.sequence,
        receive_time=time_from_proto(message.receive_time),
    )


def event_to_proto(value: model.Event) -> experiment_pb2.Event:
    """The message of a journal entry."""
    return experiment_pb2.Event(
        event_id=value.event_id,
        experiment_id=value.experiment_id,
        trial_id=value.trial_id,
        create_time=time_to_proto(value.create_time),
        kind=value.kind,
        data_json=document_to_json(value.data),
    )


def event_from_proto(message: experiment_pb2.Event) -> model.Event:
    """A journal entry."""
    return model.Event(
        event_id=message.event_id,
        experiment_id=message.experiment_id,
        trial_id=message.trial_id if message.HasField("trial_id") else None,
        create_time=time_from_proto(message.create_time),
        kind=message.kind,
        data=document_from_json(message.data_json, "data_json"),
    )
