import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from rungmaster.proto.v1 import worker_pb2 as _worker_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKER_STATE_UNSPECIFIED: _ClassVar[WorkerState]
    WORKER_STATE_CONNECTED: _ClassVar[WorkerState]
    WORKER_STATE_DISCONNECTED: _ClassVar[WorkerState]
    WORKER_STATE_DRAINING: _ClassVar[WorkerState]
    WORKER_STATE_QUARANTINED: _ClassVar[WorkerState]
WORKER_STATE_UNSPECIFIED: WorkerState
WORKER_STATE_CONNECTED: WorkerState
WORKER_STATE_DISCONNECTED: WorkerState
WORKER_STATE_DRAINING: WorkerState
WORKER_STATE_QUARANTINED: WorkerState

class ListWorkersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListWorkersResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[Worker]
    def __init__(self, workers: _Optional[_Iterable[_Union[Worker, _Mapping]]] = ...) -> None: ...

class DrainWorkerRequest(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: str
    def __init__(self, worker: _Optional[str] = ...) -> None: ...

class DrainWorkerResponse(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: Worker
    def __init__(self, worker: _Optional[_Union[Worker, _Mapping]] = ...) -> None: ...

class Worker(_message.Message):
    __slots__ = ("session_id", "worker", "host", "pid", "version", "slots", "slots_used", "gpus", "labels", "state", "last_seen_time", "leases", "waiting_reason", "identity")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_USED_FIELD_NUMBER: _ClassVar[int]
    GPUS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    WAITING_REASON_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    worker: str
    host: str
    pid: int
    version: str
    slots: int
    slots_used: int
    gpus: _containers.RepeatedCompositeFieldContainer[_worker_pb2.Gpu]
    labels: _containers.ScalarMap[str, str]
    state: WorkerState
    last_seen_time: _timestamp_pb2.Timestamp
    leases: _containers.RepeatedCompositeFieldContainer[_worker_pb2.LeaseRef]
    waiting_reason: str
    identity: str
    def __init__(self, session_id: _Optional[str] = ..., worker: _Optional[str] = ..., host: _Optional[str] = ..., pid: _Optional[int] = ..., version: _Optional[str] = ..., slots: _Optional[int] = ..., slots_used: _Optional[int] = ..., gpus: _Optional[_Iterable[_Union[_worker_pb2.Gpu, _Mapping]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., state: _Optional[_Union[WorkerState, str]] = ..., last_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., leases: _Optional[_Iterable[_Union[_worker_pb2.LeaseRef, _Mapping]]] = ..., waiting_reason: _Optional[str] = ..., identity: _Optional[str] = ...) -> None: ...

class GetMasterInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMasterInfoResponse(_message.Message):
    __slots__ = ("version", "term", "start_time", "database", "active_experiments", "connected_workers", "slots", "slots_used", "holder", "database_id", "caller", "role")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    DATABASE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_WORKERS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_USED_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    DATABASE_ID_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    version: str
    term: int
    start_time: _timestamp_pb2.Timestamp
    database: str
    active_experiments: int
    connected_workers: int
    slots: int
    slots_used: int
    holder: str
    database_id: str
    caller: str
    role: str
    def __init__(self, version: _Optional[str] = ..., term: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., database: _Optional[str] = ..., active_experiments: _Optional[int] = ..., connected_workers: _Optional[int] = ..., slots: _Optional[int] = ..., slots_used: _Optional[int] = ..., holder: _Optional[str] = ..., database_id: _Optional[str] = ..., caller: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...
