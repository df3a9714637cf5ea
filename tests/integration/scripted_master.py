"""A scripted master for tests of the worker: a callback decides, assignments are made by hand, and it may be silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rungmaster.shared.checkpoints.storage import address_in
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import (
    Assignment,
    CheckpointRef,
    CheckpointSaved,
    Decision,
    DecisionKind,
    FailedDeletion,
    Hello,
    LeaseEvent,
    LeaseLost,
    SessionRequest,
    SessionResponse,
    Swept,
    Welcome,
)
from rungmaster.worker import testing
from rungmaster.worker.testing import ScriptedTrial


def assignment(trial_id: int = 1, token: int = 1, **changes: Any) -> Assignment:
    """An assignment with the fields that a test does not care about filled in."""
    fields: dict[str, Any] = {
        "request_id": "",
        "lease": LeaseRef(1, trial_id, token),
        "experiment_name": "test",
        "entrypoint": "training:train",
        "command": (),
        "hparams": {"rate": 0.5},
        "checkpoints": (),
        "target": 3,
        "slots": 1,
        "metric": "loss",
        "checkpoint_storage": "store",
        "checkpoint_interval_s": None,
        "seed": 7,
        "progress_timeout_s": None,
    }
    return Assignment(**(fields | changes))


def reference(saved: CheckpointSaved, storage: str = "store") -> CheckpointRef:
    """What a master makes of a checkpoint that a worker saved."""
    return CheckpointRef(address_in(storage, saved.path), saved.resource, saved.checksum)


Decide = Callable[[LeaseRef, int], Decision | None]


def stop(lease: LeaseRef, resource: int) -> Decision:
    """Stops every trial at its target."""
    return Decision(lease, 0, DecisionKind.STOP)


def pause(lease: LeaseRef, resource: int) -> Decision:
    """Pauses every trial at its target."""
    return Decision(lease, 0, DecisionKind.PAUSE)


class ScriptedMaster(testing.ScriptedMaster):
    """Asks `decide` at each target. A deaf one takes nothing in, a silent one answers nothing."""

    def __init__(
        self, *, term: int = 1, heartbeat: float = 0.2, decide: Decide = stop, database_id: str = "first"
    ) -> None:
        super().__init__()
        self.welcome = Welcome(term, 30.0, heartbeat, "test", database_id=database_id)
        self.decide = decide
        self.hellos: list[Hello] = []
        self.deleted: list[str] = []
        self.not_deleted: list[FailedDeletion] = []
        self.swept: list[Swept] = []
        self.repeated: list[LeaseEvent] = []
        self.draining = False
        self.deaf = False
        self.silent = False

    def give(self, given: Assignment) -> ScriptedTrial:
        """Puts an assignment into the queue."""
        return self._add(ScriptedTrial(given))

    def lose(self, lease: LeaseRef) -> None:
        """Takes a lease away."""
        self.tell(SessionResponse(lost_leases=(LeaseLost(lease, "the test takes it"),)))

    def _take_in(self, request: SessionRequest) -> None:
        if self.deaf:
            self.received.append(request)
        else:
            super()._take_in(request)

    def _answer(self, request: SessionRequest) -> SessionResponse:
        silent = self.silent
        self.draining = self.draining or request.draining
        self.deleted += request.deleted_checkpoints
        self.not_deleted += request.failed_deletions
        self.swept += [request.swept] if request.swept is not None else []
        self.hellos += [request.hello] if request.hello is not None else []
        response = super()._answer(request)
        return SessionResponse() if silent else response

    def _apply(self, event: LeaseEvent) -> Decision | None:
        if event.sequence != len(self._trials[event.lease].events) + 1:
            self.repeated.append(event)
        return super()._apply(event)

    def _decide(self, trial: ScriptedTrial, resource: int) -> Decision | None:
        return self.decide(trial.assignment.lease, resource)
