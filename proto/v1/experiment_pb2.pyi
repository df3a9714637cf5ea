import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExperimentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPERIMENT_STATE_UNSPECIFIED: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_ACTIVE: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_PAUSED: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_COMPLETED: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_CANCELLED: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_FAILED: _ClassVar[ExperimentState]

class TrialState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIAL_STATE_UNSPECIFIED: _ClassVar[TrialState]
    TRIAL_STATE_PENDING: _ClassVar[TrialState]
    TRIAL_STATE_RUNNING: _ClassVar[TrialState]
    TRIAL_STATE_PAUSED: _ClassVar[TrialState]
    TRIAL_STATE_COMPLETED: _ClassVar[TrialState]
    TRIAL_STATE_STOPPED: _ClassVar[TrialState]
    TRIAL_STATE_FAILED: _ClassVar[TrialState]
    TRIAL_STATE_DISCARDED: _ClassVar[TrialState]
    TRIAL_STATE_CANCELLED: _ClassVar[TrialState]

class Goal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GOAL_UNSPECIFIED: _ClassVar[Goal]
    GOAL_MINIMIZE: _ClassVar[Goal]
    GOAL_MAXIMIZE: _ClassVar[Goal]

class TrialOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIAL_ORDER_UNSPECIFIED: _ClassVar[TrialOrder]
    TRIAL_ORDER_ID: _ClassVar[TrialOrder]
    TRIAL_ORDER_BEST: _ClassVar[TrialOrder]
EXPERIMENT_STATE_UNSPECIFIED: ExperimentState
EXPERIMENT_STATE_ACTIVE: ExperimentState
EXPERIMENT_STATE_PAUSED: ExperimentState
EXPERIMENT_STATE_COMPLETED: ExperimentState
EXPERIMENT_STATE_CANCELLED: ExperimentState
EXPERIMENT_STATE_FAILED: ExperimentState
TRIAL_STATE_UNSPECIFIED: TrialState
TRIAL_STATE_PENDING: TrialState
TRIAL_STATE_RUNNING: TrialState
TRIAL_STATE_PAUSED: TrialState
TRIAL_STATE_COMPLETED: TrialState
TRIAL_STATE_STOPPED: TrialState
TRIAL_STATE_FAILED: TrialState
TRIAL_STATE_DISCARDED: TrialState
TRIAL_STATE_CANCELLED: TrialState
GOAL_UNSPECIFIED: Goal
GOAL_MINIMIZE: Goal
GOAL_MAXIMIZE: Goal
TRIAL_ORDER_UNSPECIFIED: TrialOrder
TRIAL_ORDER_ID: TrialOrder
TRIAL_ORDER_BEST: TrialOrder

class Experiment(_message.Message):
    __slots__ = ("experiment_id", "name", "state", "state_reason", "spec_json", "metric", "goal", "unit", "create_time", "end_time", "trial_counts", "brackets", "best_trial", "resource_spent", "resource_full", "thinning", "last_event_id", "ending", "best_by", "leading_trial", "furthest_trial", "priority", "weight", "max_concurrent_trials", "owner", "max_trials", "sampler_problem", "owner_known_by")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_REASON_FIELD_NUMBER: _ClassVar[int]
    SPEC_JSON_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    TRIAL_COUNTS_FIELD_NUMBER: _ClassVar[int]
    BRACKETS_FIELD_NUMBER: _ClassVar[int]
    BEST_TRIAL_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_SPENT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FULL_FIELD_NUMBER: _ClassVar[int]
    THINNING_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    BEST_BY_FIELD_NUMBER: _ClassVar[int]
    LEADING_TRIAL_FIELD_NUMBER: _ClassVar[int]
    FURTHEST_TRIAL_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_TRIALS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    MAX_TRIALS_FIELD_NUMBER: _ClassVar[int]
    SAMPLER_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    OWNER_KNOWN_BY_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    name: str
    state: ExperimentState
    state_reason: str
    spec_json: str
    metric: str
    goal: Goal
    unit: str
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    trial_counts: TrialCounts
    brackets: _containers.RepeatedCompositeFieldContainer[Bracket]
    best_trial: Trial
    resource_spent: int
    resource_full: int
    thinning: Thinning
    last_event_id: int
    ending: bool
    best_by: str
    leading_trial: Trial
    furthest_trial: Trial
    priority: int
    weight: float
    max_concurrent_trials: int
    owner: str
    max_trials: int
    sampler_problem: str
    owner_known_by: str
    def __init__(self, experiment_id: _Optional[int] = ..., name: _Optional[str] = ..., state: _Optional[_Union[ExperimentState, str]] = ..., state_reason: _Optional[str] = ..., spec_json: _Optional[str] = ..., metric: _Optional[str] = ..., goal: _Optional[_Union[Goal, str]] = ..., unit: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trial_counts: _Optional[_Union[TrialCounts, _Mapping]] = ..., brackets: _Optional[_Iterable[_Union[Bracket, _Mapping]]] = ..., best_trial: _Optional[_Union[Trial, _Mapping]] = ..., resource_spent: _Optional[int] = ..., resource_full: _Optional[int] = ..., thinning: _Optional[_Union[Thinning, _Mapping]] = ..., last_event_id: _Optional[int] = ..., ending: _Optional[bool] = ..., best_by: _Optional[str] = ..., leading_trial: _Optional[_Union[Trial, _Mapping]] = ..., furthest_trial: _Optional[_Union[Trial, _Mapping]] = ..., priority: _Optional[int] = ..., weight: _Optional[float] = ..., max_concurrent_trials: _Optional[int] = ..., owner: _Optional[str] = ..., max_trials: _Optional[int] = ..., sampler_problem: _Optional[str] = ..., owner_known_by: _Optional[str] = ...) -> None: ...

class Thinning(_message.Message):
    __slots__ = ("keep_every", "reports_dropped", "start_time", "end_time")
    KEEP_EVERY_FIELD_NUMBER: _ClassVar[int]
    REPORTS_DROPPED_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    keep_every: int
    reports_dropped: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, keep_every: _Optional[int] = ..., reports_dropped: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TrialCounts(_message.Message):
    __slots__ = ("pending", "running", "paused", "completed", "stopped", "failed", "discarded", "cancelled", "planned")
    PENDING_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    DISCARDED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    pending: int
    running: int
    paused: int
    completed: int
    stopped: int
    failed: int
    discarded: int
    cancelled: int
    planned: int
    def __init__(self, pending: _Optional[int] = ..., running: _Optional[int] = ..., paused: _Optional[int] = ..., completed: _Optional[int] = ..., stopped: _Optional[int] = ..., failed: _Optional[int] = ..., discarded: _Optional[int] = ..., cancelled: _Optional[int] = ..., planned: _Optional[int] = ...) -> None: ...

class Bracket(_message.Message):
    __slots__ = ("bracket_id", "max_trials", "max_concurrent_trials", "trials_created", "rungs")
    BRACKET_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_TRIALS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_TRIALS_FIELD_NUMBER: _ClassVar[int]
    TRIALS_CREATED_FIELD_NUMBER: _ClassVar[int]
    RUNGS_FIELD_NUMBER: _ClassVar[int]
    bracket_id: int
    max_trials: int
    max_concurrent_trials: int
    trials_created: int
    rungs: _containers.RepeatedCompositeFieldContainer[Rung]
    def __init__(self, bracket_id: _Optional[int] = ..., max_trials: _Optional[int] = ..., max_concurrent_trials: _Optional[int] = ..., trials_created: _Optional[int] = ..., rungs: _Optional[_Iterable[_Union[Rung, _Mapping]]] = ...) -> None: ...

class Rung(_message.Message):
    __slots__ = ("rung_id", "resource", "entered", "promoted", "failed", "best_metric")
    RUNG_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    PROMOTED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    BEST_METRIC_FIELD_NUMBER: _ClassVar[int]
    rung_id: int
    resource: int
    entered: int
    promoted: int
    failed: int
    best_metric: float
    def __init__(self, rung_id: _Optional[int] = ..., resource: _Optional[int] = ..., entered: _Optional[int] = ..., promoted: _Optional[int] = ..., failed: _Optional[int] = ..., best_metric: _Optional[float] = ...) -> None: ...

class Trial(_message.Message):
    __slots__ = ("experiment_id", "trial_id", "state", "hparams_json", "bracket_id", "rung_id", "resource", "target", "metric", "metric_resource", "restarts", "workers_lost", "state_reason", "create_time", "end_time", "worker", "best_metric", "best_resource", "origin", "parent", "start_resource", "schedule")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HPARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    BRACKET_ID_FIELD_NUMBER: _ClassVar[int]
    RUNG_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    METRIC_RESOURCE_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_LOST_FIELD_NUMBER: _ClassVar[int]
    STATE_REASON_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    BEST_METRIC_FIELD_NUMBER: _ClassVar[int]
    BEST_RESOURCE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    START_RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    trial_id: int
    state: TrialState
    hparams_json: str
    bracket_id: int
    rung_id: int
    resource: int
    target: int
    metric: float
    metric_resource: int
    restarts: int
    workers_lost: int
    state_reason: str
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    worker: str
    best_metric: float
    best_resource: int
    origin: str
    parent: int
    start_resource: int
    schedule: _containers.RepeatedCompositeFieldContainer[ScheduleEntry]
    def __init__(self, experiment_id: _Optional[int] = ..., trial_id: _Optional[int] = ..., state: _Optional[_Union[TrialState, str]] = ..., hparams_json: _Optional[str] = ..., bracket_id: _Optional[int] = ..., rung_id: _Optional[int] = ..., resource: _Optional[int] = ..., target: _Optional[int] = ..., metric: _Optional[float] = ..., metric_resource: _Optional[int] = ..., restarts: _Optional[int] = ..., workers_lost: _Optional[int] = ..., state_reason: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., worker: _Optional[str] = ..., best_metric: _Optional[float] = ..., best_resource: _Optional[int] = ..., origin: _Optional[str] = ..., parent: _Optional[int] = ..., start_resource: _Optional[int] = ..., schedule: _Optional[_Iterable[_Union[ScheduleEntry, _Mapping]]] = ...) -> None: ...

class ScheduleEntry(_message.Message):
    __slots__ = ("trial_id", "from_resource", "to_resource", "hparams_json")
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_RESOURCE_FIELD_NUMBER: _ClassVar[int]
    TO_RESOURCE_FIELD_NUMBER: _ClassVar[int]
    HPARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    trial_id: int
    from_resource: int
    to_resource: int
    hparams_json: str
    def __init__(self, trial_id: _Optional[int] = ..., from_resource: _Optional[int] = ..., to_resource: _Optional[int] = ..., hparams_json: _Optional[str] = ...) -> None: ...

class Lease(_message.Message):
    __slots__ = ("token", "worker", "from_resource", "target", "start_time", "end_time", "outcome", "error")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    FROM_RESOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    token: int
    worker: str
    from_resource: int
    target: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    outcome: str
    error: str
    def __init__(self, token: _Optional[int] = ..., worker: _Optional[str] = ..., from_resource: _Optional[int] = ..., target: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outcome: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class Checkpoint(_message.Message):
    __slots__ = ("uri", "resource", "size_bytes", "checksum", "token", "create_time", "delete_time")
    URI_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELETE_TIME_FIELD_NUMBER: _ClassVar[int]
    uri: str
    resource: int
    size_bytes: int
    checksum: str
    token: int
    create_time: _timestamp_pb2.Timestamp
    delete_time: _timestamp_pb2.Timestamp
    def __init__(self, uri: _Optional[str] = ..., resource: _Optional[int] = ..., size_bytes: _Optional[int] = ..., checksum: _Optional[str] = ..., token: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delete_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("resource", "metrics", "token", "sequence", "receive_time", "trial_id", "commit_id")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    COMMIT_ID_FIELD_NUMBER: _ClassVar[int]
    resource: int
    metrics: _containers.ScalarMap[str, float]
    token: int
    sequence: int
    receive_time: _timestamp_pb2.Timestamp
    trial_id: int
    commit_id: int
    def __init__(self, resource: _Optional[int] = ..., metrics: _Optional[_Mapping[str, float]] = ..., token: _Optional[int] = ..., sequence: _Optional[int] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trial_id: _Optional[int] = ..., commit_id: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("event_id", "experiment_id", "trial_id", "create_time", "kind", "data_json")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATA_JSON_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    experiment_id: int
    trial_id: int
    create_time: _timestamp_pb2.Timestamp
    kind: str
    data_json: str
    def __init__(self, event_id: _Optional[int] = ..., experiment_id: _Optional[int] = ..., trial_id: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[str] = ..., data_json: _Optional[str] = ...) -> None: ...

class CreateExperimentRequest(_message.Message):
    __slots__ = ("spec", "request_id", "code", "owner")
    class CodeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SPEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    spec: str
    request_id: str
    code: _containers.ScalarMap[str, str]
    owner: str
    def __init__(self, spec: _Optional[str] = ..., request_id: _Optional[str] = ..., code: _Optional[_Mapping[str, str]] = ..., owner: _Optional[str] = ...) -> None: ...

class CreateExperimentResponse(_message.Message):
    __slots__ = ("experiment", "warnings")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    experiment: Experiment
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, experiment: _Optional[_Union[Experiment, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class GetExperimentRequest(_message.Message):
    __slots__ = ("experiment_id", "troubles")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TROUBLES_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    troubles: bool
    def __init__(self, experiment_id: _Optional[int] = ..., troubles: _Optional[bool] = ...) -> None: ...

class GetExperimentResponse(_message.Message):
    __slots__ = ("experiment", "troubles")
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    TROUBLES_FIELD_NUMBER: _ClassVar[int]
    experiment: Experiment
    troubles: _containers.RepeatedCompositeFieldContainer[Trouble]
    def __init__(self, experiment: _Optional[_Union[Experiment, _Mapping]] = ..., troubles: _Optional[_Iterable[_Union[Trouble, _Mapping]]] = ...) -> None: ...

class Trouble(_message.Message):
    __slots__ = ("kind", "count", "example", "trial_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_FIELD_NUMBER: _ClassVar[int]
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    count: int
    example: str
    trial_id: int
    def __init__(self, kind: _Optional[str] = ..., count: _Optional[int] = ..., example: _Optional[str] = ..., trial_id: _Optional[int] = ...) -> None: ...

class ListExperimentsRequest(_message.Message):
    __slots__ = ("states", "name_contains", "page_size", "page_token")
    STATES_FIELD_NUMBER: _ClassVar[int]
    NAME_CONTAINS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[ExperimentState]
    name_contains: str
    page_size: int
    page_token: str
    def __init__(self, states: _Optional[_Iterable[_Union[ExperimentState, str]]] = ..., name_contains: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListExperimentsResponse(_message.Message):
    __slots__ = ("experiments", "next_page_token")
    EXPERIMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    experiments: _containers.RepeatedCompositeFieldContainer[Experiment]
    next_page_token: str
    def __init__(self, experiments: _Optional[_Iterable[_Union[Experiment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PauseExperimentRequest(_message.Message):
    __slots__ = ("experiment_id",)
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    def __init__(self, experiment_id: _Optional[int] = ...) -> None: ...

class PauseExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: Experiment
    def __init__(self, experiment: _Optional[_Union[Experiment, _Mapping]] = ...) -> None: ...

class ResumeExperimentRequest(_message.Message):
    __slots__ = ("experiment_id",)
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    def __init__(self, experiment_id: _Optional[int] = ...) -> None: ...

class ResumeExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: Experiment
    def __init__(self, experiment: _Optional[_Union[Experiment, _Mapping]] = ...) -> None: ...

class CancelExperimentRequest(_message.Message):
    __slots__ = ("experiment_id",)
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    def __init__(self, experiment_id: _Optional[int] = ...) -> None: ...

class CancelExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: Experiment
    def __init__(self, experiment: _Optional[_Union[Experiment, _Mapping]] = ...) -> None: ...

class SetExperimentRequest(_message.Message):
    __slots__ = ("experiment_id", "priority", "weight", "max_concurrent_trials")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_TRIALS_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    priority: int
    weight: float
    max_concurrent_trials: int
    def __init__(self, experiment_id: _Optional[int] = ..., priority: _Optional[int] = ..., weight: _Optional[float] = ..., max_concurrent_trials: _Optional[int] = ...) -> None: ...

class ExtendExperimentRequest(_message.Message):
    __slots__ = ("experiment_id", "max_trials")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_TRIALS_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    max_trials: int
    def __init__(self, experiment_id: _Optional[int] = ..., max_trials: _Optional[int] = ...) -> None: ...

class ExtendExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: Experiment
    def __init__(self, experiment: _Optional[_Union[Experiment, _Mapping]] = ...) -> None: ...

class SetExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: Experiment
    def __init__(self, experiment: _Optional[_Union[Experiment, _Mapping]] = ...) -> None: ...

class DeleteExperimentRequest(_message.Message):
    __slots__ = ("experiment_id",)
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    def __init__(self, experiment_id: _Optional[int] = ...) -> None: ...

class DeleteExperimentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ThinExperimentRequest(_message.Message):
    __slots__ = ("experiment_id", "keep_every")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    KEEP_EVERY_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    keep_every: int
    def __init__(self, experiment_id: _Optional[int] = ..., keep_every: _Optional[int] = ...) -> None: ...

class ThinExperimentResponse(_message.Message):
    __slots__ = ("experiment",)
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    experiment: Experiment
    def __init__(self, experiment: _Optional[_Union[Experiment, _Mapping]] = ...) -> None: ...

class ListTrialsRequest(_message.Message):
    __slots__ = ("experiment_id", "states", "order", "page_size", "page_token")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    states: _containers.RepeatedScalarFieldContainer[TrialState]
    order: TrialOrder
    page_size: int
    page_token: str
    def __init__(self, experiment_id: _Optional[int] = ..., states: _Optional[_Iterable[_Union[TrialState, str]]] = ..., order: _Optional[_Union[TrialOrder, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTrialsResponse(_message.Message):
    __slots__ = ("trials", "next_page_token")
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    trials: _containers.RepeatedCompositeFieldContainer[Trial]
    next_page_token: str
    def __init__(self, trials: _Optional[_Iterable[_Union[Trial, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetTrialRequest(_message.Message):
    __slots__ = ("experiment_id", "trial_id")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    trial_id: int
    def __init__(self, experiment_id: _Optional[int] = ..., trial_id: _Optional[int] = ...) -> None: ...

class GetTrialResponse(_message.Message):
    __slots__ = ("trial", "leases", "checkpoints", "children")
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    trial: Trial
    leases: _containers.RepeatedCompositeFieldContainer[Lease]
    checkpoints: _containers.RepeatedCompositeFieldContainer[Checkpoint]
    children: int
    def __init__(self, trial: _Optional[_Union[Trial, _Mapping]] = ..., leases: _Optional[_Iterable[_Union[Lease, _Mapping]]] = ..., checkpoints: _Optional[_Iterable[_Union[Checkpoint, _Mapping]]] = ..., children: _Optional[int] = ...) -> None: ...

class ListMetricsRequest(_message.Message):
    __slots__ = ("experiment_id", "trial_id", "page_size", "page_token")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    trial_id: int
    page_size: int
    page_token: str
    def __init__(self, experiment_id: _Optional[int] = ..., trial_id: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMetricsResponse(_message.Message):
    __slots__ = ("reports", "next_page_token")
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[Report]
    next_page_token: str
    def __init__(self, reports: _Optional[_Iterable[_Union[Report, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchExperimentRequest(_message.Message):
    __slots__ = ("experiment_id", "after_event_id")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    after_event_id: int
    def __init__(self, experiment_id: _Optional[int] = ..., after_event_id: _Optional[int] = ...) -> None: ...

class WatchExperimentResponse(_message.Message):
    __slots__ = ("events", "state", "ending")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    state: ExperimentState
    ending: bool
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., state: _Optional[_Union[ExperimentState, str]] = ..., ending: _Optional[bool] = ...) -> None: ...

class WatchReportsRequest(_message.Message):
    __slots__ = ("experiment_id", "after")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    after: str
    def __init__(self, experiment_id: _Optional[int] = ..., after: _Optional[str] = ...) -> None: ...

class WatchReportsResponse(_message.Message):
    __slots__ = ("reports", "state", "ending", "position", "caught_up")
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[Report]
    state: ExperimentState
    ending: bool
    position: str
    caught_up: bool
    def __init__(self, reports: _Optional[_Iterable[_Union[Report, _Mapping]]] = ..., state: _Optional[_Union[ExperimentState, str]] = ..., ending: _Optional[bool] = ..., position: _Optional[str] = ..., caught_up: _Optional[bool] = ...) -> None: ...

class ReadCurvesRequest(_message.Message):
    __slots__ = ("experiment_id", "metric", "points")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    metric: str
    points: int
    def __init__(self, experiment_id: _Optional[int] = ..., metric: _Optional[str] = ..., points: _Optional[int] = ...) -> None: ...

class ReadCurvesResponse(_message.Message):
    __slots__ = ("curves", "records", "end")
    CURVES_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    curves: _containers.RepeatedCompositeFieldContainer[Curve]
    records: _containers.RepeatedCompositeFieldContainer[ResultRecord]
    end: CurvesEnd
    def __init__(self, curves: _Optional[_Iterable[_Union[Curve, _Mapping]]] = ..., records: _Optional[_Iterable[_Union[ResultRecord, _Mapping]]] = ..., end: _Optional[_Union[CurvesEnd, _Mapping]] = ...) -> None: ...

class Curve(_message.Message):
    __slots__ = ("trial_id", "furthest", "resources", "values", "times_us")
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    FURTHEST_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TIMES_US_FIELD_NUMBER: _ClassVar[int]
    trial_id: int
    furthest: int
    resources: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    times_us: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, trial_id: _Optional[int] = ..., furthest: _Optional[int] = ..., resources: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., times_us: _Optional[_Iterable[int]] = ...) -> None: ...

class CurvesEnd(_message.Message):
    __slots__ = ("metrics", "spent", "position")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedScalarFieldContainer[str]
    spent: int
    position: str
    def __init__(self, metrics: _Optional[_Iterable[str]] = ..., spent: _Optional[int] = ..., position: _Optional[str] = ...) -> None: ...

class ResultRecord(_message.Message):
    __slots__ = ("trial_id", "resource", "value", "time_us", "spent")
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    trial_id: int
    resource: int
    value: float
    time_us: int
    spent: int
    def __init__(self, trial_id: _Optional[int] = ..., resource: _Optional[int] = ..., value: _Optional[float] = ..., time_us: _Optional[int] = ..., spent: _Optional[int] = ...) -> None: ...

class ListActsRequest(_message.Message):
    __slots__ = ("experiment_id", "who", "since_time", "oldest_first", "page_size", "page_token")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    who: str
    since_time: _timestamp_pb2.Timestamp
    oldest_first: bool
    page_size: int
    page_token: str
    def __init__(self, experiment_id: _Optional[int] = ..., who: _Optional[str] = ..., since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., oldest_first: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListActsResponse(_message.Message):
    __slots__ = ("acts", "next_page_token")
    ACTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    acts: _containers.RepeatedCompositeFieldContainer[Act]
    next_page_token: str
    def __init__(self, acts: _Optional[_Iterable[_Union[Act, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Act(_message.Message):
    __slots__ = ("act_id", "create_time", "kind", "experiment_id", "subject", "who", "known_by", "host", "data_json")
    ACT_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    KNOWN_BY_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    DATA_JSON_FIELD_NUMBER: _ClassVar[int]
    act_id: int
    create_time: _timestamp_pb2.Timestamp
    kind: str
    experiment_id: int
    subject: str
    who: str
    known_by: str
    host: str
    data_json: str
    def __init__(self, act_id: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[str] = ..., experiment_id: _Optional[int] = ..., subject: _Optional[str] = ..., who: _Optional[str] = ..., known_by: _Optional[str] = ..., host: _Optional[str] = ..., data_json: _Optional[str] = ...) -> None: ...

class ReadTrialLogRequest(_message.Message):
    __slots__ = ("experiment_id", "trial_id", "token", "follow", "tail_lines", "from_token", "from_position")
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRIAL_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    FROM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FROM_POSITION_FIELD_NUMBER: _ClassVar[int]
    experiment_id: int
    trial_id: int
    token: int
    follow: bool
    tail_lines: int
    from_token: int
    from_position: int
    def __init__(self, experiment_id: _Optional[int] = ..., trial_id: _Optional[int] = ..., token: _Optional[int] = ..., follow: _Optional[bool] = ..., tail_lines: _Optional[int] = ..., from_token: _Optional[int] = ..., from_position: _Optional[int] = ...) -> None: ...

class ReadTrialLogResponse(_message.Message):
    __slots__ = ("lease", "content", "position", "missing", "uri", "note", "done")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    lease: Lease
    content: bytes
    position: int
    missing: str
    uri: str
    note: str
    done: bool
    def __init__(self, lease: _Optional[_Union[Lease, _Mapping]] = ..., content: _Optional[bytes] = ..., position: _Optional[int] = ..., missing: _Optional[str] = ..., uri: _Optional[str] = ..., note: _Optional[str] = ..., done: _Optional[bool] = ...) -> None: ...
