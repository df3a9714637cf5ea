"""Experiments, trials and workers as people and programs see them: plain values, the same on both sides of the wire.

`proto/v1` says what each field means, and in which unit; the names here are the same. Times are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from .positions import ReportPosition

#: Why an experiment is completed that trained all that its search wanted.
SEARCH_ENDED = "the search has ended"


class ExperimentState(StrEnum):
    """Where an experiment stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether it can never change again."""
        return self not in (ExperimentState.ACTIVE, ExperimentState.PAUSED)


class TrialState(StrEnum):
    """Where a trial stands."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    DISCARDED = "discarded"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether it can never change again."""
        return self not in (TrialState.PENDING, TrialState.RUNNING, TrialState.PAUSED)


class TrialOrder(StrEnum):
    """The order of a list of trials."""

    ID = "id"
    BEST = "best"


class WorkerState(StrEnum):
    """Where a worker stands."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    DRAINING = "draining"
    QUARANTINED = "quarantined"


class LeaseRef(NamedTuple):
    """Names one lease: a trial, and the fencing token under which it is trained. Looked up with every report."""

    experiment_id: int
    trial_id: int
    token: int


@dataclass(frozen=True, slots=True)
class Rung:
    """One level of a bracket, with how many trials came, went on and failed."""

    rung_id: int
    resource: int
    entered: int = 0
    promoted: int = 0
    failed: int = 0
    best_metric: float | None = None


@dataclass(frozen=True, slots=True)
class Bracket:
    """One ASHA run with its own number of rungs.

    `max_trials` is how many trials it makes; in a search that learns (`mode: learned`) as many as it would without
    having learned anything, and `trials_created` may come to more.
    """

    bracket_id: int
    max_trials: int
    max_concurrent_trials: int | None
    trials_created: int
    rungs: tuple[Rung, ...]


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """One part of a model's training: which trial, from which resource to which, with which hyperparameters."""

    trial_id: int
    from_resource: int
    to_resource: int
    hparams: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrialInfo:
    """One set of hyperparameters and how far it was trained."""

    experiment_id: int
    trial_id: int
    state: TrialState
    hparams: Mapping[str, Any]
    bracket_id: int
    rung_id: int
    resource: int
    target: int
    metric: float | None
    metric_resource: int
    restarts: int
    workers_lost: int
    state_reason: str
    create_time: datetime
    end_time: datetime | None
    worker: str
    #: The best result of any report, and the resource at which it was measured.
    best_metric: float | None = None
    best_resource: int = 0
    #: Where its hyperparameters came from.
    origin: str = ""
    #: The trial from whose checkpoint it started, and the resource of that.
    parent: int | None = None
    start_resource: int = 0
    #: Of a trial with a parent, how its model was trained, from nothing on; known where one trial is asked for.
    schedule: tuple[ScheduleEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Thinning:
    """The thinning of an experiment's reports; it goes on while `end_time` is None."""

    keep_every: int
    reports_dropped: int
    start_time: datetime
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One search. In lists `spec` and `brackets` are empty, and `last_event_id`, its journal's newest, is 0."""

    experiment_id: int
    name: str
    state: ExperimentState
    state_reason: str
    metric: str
    goal: str
    unit: str
    create_time: datetime
    end_time: datetime | None
    trial_counts: Mapping[TrialState, int]
    planned_trials: int
    resource_spent: int
    resource_full: int
    spec: Mapping[str, Any] = field(default_factory=dict)
    brackets: tuple[Bracket, ...] = ()
    best_trial: TrialInfo | None = None
    thinning: Thinning | None = None
    last_event_id: int = 0
    #: Whether it has ended and its trials are still being ended: its counts follow.
    ending: bool = False
    #: Which result of a trial counts when the best is named: "any", or the "last" at a rung.
    best_by: str = "any"
    #: The trial with the best result of any report, and the best of those trained furthest (not in lists).
    leading_trial: TrialInfo | None = None
    furthest_trial: TrialInfo | None = None
    #: The values in force, whatever the spec says; no `max_concurrent_trials`: every free slot.
    priority: int = 0
    weight: float = 1.0
    max_concurrent_trials: int | None = None
    #: Who submitted it: the name of the token, or without tokens the user that the client names; "" if nobody knows.
    owner: str = ""
    #: How many trials it makes since it was extended; None where it was not, and makes as many as its spec says.
    max_trials: int | None = None
    #: What is wrong with its sampler now; "" where it answers, or where the master draws the hyperparameters itself.
    sampler_problem: str = ""
    #: What the owner has shown: "token", "certificate", or "" where the client may have said any name.
    owner_known_by: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended, with all its trials."""
        return self.state.ended and not self.ending

    def result_of(self, trial: TrialInfo) -> tuple[float | None, int]:
        """The result of one of its trials that counts when the best is named, and the resource of it."""
        if self.best_by == "any":
            return trial.best_metric, trial.best_resource
        return trial.metric, trial.metric_resource


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that went wrong `count` times in the same way; `example` and `trial_id` are of the first."""

    kind: str
    count: int
    example: str
    trial_id: int


@dataclass(frozen=True, slots=True)
class Lease:
    """One assignment of a trial to a worker."""

    token: int
    worker: str
    from_resource: int
    target: int
    start_time: datetime
    end_time: datetime | None
    outcome: str
    error: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint in the store."""

    uri: str
    resource: int
    size_bytes: int
    checksum: str
    token: int
    create_time: datetime
    delete_time: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """One measurement. `commit_id` grows from commit to commit; 0 where an older version stored it."""

    resource: int
    metrics: Mapping[str, float]
    token: int
    sequence: int
    receive_time: datetime
    trial_id: int
    commit_id: int

    @property
    def position(self) -> ReportPosition:
        """Its place in the stream of its experiment's reports."""
        return ReportPosition(self.commit_id, self.trial_id, self.token, self.sequence)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the journal."""

    event_id: int
    experiment_id: int
    trial_id: int | None
    create_time: datetime
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a person did to an experiment, or (None) to a worker; `subject` is its name. `known_by` says what
    showed `who` it was: "token", "certificate", or "" where the master asked for nothing."""

    act_id: int
    create_time: datetime
    kind: str
    experiment_id: int | None
    subject: str
    who: str
    known_by: str
    host: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of a worker."""

    uuid: str
    model: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker as the master sees it."""

    session_id: str
    worker: str
    host: str
    pid: int
    version: str
    slots: int
    slots_used: int
    gpus: tuple[Gpu, ...]
    labels: Mapping[str, str]
    state: WorkerState
    last_seen_time: datetime
    leases: tuple[LeaseRef, ...]
    waiting_reason: str
    #: The name of the token or certificate with which it came; empty where the master asks for none.
    identity: str = ""


@dataclass(frozen=True, slots=True)
class MasterInfo:
    """The master that answers."""

    version: str
    term: int
    start_time: datetime
    database: str
    active_experiments: int
    connected_workers: int
    slots: int
    slots_used: int
    holder: str = ""
    #: What tells its database from every other; empty from masters of versions that had none.
    database_id: str = ""
    #: The name and the role of the caller's token; empty where the master asks for none.
    caller: str = ""
    role: str = ""
