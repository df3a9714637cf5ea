"""What `convert.py` and `convert_session.py` share: states, times, names and documents, between protobuf and Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from ...proto.v1 import cluster_pb2, experiment_pb2, worker_pb2
from ..errors import InvalidInput
from . import model

_EXPERIMENT_STATES = {
    model.ExperimentState.ACTIVE: experiment_pb2.EXPERIMENT_STATE_ACTIVE,
    model.ExperimentState.PAUSED: experiment_pb2.EXPERIMENT_STATE_PAUSED,
    model.ExperimentState.COMPLETED: experiment_pb2.EXPERIMENT_STATE_COMPLETED,
    model.ExperimentState.CANCELLED: experiment_pb2.EXPERIMENT_STATE_CANCELLED,
    model.ExperimentState.FAILED: experiment_pb2.EXPERIMENT_STATE_FAILED,
}
_TRIAL_STATES = {
    model.TrialState.PENDING: experiment_pb2.TRIAL_STATE_PENDING,
    model.TrialState.RUNNING: experiment_pb2.TRIAL_STATE_RUNNING,
    model.TrialState.PAUSED: experiment_pb2.TRIAL_STATE_PAUSED,
    model.TrialState.COMPLETED: experiment_pb2.TRIAL_STATE_COMPLETED,
    model.TrialState.STOPPED: experiment_pb2.TRIAL_STATE_STOPPED,
    model.TrialState.FAILED: experiment_pb2.TRIAL_STATE_FAILED,
    model.TrialState.DISCARDED: experiment_pb2.TRIAL_STATE_DISCARDED,
    model.TrialState.CANCELLED: experiment_pb2.TRIAL_STATE_CANCELLED,
}
_TRIAL_ORDERS = {
    model.TrialOrder.ID: experiment_pb2.TRIAL_ORDER_ID,
    model.TrialOrder.BEST: experiment_pb2.TRIAL_ORDER_BEST,
}
_WORKER_STATES = {
    model.WorkerState.CONNECTED: cluster_pb2.WORKER_STATE_CONNECTED,
    model.WorkerState.DISCONNECTED: cluster_pb2.WORKER_STATE_DISCONNECTED,
    model.WorkerState.DRAINING: cluster_pb2.WORKER_STATE_DRAINING,
    model.WorkerState.QUARANTINED: cluster_pb2.WORKER_STATE_QUARANTINED,
}
_GOALS = {"minimize": experiment_pb2.GOAL_MINIMIZE, "maximize": experiment_pb2.GOAL_MAXIMIZE}

K = TypeVar("K", bound=str)
V = TypeVar("V", bound=int)


def _inverse(table: Mapping[K, V]) -> dict[int, K]:
    return {number: name for name, number in table.items()}


_EXPERIMENT_STATES_BACK = _inverse(_EXPERIMENT_STATES)
_TRIAL_STATES_BACK = _inverse(_TRIAL_STATES)
_TRIAL_ORDERS_BACK = {experiment_pb2.TRIAL_ORDER_UNSPECIFIED: model.TrialOrder.ID, **_inverse(_TRIAL_ORDERS)}
_WORKER_STATES_BACK = _inverse(_WORKER_STATES)
_GOALS_BACK = _inverse(_GOALS)


def _known(table: Mapping[int, K], number: int, kind: str) -> K:
    if number not in table:
        raise InvalidInput(f"{number} is not a {kind} that this version of rungmaster knows")
    return table[number]


def experiment_state_to_proto(value: model.ExperimentState) -> experiment_pb2.ExperimentState:
    """The enum value of an experiment's state."""
    return _EXPERIMENT_STATES[value]


def experiment_state_from_proto(number: int) -> model.ExperimentState:
    """An experiment's state; raises InvalidInput where it is unset or unknown."""
    return _known(_EXPERIMENT_STATES_BACK, number, "state of an experiment")


def trial_state_to_proto(value: model.TrialState) -> experiment_pb2.TrialState:
    """The enum value of a trial's state."""
    return _TRIAL_STATES[value]


def trial_state_from_proto(number: int) -> model.TrialState:
    """A trial's state; raises InvalidInput where it is unset or unknown."""
    return _known(_TRIAL_STATES_BACK, number, "state of a trial")


def trial_order_to_proto(value: model.TrialOrder) -> experiment_pb2.TrialOrder:
    """The enum value of an order of trials."""
    return _TRIAL_ORDERS[value]


def trial_order_from_proto(number: int) -> model.TrialOrder:
    """An order of trials, by id where it is unset; raises InvalidInput where it is unknown."""
    return _known(_TRIAL_ORDERS_BACK, number, "order of trials")


def worker_state_to_proto(value: model.WorkerState) -> cluster_pb2.WorkerState:
    """The enum value of a worker's state."""
    return _WORKER_STATES[value]


def worker_state_from_proto(number: int) -> model.WorkerState:
    """A worker's state; raises InvalidInput where it is unset or unknown."""
    return _known(_WORKER_STATES_BACK, number, "state of a worker")


def goal_to_proto(value: str) -> experiment_pb2.Goal:
    """The enum value of a goal, which is "minimize" or "maximize"; raises InvalidInput for any other."""
    if value not in _GOALS:
        raise InvalidInput(f"a goal is minimize or maximize, got {value!r}")
    return _GOALS[value]


def goal_from_proto(number: int) -> str:
    """A goal; raises InvalidInput where it is unset or unknown."""
    return _known(_GOALS_BACK, number, "goal")


def time_to_proto(value: datetime | None) -> Timestamp | None:
    """A time, to the microsecond; None stays None, which leaves a message's field unset."""
    if value is None:
        return None
    message = Timestamp()
    message.FromDatetime(value)
    return message


def time_from_proto(message: Timestamp) -> datetime:
    """A time in UTC, to the microsecond."""
    return message.ToDatetime(tzinfo=UTC)


def optional_time_from_proto(message: Message, field: str) -> datetime | None:
    """The time in `field` of `message`, or None where it is unset."""
    return time_from_proto(getattr(message, field)) if message.HasField(field) else None


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def document_to_json(values: Mapping[str, Any]) -> str:
    """Hyperparameters, a spec or an event's particulars as JSON text, which keeps types, digits and the keys' order.

    Raises ValueError for NaN and infinities, and TypeError for a value that JSON does not have.
    """
    return _encode(dict(values))


def document_from_json(text: str, field: str) -> dict[str, Any]:
    """What `document_to_json` was given; nothing where the field is unset. Raises InvalidInput for any other text."""
    try:
        document = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{field}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{field}: must be a JSON object, got {text[:100]!r}")
    return document


def lease_ref_to_proto(value: model.LeaseRef) -> worker_pb2.LeaseRef:
    """The message of a lease's name."""
    return worker_pb2.LeaseRef(experiment_id=value.experiment_id, trial_id=value.trial_id, token=value.token)


def lease_ref_from_proto(message: worker_pb2.LeaseRef) -> model.LeaseRef:
    """A lease's name."""
    return model.LeaseRef(message.experiment_id, message.trial_id, message.token)


def gpu_to_proto(value: model.Gpu) -> worker_pb2.Gpu:
    """The message of a GPU."""
    return worker_pb2.Gpu(uuid=value.uuid, model=value.model, memory_bytes=value.memory_bytes)


def gpu_from_proto(message: worker_pb2.Gpu) -> model.Gpu:
    """A GPU."""
    return model.Gpu(message.uuid, message.model, message.memory_bytes)


def thinning_to_proto(value: model.Thinning) -> experiment_pb2.Thinning:
    """The message of a thinning."""
    return experiment_pb2.Thinning(
        keep_every=value.keep_every,
        reports_dropped=value.reports_dropped,
        start_time=time_to_proto(value.start_time),
        end_time=time_to_proto(value.end_time),
    )


def thinning_from_proto(message: experiment_pb2.Thinning) -> model.Thinning:
    """A thinning."""
    return model.Thinning(
        message.keep_every,
        message.reports_dropped,
        time_from_proto(message.start_time),
        optional_time_from_proto(message, "end_time"),
    )


def duration_to_proto(seconds: float) -> Duration:
    """Seconds as a message."""
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1_000_000_000))
    return duration


def seconds_of(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.ToNanoseconds() / 1_000_000_000
