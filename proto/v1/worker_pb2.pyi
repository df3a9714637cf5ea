import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from rungmaster.proto.v1 import experiment_pb2 as _experiment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExitOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXIT_OUTCOME_UNSPECIFIED: _ClassVar[ExitOutcome]
    EXIT_OUTCOME_RELEASED: _ClassVar[ExitOutcome]
    EXIT_OUTCOME_FAILED: _ClassVar[ExitOutcome]
    EXIT_OUTCOME_INVALID_HPARAMS: _ClassVar[ExitOutcome]
    EXIT_OUTCOME_WORKER_FAULT: _ClassVar[ExitOutcome]
    EXIT_OUTCOME_GIVEN_BACK: _ClassVar[ExitOutcome]
    EXIT_OUTCOME_CANNOT_START: _ClassVar[ExitOutcome]
    EXIT_OUTCOME_ENVIRONMENT: _ClassVar[ExitOutcome]

class DecisionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_KIND_UNSPECIFIED: _ClassVar[DecisionKind]
    DECISION_KIND_CONTINUE: _ClassVar[DecisionKind]
    DECISION_KIND_PAUSE: _ClassVar[DecisionKind]
    DECISION_KIND_STOP: _ClassVar[DecisionKind]
EXIT_OUTCOME_UNSPECIFIED: ExitOutcome
EXIT_OUTCOME_RELEASED: ExitOutcome
EXIT_OUTCOME_FAILED: ExitOutcome
EXIT_OUTCOME_INVALID_HPARAMS: ExitOutcome
EXIT_OUTCOME_WORKER_FAULT: ExitOutcome
EXIT_OUTCOME_GIVEN_BACK: ExitOutcome
EXIT_OUTCOME_CANNOT_START: ExitOutcome
EXIT_OUTCOME_ENVIRONMENT: ExitOutcome
DECISION_KIND_UNSPECIFIED: DecisionKind
DECISION_KIND_CONTINUE: DecisionKind
DECISION_KIND_PAUSE: DecisionKind
DECISION_KIND_STOP: DecisionKind

class SessionRequest(_message.Message):
    __slots__ = ("hello", "work_request", "events", "draining", "deleted_checkpoints", "waiting", "failed_deletions", "swept", "log_chunks")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    WORK_REQUEST_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    DELETED_CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    FAILED_DELETIONS_FIELD_NUMBER: _ClassVar[int]
    SWEPT_FIELD_NUMBER: _ClassVar[int]
    LOG_CHUNKS_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    work_request: WorkRequest
    events: _containers.RepeatedCompositeFieldContainer[LeaseEvent]
    draining: bool
    deleted_checkpoints: _containers.RepeatedScalarFieldContainer[str]
    waiting: str
    failed_deletions: _containers.RepeatedCompositeFieldContainer[FailedDeletion]
    swept: Swept
    log_chunks: _containers.RepeatedCompositeFieldContainer[LogChunk]
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., work_request: _Optional[_Union[WorkRequest, _Mapping]] = ..., events: _Optional[_Iterable[_Union[LeaseEvent, _Mapping]]] = ..., draining: _Optional[bool] = ..., deleted_checkpoints: _Optional[_Iterable[str]] = ..., waiting: _Optional[str] = ..., failed_deletions: _Optional[_Iterable[_Union[FailedDeletion, _Mapping]]] = ..., swept: _Optional[_Union[Swept, _Mapping]] = ..., log_chunks: _Optional[_Iterable[_Union[LogChunk, _Mapping]]] = ...) -> None: ...

class LogRequest(_message.Message):
    __slots__ = ("request_id", "lease", "position", "tail_lines", "max_bytes", "wait", "storage", "database_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    DATABASE_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    lease: LeaseRef
    position: int
    tail_lines: int
    max_bytes: int
    wait: _duration_pb2.Duration
    storage: str
    database_id: str
    def __init__(self, request_id: _Optional[str] = ..., lease: _Optional[_Union[LeaseRef, _Mapping]] = ..., position: _Optional[int] = ..., tail_lines: _Optional[int] = ..., max_bytes: _Optional[int] = ..., wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., storage: _Optional[str] = ..., database_id: _Optional[str] = ...) -> None: ...

class LogChunk(_message.Message):
    __slots__ = ("request_id", "position", "content", "more", "running", "missing", "error")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    position: int
    content: bytes
    more: bool
    running: bool
    missing: bool
    error: str
    def __init__(self, request_id: _Optional[str] = ..., position: _Optional[int] = ..., content: _Optional[bytes] = ..., more: _Optional[bool] = ..., running: _Optional[bool] = ..., missing: _Optional[bool] = ..., error: _Optional[str] = ...) -> None: ...

class Swept(_message.Message):
    __slots__ = ("request_id", "found", "after", "logged_experiments", "error")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LOGGED_EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    found: _containers.RepeatedCompositeFieldContainer[FoundCheckpoint]
    after: TrialRef
    logged_experiments: _containers.RepeatedScalarFieldContainer[int]
    error: str
    def __init__(self, request_id: _Optional[str] = ..., found: _Optional[_Iterable[_Union[FoundCheckpoint, _Mapping]]] = ..., after: _Optional[_Union[TrialRef, _Mapping]] = ..., logged_experiments: _Optional[_Iterable[int]] = ..., error: _Optional[str] = ...) -> None: ...

class FoundCheckpoint(_message.Message):
    __slots__ = ("path", "age")
    PATH_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    path: str
    age: _duration_pb2.Duration
    def __init__(self, path: _Optional[str] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class TrialRef(_message.Message):
    __slots__ = ("experiment_id", "trial_id")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    trial_id: int
    def __init__(self, experiment_id: _Optional[int] = ..., trial_id: _Optional[int] = ...) -> None: ...

class Sweep(_message.Message):
    __slots__ = ("request_id", "storage", "after", "least_age", "database_id", "deleted_experiments")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LEAST_AGE_FIELD_NUMBER: _ClassVar[int]
    DATABASE_ID_FIELD_NUMBER: _ClassVar[int]
    DELETED_EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    storage: str
    after: TrialRef
    least_age: _duration_pb2.Duration
    database_id: str
    deleted_experiments: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, request_id: _Optional[str] = ..., storage: _Optional[str] = ..., after: _Optional[_Union[TrialRef, _Mapping]] = ..., least_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., database_id: _Optional[str] = ..., deleted_experiments: _Optional[_Iterable[int]] = ...) -> None: ...

class FailedDeletion(_message.Message):
    __slots__ = ("uri", "error")
    URI_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    uri: str
    error: str
    def __init__(self, uri: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("session_id", "worker", "slots", "gpus", "labels", "version", "host", "pid", "held", "experiment_ids", "secret", "serves_logs")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    GPUS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    SERVES_LOGS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    worker: str
    slots: int
    gpus: _containers.RepeatedCompositeFieldContainer[Gpu]
    labels: _containers.ScalarMap[str, str]
    version: str
    host: str
    pid: int
    held: _containers.RepeatedCompositeFieldContainer[LeaseRef]
    experiment_ids: _containers.RepeatedScalarFieldContainer[int]
    secret: str
    serves_logs: bool
    def __init__(self, session_id: _Optional[str] = ..., worker: _Optional[str] = ..., slots: _Optional[int] = ..., gpus: _Optional[_Iterable[_Union[Gpu, _Mapping]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., version: _Optional[str] = ..., host: _Optional[str] = ..., pid: _Optional[int] = ..., held: _Optional[_Iterable[_Union[LeaseRef, _Mapping]]] = ..., experiment_ids: _Optional[_Iterable[int]] = ..., secret: _Optional[str] = ..., serves_logs: _Optional[bool] = ...) -> None: ...

class Gpu(_message.Message):
    __slots__ = ("uuid", "model", "memory_bytes")
    UUID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    uuid: str
    model: str
    memory_bytes: int
    def __init__(self, uuid: _Optional[str] = ..., model: _Optional[str] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class LeaseRef(_message.Message):
    __slots__ = ("experiment_id", "trial_id", "token")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    trial_id: int
    token: int
    def __init__(self, experiment_id: _Optional[int] = ..., trial_id: _Optional[int] = ..., token: _Optional[int] = ...) -> None: ...

class WorkRequest(_message.Message):
    __slots__ = ("request_id", "free_slots")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FREE_SLOTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    free_slots: int
    def __init__(self, request_id: _Optional[str] = ..., free_slots: _Optional[int] = ...) -> None: ...

class LeaseEvent(_message.Message):
    __slots__ = ("lease", "sequence", "measurement", "checkpoint_saved", "exit", "broken_checkpoints", "broken_uris", "started_from")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_SAVED_FIELD_NUMBER: _ClassVar[int]
    EXIT_FIELD_NUMBER: _ClassVar[int]
    BROKEN_CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    BROKEN_URIS_FIELD_NUMBER: _ClassVar[int]
    STARTED_FROM_FIELD_NUMBER: _ClassVar[int]
    lease: LeaseRef
    sequence: int
    measurement: Measurement
    checkpoint_saved: CheckpointSaved
    exit: Exit
    broken_checkpoints: str
    broken_uris: _containers.RepeatedScalarFieldContainer[str]
    started_from: str
    def __init__(self, lease: _Optional[_Union[LeaseRef, _Mapping]] = ..., sequence: _Optional[int] = ..., measurement: _Optional[_Union[Measurement, _Mapping]] = ..., checkpoint_saved: _Optional[_Union[CheckpointSaved, _Mapping]] = ..., exit: _Optional[_Union[Exit, _Mapping]] = ..., broken_checkpoints: _Optional[str] = ..., broken_uris: _Optional[_Iterable[str]] = ..., started_from: _Optional[str] = ...) -> None: ...

class Measurement(_message.Message):
    __slots__ = ("resource", "metrics")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    resource: int
    metrics: _containers.ScalarMap[str, float]
    def __init__(self, resource: _Optional[int] = ..., metrics: _Optional[_Mapping[str, float]] = ...) -> None: ...

class CheckpointSaved(_message.Message):
    __slots__ = ("path", "resource", "size_bytes", "checksum")
    PATH_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    path: str
    resource: int
    size_bytes: int
    checksum: str
    def __init__(self, path: _Optional[str] = ..., resource: _Optional[int] = ..., size_bytes: _Optional[int] = ..., checksum: _Optional[str] = ...) -> None: ...

class Exit(_message.Message):
    __slots__ = ("outcome", "error")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    outcome: ExitOutcome
    error: str
    def __init__(self, outcome: _Optional[_Union[ExitOutcome, str]] = ..., error: _Optional[str] = ...) -> None: ...

class SessionResponse(_message.Message):
    __slots__ = ("welcome", "assignments", "acknowledgements", "decisions", "lost_leases", "delete_checkpoints", "drain", "sweep", "log_requests")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENTS_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    LOST_LEASES_FIELD_NUMBER: _ClassVar[int]
    DELETE_CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    LOG_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    assignments: _containers.RepeatedCompositeFieldContainer[Assignment]
    acknowledgements: _containers.RepeatedCompositeFieldContainer[Acknowledgement]
    decisions: _containers.RepeatedCompositeFieldContainer[Decision]
    lost_leases: _containers.RepeatedCompositeFieldContainer[LeaseLost]
    delete_checkpoints: _containers.RepeatedScalarFieldContainer[str]
    drain: bool
    sweep: Sweep
    log_requests: _containers.RepeatedCompositeFieldContainer[LogRequest]
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., assignments: _Optional[_Iterable[_Union[Assignment, _Mapping]]] = ..., acknowledgements: _Optional[_Iterable[_Union[Acknowledgement, _Mapping]]] = ..., decisions: _Optional[_Iterable[_Union[Decision, _Mapping]]] = ..., lost_leases: _Optional[_Iterable[_Union[LeaseLost, _Mapping]]] = ..., delete_checkpoints: _Optional[_Iterable[str]] = ..., drain: _Optional[bool] = ..., sweep: _Optional[_Union[Sweep, _Mapping]] = ..., log_requests: _Optional[_Iterable[_Union[LogRequest, _Mapping]]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("term", "lease_ttl", "heartbeat_interval", "version", "exit_outcomes", "database_id")
    TERM_FIELD_NUMBER: _ClassVar[int]
    LEASE_TTL_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXIT_OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    DATABASE_ID_FIELD_NUMBER: _ClassVar[int]
    term: int
    lease_ttl: _duration_pb2.Duration
    heartbeat_interval: _duration_pb2.Duration
    version: str
    exit_outcomes: int
    database_id: str
    def __init__(self, term: _Optional[int] = ..., lease_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., version: _Optional[str] = ..., exit_outcomes: _Optional[int] = ..., database_id: _Optional[str] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("request_id", "lease", "entrypoint", "command", "hparams_json", "checkpoints", "target", "slots", "metric", "checkpoint_storage", "checkpoint_interval", "seed", "progress_timeout", "experiment_name", "database_id", "save_best", "best_metric", "storage_used", "preload", "stop_metric", "goal")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    ENTRYPOINT_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    HPARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_STORAGE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    DATABASE_ID_FIELD_NUMBER: _ClassVar[int]
    SAVE_BEST_FIELD_NUMBER: _ClassVar[int]
    BEST_METRIC_FIELD_NUMBER: _ClassVar[int]
    STORAGE_USED_FIELD_NUMBER: _ClassVar[int]
    PRELOAD_FIELD_NUMBER: _ClassVar[int]
    STOP_METRIC_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    lease: LeaseRef
    entrypoint: str
    command: _containers.RepeatedScalarFieldContainer[str]
    hparams_json: str
    checkpoints: _containers.RepeatedCompositeFieldContainer[CheckpointRef]
    target: int
    slots: int
    metric: str
    checkpoint_storage: str
    checkpoint_interval: _duration_pb2.Duration
    seed: int
    progress_timeout: _duration_pb2.Duration
    experiment_name: str
    database_id: str
    save_best: _experiment_pb2.Goal
    best_metric: float
    storage_used: bool
    preload: Preload
    stop_metric: float
    goal: _experiment_pb2.Goal
    def __init__(self, request_id: _Optional[str] = ..., lease: _Optional[_Union[LeaseRef, _Mapping]] = ..., entrypoint: _Optional[str] = ..., command: _Optional[_Iterable[str]] = ..., hparams_json: _Optional[str] = ..., checkpoints: _Optional[_Iterable[_Union[CheckpointRef, _Mapping]]] = ..., target: _Optional[int] = ..., slots: _Optional[int] = ..., metric: _Optional[str] = ..., checkpoint_storage: _Optional[str] = ..., checkpoint_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., seed: _Optional[int] = ..., progress_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., experiment_name: _Optional[str] = ..., database_id: _Optional[str] = ..., save_best: _Optional[_Union[_experiment_pb2.Goal, str]] = ..., best_metric: _Optional[float] = ..., storage_used: _Optional[bool] = ..., preload: _Optional[_Union[Preload, _Mapping]] = ..., stop_metric: _Optional[float] = ..., goal: _Optional[_Union[_experiment_pb2.Goal, str]] = ...) -> None: ...

class Preload(_message.Message):
    __slots__ = ("modules",)
    MODULES_FIELD_NUMBER: _ClassVar[int]
    modules: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, modules: _Optional[_Iterable[str]] = ...) -> None: ...

class CheckpointRef(_message.Message):
    __slots__ = ("uri", "resource", "checksum")
    URI_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    uri: str
    resource: int
    checksum: str
    def __init__(self, uri: _Optional[str] = ..., resource: _Optional[int] = ..., checksum: _Optional[str] = ...) -> None: ...

class Acknowledgement(_message.Message):
    __slots__ = ("lease", "sequence")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    lease: LeaseRef
    sequence: int
    def __init__(self, lease: _Optional[_Union[LeaseRef, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("lease", "sequence", "kind", "target", "save_checkpoint", "reason")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    SAVE_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    lease: LeaseRef
    sequence: int
    kind: DecisionKind
    target: int
    save_checkpoint: bool
    reason: str
    def __init__(self, lease: _Optional[_Union[LeaseRef, _Mapping]] = ..., sequence: _Optional[int] = ..., kind: _Optional[_Union[DecisionKind, str]] = ..., target: _Optional[int] = ..., save_checkpoint: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class LeaseLost(_message.Message):
    __slots__ = ("lease", "reason")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    lease: LeaseRef
    reason: str
    def __init__(self, lease: _Optional[_Union[LeaseRef, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...
