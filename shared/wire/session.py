"""What a worker and the master say to each other, as plain values; `proto/v1/worker.proto` has each meaning.

What is made for every report or message is a named tuple: making one costs a quarter of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from .model import Gpu, LeaseRef


class ExitOutcome(StrEnum):
    """How a lease ended, from the worker's side."""

    RELEASED = "released"
    GIVEN_BACK = "given_back"
    FAILED = "failed"
    INVALID_HPARAMS = "invalid"
    WORKER_FAULT = "worker_fault"
    CANNOT_START = "cannot_start"
    ENVIRONMENT = "environment"


class DecisionKind(StrEnum):
    """What a trial does now."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the worker is, what it holds, and of which experiments it takes work (none named: of any)."""

    session_id: str
    worker: str
    slots: int
    gpus: tuple[Gpu, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    host: str = ""
    pid: int = 0
    held: tuple[LeaseRef, ...] = ()
    experiment_ids: frozenset[int] = frozenset()
    #: What proves that a session is its own; kept out of logs.
    secret: str = field(default="", repr=False)
    #: Whether it answers questions about logs.
    serves_logs: bool = False


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """Asks for one assignment of at most `free_slots`; 0 withdraws the request."""

    request_id: str
    free_slots: int


class Measurement(NamedTuple):
    """What the training code reported."""

    resource: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """A checkpoint is whole in the store, at this path in it."""

    path: str
    resource: int
    size_bytes: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a lease."""

    outcome: ExitOutcome
    error: str = ""


class LeaseEvent(NamedTuple):
    """Something that happened under a lease, at its place in the lease's sequence (from 1)."""

    lease: LeaseRef
    sequence: int
    event: Measurement | CheckpointSaved | Exit
    #: On the first event: which checkpoints were broken, and where the training starts instead.
    broken_checkpoints: str = ""
    #: With it, the URIs of those that were broken.
    broken_uris: tuple[str, ...] = ()
    #: And the URI of the checkpoint from which the training starts instead; empty: from nothing.
    started_from: str = ""


class TrialRef(NamedTuple):
    """Names a trial."""

    experiment_id: int
    trial_id: int


#: Every trial comes after it.
BEFORE_ALL_TRIALS = TrialRef(0, -1)


class Found(NamedTuple):
    """A checkpoint by its path in a storage, whole or not, and how many seconds ago anything of it last changed."""

    path: str
    age_s: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """Asks what lies in a database's part of a storage after a trial and is so many seconds old; with
    no storage, of which experiments the worker keeps logs, once it has deleted those of `deleted_experiments`."""

    request_id: str
    database_id: str
    storage: str = ""
    after: TrialRef = BEFORE_ALL_TRIALS
    least_age_s: float = 0.0
    deleted_experiments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Swept:
    """What was found, in part: `after` is where to go on, None at the end. `error`: why nothing could be found out."""

    request_id: str
    found: tuple[Found, ...] = ()
    after: TrialRef | None = None
    logged_experiments: tuple[int, ...] = ()
    error: str = ""


class FailedDeletion(NamedTuple):
    """A checkpoint that a worker was asked to delete and could not, and why."""

    uri: str
    error: str


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Asks for a part of what the training under a lease printed, at most `max_bytes` from a position on, or from where
    so many lines follow. `storage` empty: only the worker's own log is asked for."""

    request_id: str
    lease: LeaseRef
    position: int
    max_bytes: int
    database_id: str
    storage: str = ""
    tail_lines: int | None = None
    #: Seconds to wait where there is nothing yet, and the training goes on.
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A part of a log. `more`: there is more to be had at once; `running`: more may be printed; `missing`: there is no
    such log; `error`: why nothing could be found out."""

    request_id: str
    position: int = 0
    content: bytes = b""
    more: bool = False
    running: bool = False
    missing: bool = False
    error: str = ""


class SessionRequest(NamedTuple):
    """A bundle from the worker; an empty one is a heartbeat."""

    hello: Hello | None = None
    work_request: WorkRequest | None = None
    events: tuple[LeaseEvent, ...] = ()
    draining: bool = False
    deleted_checkpoints: tuple[str, ...] = ()
    failed_deletions: tuple[FailedDeletion, ...] = ()
    swept: Swept | None = None
    #: What the worker itself waits for, for people; empty for nothing, None where nothing has changed.
    waiting: str | None = None
    #: Parts of logs, which go past the dispatcher.
    log_chunks: tuple[LogChunk, ...] = ()

    @property
    def answers_errands(self) -> bool:
        """Whether it tells what came of something that the worker was asked to do beside training."""
        return bool(self.deleted_checkpoints or self.failed_deletions or self.swept)


@dataclass(frozen=True, slots=True)
class Welcome:
    """The terms of a session. Durations in seconds; `exit_outcomes`: how many of them the master knows."""

    term: int
    lease_ttl_s: float
    heartbeat_interval_s: float
    version: str
    exit_outcomes: int = len(ExitOutcome)
    #: What tells the master's database from every other; empty from masters of versions that had none.
    database_id: str = ""


@dataclass(frozen=True, slots=True)
class CheckpointRef:
    """A checkpoint to start from."""

    uri: str
    resource: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """Train this trial from this checkpoint to this resource. Durations in seconds; None for none."""

    request_id: str
    lease: LeaseRef
    experiment_name: str
    entrypoint: str
    command: tuple[str, ...]
    hparams: Mapping[str, Any]
    checkpoints: tuple[CheckpointRef, ...]
    target: int
    slots: int
    metric: str
    checkpoint_storage: str
    checkpoint_interval_s: float | None
    seed: int
    progress_timeout_s: float | None
    #: What the metric should become where the model of the experiment's best result is kept; empty where it is not.
    save_best: str = ""
    #: The experiment's best result so far.
    best_metric: float | None = None
    #: Names the database, in which experiments and trials are numbered; empty from a master that gives none.
    database_id: str = ""
    #: Whether checkpoints of the experiment were saved there: where nothing is, the store is away.
    storage_used: bool = False
    #: Modules to import before its process is forked; None: the libraries that the entrypoint's source names.
    preload: tuple[str, ...] | None = None
    #: The metric that ends the search: the report that reaches it waits for the master's decision. None: there is none.
    stop_metric: float | None = None
    #: What the metric should become; empty from a master that does not say.
    goal: str = ""


class Acknowledgement(NamedTuple):
    """Every event of the lease up to `sequence` is durable."""

    lease: LeaseRef
    sequence: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The master's answer to the measurement at `sequence`, or (sequence 0) its wish in between."""

    lease: LeaseRef
    sequence: int
    kind: DecisionKind
    target: int = 0
    save_checkpoint: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """The lease is another's, or nobody's."""

    lease: LeaseRef
    reason: str


class SessionResponse(NamedTuple):
    """A bundle from the master. Nothing in it leaves before it is durable, but for questions about logs."""

    welcome: Welcome | None = None
    assignments: tuple[Assignment, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()
    decisions: tuple[Decision, ...] = ()
    lost_leases: tuple[LeaseLost, ...] = ()
    delete_checkpoints: tuple[str, ...] = ()
    drain: bool = False
    sweep: Sweep | None = None
    log_requests: tuple[LogRequest, ...] = ()
