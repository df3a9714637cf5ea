"""What is to be told to workers once the batch is durable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ....shared.spec.spec import Spec
from ....shared.wire.model import LeaseRef
from ....shared.wire.session import (
    Acknowledgement,
    Assignment,
    CheckpointRef,
    Decision,
    LeaseLost,
    SessionResponse,
    Sweep,
    Welcome,
    WorkRequest,
)
from ...experiment.changes import LeaseRow

#: Hyperparameters by (experiment, trial).
HparamsOf = Mapping[tuple[int, int], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease whose assignment is to be sent; the hyperparameters are read from the ledger when it is."""

    lease: LeaseRow
    spec: Spec
    checkpoints: tuple[CheckpointRef, ...]
    database_id: str
    #: The experiment's best result, as far as it was known.
    best_metric: float | None = None
    #: Whether checkpoints of the experiment were saved in its storage.
    storage_used: bool = False
    #: What it answers; None where it is only told again.
    request: WorkRequest | None = None

    @property
    def key(self) -> tuple[int, int]:
        """Experiment and trial."""
        return self.lease.experiment_id, self.lease.trial_id

    @property
    def ref(self) -> LeaseRef:
        """The lease's name."""
        return LeaseRef(*self.key, self.lease.token)

    def assignment(self, hparams: Mapping[str, Any]) -> Assignment:
        """The message for the worker."""
        entrypoint = self.spec.entrypoint
        return Assignment(
            request_id=self.lease.request_id,
            lease=self.ref,
            experiment_name=self.spec.name,
            entrypoint=entrypoint if isinstance(entrypoint, str) else "",
            command=() if isinstance(entrypoint, str) else tuple(entrypoint),
            hparams=hparams,
            checkpoints=self.checkpoints,
            target=self.lease.target,
            slots=self.lease.slots,
            metric=self.spec.metric.name,
            checkpoint_storage=self.spec.checkpoints.storage,
            checkpoint_interval_s=self.spec.checkpoints.interval,
            seed=self.spec.seed,
            progress_timeout_s=self.spec.progress_timeout,
            database_id=self.database_id,
            save_best=self.spec.metric.goal if self.spec.keeps_best_result else "",
            best_metric=self.best_metric,
            storage_used=self.storage_used,
            preload=self.spec.preload,
            stop_metric=self.spec.stop.metric,
            goal=self.spec.metric.goal,
        )


@dataclass(slots=True)
class Outgoing:
    """One session's next bundle."""

    welcome: Welcome | None = None
    granted: list[Granted] = field(default_factory=list)
    acknowledged: dict[LeaseRef, int] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    lost: dict[LeaseRef, LeaseLost] = field(default_factory=dict)
    delete_checkpoints: list[str] = field(default_factory=list)
    drain: bool = False
    sweep: Sweep | None = None

    def lose(self, lease_lost: LeaseLost) -> WorkRequest | None:
        """Tells of a lost lease, once. What was granted in the same batch is not given: the request that is unanswered
        then, if there is one."""
        self.lost.setdefault(lease_lost.lease, lease_lost)
        taken = [granted for granted in self.granted if granted.ref == lease_lost.lease]
        if taken:
            self.granted = [granted for granted in self.granted if granted.ref != lease_lost.lease]
        return next((granted.request for granted in taken if granted.request), None)

    def drop(self, experiment_id: int) -> WorkRequest | None:
        """Leaves out what an experiment says; the request for work that is unanswered then, if there is one."""
        mine = [granted for granted in self.granted if granted.lease.experiment_id == experiment_id]
        self.granted = [granted for granted in self.granted if granted.lease.experiment_id != experiment_id]
        self.acknowledged = {ref: n for ref, n in self.acknowledged.items() if ref.experiment_id != experiment_id}
        self.decisions = [each for each in self.decisions if each.lease.experiment_id != experiment_id]
        self.lost = {ref: lost for ref, lost in self.lost.items() if ref.experiment_id != experiment_id}
        return next((granted.request for granted in reversed(mine) if granted.request), None)

    def response(self, hparams: HparamsOf) -> SessionResponse:
        """The bundle."""
        return SessionResponse(
            welcome=self.welcome,
            assignments=tuple(g.assignment(hparams[g.key]) for g in self.granted),
            acknowledgements=tuple(Acknowledgement(ref, n) for ref, n in self.acknowledged.items()),
            decisions=tuple(self.decisions),
            lost_leases=tuple(self.lost.values()),
            delete_checkpoints=tuple(self.delete_checkpoints),
            drain=self.drain,
            sweep=self.sweep,
        )
