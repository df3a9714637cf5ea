"""What the state machines changed, in the ledger's own terms: rows to add, and rows that are now different.

The pure side fills a `Changes`; the ledger writes it in one transaction. Times are seconds since the epoch (UTC), for
people only: nothing is decided by them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ...shared.wire.model import LeaseRef

Json = Mapping[str, Any]


@dataclass(slots=True)
class ExperimentRow:
    """An experiment as stored. `spec` is the validated spec in JSON mode; `counts` has a number by trial state.

    `draw_rules` are those by which its hyperparameters are drawn from its beginning to its end, `spec_rules` those by
    which its spec was accepted;
    `priority`, `weight` and `max_concurrent_trials` (None: no limit) are those in force, `owner` is who submitted it.
    `max_trials` is how many trials it makes since it was extended (None: as many as its spec says). `sampler_problem`
    is what is wrong with its sampler now. `owner_known_by` is what the owner has shown: "token", "certificate" or "".
    """

    experiment_id: int
    name: str
    request_id: str
    state: str
    state_reason: str
    spec: Json
    create_time: float
    end_time: float | None
    counts: dict[str, int]
    resource_spent: int
    resource_full: int
    draw_rules: int = 1
    spec_rules: int = 1
    priority: int = 0
    weight: float = 1.0
    max_concurrent_trials: int | None = None
    owner: str = ""
    max_trials: int | None = None
    sampler_problem: str = ""
    owner_known_by: str = ""


@dataclass(slots=True)
class BracketRow:
    """A bracket as stored."""

    experiment_id: int
    bracket_id: int
    max_trials: int
    max_concurrent_trials: int | None
    trials_created: int


@dataclass(slots=True)
class RungRow:
    """A rung as stored, with its counts and best finite metric."""

    experiment_id: int
    bracket_id: int
    rung_id: int
    resource: int
    entered: int
    promoted: int
    failed: int
    best_metric: float | None


@dataclass(slots=True)
class RungResultRow:
    """A trial's entry in a rung; `metric` is None where it failed or was not finite."""

    experiment_id: int
    bracket_id: int
    rung_id: int
    trial_id: int
    resource: int
    metric: float | None
    promoted: bool
    enter_time: float


@dataclass(slots=True)
class TrialRow:
    """A trial as stored. `hparams` is None in an update (they never change) and set in an insert, but for a trial that
    waits for them: that has no `origin` either, until it gets both as one of the `sampled` of a batch.

    `resource` is the furthest reported, written when something else of the row is (the reports have it at any time).
    `best_metric` is the best finite result of any of its reports, the first of equal ones, at `best_resource`; written
    at once where it is the best of the experiment, and otherwise a moment later. A discarded trial has none.
    `origin` is where its hyperparameters came from. `parent` is the trial from whose checkpoint it started, trained to
    `start_resource`; `start_uri` is that checkpoint until the trial has one of its own, or has ended.
    """

    experiment_id: int
    trial_id: int
    state: str
    state_reason: str
    bracket_id: int
    rung_id: int
    resource: int
    target: int
    metric: float | None
    metric_resource: int
    restarts: int
    workers_lost: int
    token: int
    create_time: float
    end_time: float | None
    hparams: Json | None = None
    best_metric: float | None = None
    best_resource: int = 0
    origin: str = "random"
    parent: int | None = None
    start_resource: int = 0
    start_uri: str = ""

    def improve(self, metric: float, resource: int, sign: float) -> bool:
        """Takes in a result, where less is better once multiplied with `sign`; whether it is its best so far."""
        best = self.best_metric
        if (best is not None and sign * metric >= sign * best) or not math.isfinite(metric):
            return False
        self.best_metric, self.best_resource = metric, resource
        return True


@dataclass(slots=True)
class LeaseRow:
    """A lease as stored; held while `end_time` is None. `last_sequence` is written when it ends. `save`: whether the
    decision, to continue, asks for a checkpoint."""

    experiment_id: int
    trial_id: int
    token: int
    session_id: str
    worker: str
    request_id: str
    slots: int
    from_resource: int
    target: int
    decision: str
    decision_sequence: int
    start_time: float
    end_time: float | None
    outcome: str
    error: str
    last_sequence: int
    save: bool = False

    @property
    def ref(self) -> LeaseRef:
        """Its name."""
        return LeaseRef(self.experiment_id, self.trial_id, self.token)


@dataclass(slots=True)
class ReportRow:
    """One accepted measurement. Metrics may be non-finite; the ledger stores those as the words nan, inf and -inf."""

    experiment_id: int
    trial_id: int
    token: int
    sequence: int
    resource: int
    metrics: Mapping[str, float]
    receive_time: float


@dataclass(slots=True)
class CheckpointRow:
    """A checkpoint as stored; `delete_time` once it is no longer needed, `deleted` once its files are gone."""

    experiment_id: int
    trial_id: int
    token: int
    sequence: int
    uri: str
    resource: int
    size_bytes: int
    checksum: str
    create_time: float
    delete_time: float | None = None
    deleted: bool = False


@dataclass(slots=True)
class WorkerRow:
    """A worker's session as last seen saying hello or goodbye; `identity` and `secret_digest` are of who opened it."""

    session_id: str
    worker: str
    host: str
    pid: int
    version: str
    slots: int
    gpus: list[dict[str, Any]]
    labels: dict[str, str]
    state: str
    hello_time: float
    identity: str = ""
    secret_digest: str = ""


@dataclass(slots=True)
class EventRow:
    """One journal entry. The database numbers it."""

    experiment_id: int
    trial_id: int | None
    create_time: float
    kind: str
    data: Json


@dataclass(slots=True)
class ActRow:
    """One entry of the audit trail. The database numbers it."""

    create_time: float
    kind: str
    experiment_id: int | None
    subject: str
    who: str
    known_by: str
    host: str
    data: Json


@dataclass(slots=True)
class ThinningRow:
    """How far the thinning of an experiment is: trials below `next_trial` are done, all are once it has an end_time."""

    experiment_id: int
    keep_every: int
    reports_dropped: int
    next_trial: int
    start_time: float
    end_time: float | None


Key = tuple[int, ...]

#: About so many rows may change in one transaction: what is left to do is done in the next ones.
ROWS_AT_ONCE = 5_000


class NotWritten(Exception):
    """The database refused these changes for what they are, and has none of them."""


@dataclass(slots=True)
class Changes:
    """Everything one batch changed. Rows that change are kept by key, so that only their last state is written."""

    new_experiments: list[ExperimentRow] = field(default_factory=list)
    new_brackets: list[BracketRow] = field(default_factory=list)
    new_rungs: list[RungRow] = field(default_factory=list)
    new_trials: list[TrialRow] = field(default_factory=list)
    new_leases: list[LeaseRow] = field(default_factory=list)
    new_reports: list[ReportRow] = field(default_factory=list)
    new_checkpoints: list[CheckpointRow] = field(default_factory=list)
    new_results: list[RungResultRow] = field(default_factory=list)
    new_events: list[EventRow] = field(default_factory=list)
    new_acts: list[ActRow] = field(default_factory=list)

    experiments: dict[int, ExperimentRow] = field(default_factory=dict)
    brackets: dict[Key, BracketRow] = field(default_factory=dict)
    rungs: dict[Key, RungRow] = field(default_factory=dict)
    trials: dict[Key, TrialRow] = field(default_factory=dict)
    #: Trials that waited for their hyperparameters, and have them now.
    sampled: dict[Key, TrialRow] = field(default_factory=dict)
    leases: dict[Key, LeaseRow] = field(default_factory=dict)
    workers: dict[str, WorkerRow] = field(default_factory=dict)
    #: Session to the time at which a person wanted its worker to leave.
    drained_workers: dict[str, float] = field(default_factory=dict)
    #: (experiment, bracket, rung, trial) of results that were promoted.
    promoted: list[Key] = field(default_factory=list)
    #: URI to the time at which a checkpoint stopped being needed.
    unneeded_checkpoints: dict[str, float] = field(default_factory=dict)
    #: URIs of checkpoints whose files are gone.
    deleted_checkpoints: list[str] = field(default_factory=list)
    #: Experiments whose reports are to be thinned from now on, anew where they were before; `reports_dropped` is kept.
    new_thinnings: list[ThinningRow] = field(default_factory=list)
    #: Experiments that are gone from now on; their rows go little by little.
    deleted_experiments: list[int] = field(default_factory=list)

    #: Experiments that have ended, and whether some of their trials, leases or checkpoints are still to follow.
    endings: dict[int, bool] = field(default_factory=dict)
    #: Experiments whose searchers have more to decide about trials that wait, and maybe no event that brings it about.
    deciding: dict[int, bool] = field(default_factory=dict)

    def add(self, other: Changes) -> None:
        """Takes in what another part of the same batch changed."""
        for each in fields(self):
            mine, others = getattr(self, each.name), getattr(other, each.name)
            if others and isinstance(mine, dict):
                mine.update(others)
            elif others:
                mine.extend(others)

    @property
    def rows(self) -> int:
        """About how many rows change, of the kinds of which there can be many."""
        return (
            len(self.new_reports)
            + len(self.new_events)
            + len(self.new_results)
            + len(self.trials)
            + len(self.sampled)
            + len(self.leases)
            + len(self.unneeded_checkpoints)
            + len(self.deleted_checkpoints)
        )

    @property
    def seen(self) -> set[int]:
        """Experiments of which whoever watches them sees something else now: their journals, states and endings."""
        return {event.experiment_id for event in self.new_events} | self.experiments.keys() | self.endings.keys()

    @property
    def reported(self) -> set[int]:
        """Experiments of which whoever watches their reports sees something else now: those, states and endings."""
        return {row.experiment_id for row in self.new_reports} | self.experiments.keys() | self.endings.keys()

    @property
    def asks_for_upkeep(self) -> bool:
        """Whether there is something to do in the background from now on."""
        return bool(self.new_thinnings or self.deleted_experiments)

    @property
    def goes_on(self) -> bool:
        """Whether there is more to do of what is done in portions."""
        return any(self.endings.values()) or bool(self.deciding)


@dataclass(slots=True)
class StoredRows:
    """What the ledger has of an experiment that has not ended, or that is to go on.

    `trials` has every trial, ended ones too, with `resource` up to date, and `hparams` None but where trials inherit
    them and have not ended. `leases` has the held
    ones, with `last_sequence` the last event that was applied. `checkpoints` has those still needed. `unreadable` is
    what kept the rows from being read; then there is none but its own.
    """

    row: ExperimentRow
    brackets: list[BracketRow]
    rungs: list[RungRow]
    results: list[RungResultRow]
    trials: list[TrialRow]
    leases: list[LeaseRow]
    checkpoints: list[CheckpointRow]
    unreadable: Exception | None = None
