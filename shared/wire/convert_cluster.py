"""Between the messages of `proto/v1/cluster.proto` and the values of `shared/wire/model.py`; `convert.py` says how.

Pyright knows the generated classes under two names, by path here and as rungmaster.proto.v1 among themselves; hence the
four `ignore`s, where a message holds one of another file.
"""

from __future__ import annotations

from ...proto.v1 import cluster_pb2
from . import model
from .convert_basics import (
    gpu_from_proto,
    gpu_to_proto,
    lease_ref_from_proto,
    lease_ref_to_proto,
    time_from_proto,
    time_to_proto,
    worker_state_from_proto,
    worker_state_to_proto,
)


def worker_to_proto(value: model.Worker) -> cluster_pb2.Worker:
    """The message of a worker."""
    return cluster_pb2.Worker(
        session_id=value.session_id,
        worker=value.worker,
        host=value.host,
        pid=value.pid,
        version=value.version,
        slots=value.slots,
        slots_used=value.slots_used,
        gpus=[gpu_to_proto(gpu) for gpu in value.gpus],  # pyright: ignore[reportArgumentType]
        labels=value.labels,
        state=worker_state_to_proto(value.state),
        last_seen_time=time_to_proto(value.last_seen_time),
        leases=[lease_ref_to_proto(lease) for lease in value.leases],  # pyright: ignore[reportArgumentType]
        waiting_reason=value.waiting_reason,
        identity=value.identity,
    )


def worker_from_proto(message: cluster_pb2.Worker) -> model.Worker:
    """A worker."""
    return model.Worker(
        session_id=message.session_id,
        worker=message.worker,
        host=message.host,
        pid=message.pid,
        version=message.version,
        slots=message.slots,
        slots_used=message.slots_used,
        gpus=tuple(gpu_from_proto(gpu) for gpu in message.gpus),  # pyright: ignore[reportArgumentType]
        labels=dict(message.labels),
        state=worker_state_from_proto(message.state),
        last_seen_time=time_from_proto(message.last_seen_time),
        leases=tuple(lease_ref_from_proto(lease) for lease in message.leases),  # pyright: ignore[reportArgumentType]
        waiting_reason=message.waiting_reason,
        identity=message.identity,
    )


def master_info_to_proto(value: model.MasterInfo) -> cluster_pb2.GetMasterInfoResponse:
    """The answer of GetMasterInfo."""
    return cluster_pb2.GetMasterInfoResponse(
        version=value.version,
        term=value.term,
        start_time=time_to_proto(value.start_time),
        database=value.database,
        active_experiments=value.active_experiments,
        connected_workers=value.connected_workers,
        slots=value.slots,
        slots_used=value.slots_used,
        holder=value.holder,
        database_id=value.database_id,
    )


def master_info_from_proto(message: cluster_pb2.GetMasterInfoResponse) -> model.MasterInfo:
    """What a master says of itself."""
    return model.MasterInfo(
        version=message.version,
        term=message.term,
        start_time=time_from_proto(message.start_time),
        database=message.database,
        active_experiments=message.active_experiments,
        connected_workers=message.connected_workers,
        slots=message.slots,
        slots_used=message.slots_used,
        holder=message.holder,
        database_id=message.database_id,
    )
