"""A master whose decisions the test chooses: real gRPC, the real session rules, no search and no database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import grpc.aio

from rungmaster.proto.v1.worker_pb2_grpc import WorkerServiceServicer, add_WorkerServiceServicer_to_server
from rungmaster.shared.checkpoints.storage import address_in
from rungmaster.shared.wire.convert_session import session_request_from_proto, session_response_to_proto
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import (
    Acknowledgement,
    Assignment,
    CheckpointRef,
    CheckpointSaved,
    Decision,
    DecisionKind,
    Exit,
    FailedDeletion,
    Hello,
    LeaseEvent,
    LeaseLost,
    Measurement,
    SessionRequest,
    SessionResponse,
    Swept,
    Welcome,
    WorkRequest,
)


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


@dataclass
class Record:
    """What became of one lease."""

    assignment: Assignment
    events: list[Measurement | CheckpointSaved | Exit] = field(default_factory=list)
    decision: Decision | None = None

    @property
    def resources(self) -> list[int]:
        return [event.resource for event in self.events if isinstance(event, Measurement)]

    @property
    def saved(self) -> list[CheckpointSaved]:
        return [event for event in self.events if isinstance(event, CheckpointSaved)]

    @property
    def exit(self) -> Exit | None:
        return next((event for event in self.events if isinstance(event, Exit)), None)


Decide = Callable[[LeaseRef, int], Decision | None]


def stop(lease: LeaseRef, resource: int) -> Decision:
    """Stops every trial at its target."""
    return Decision(lease, 0, DecisionKind.STOP)


def pause(lease: LeaseRef, resource: int) -> Decision:
    """Pauses every trial at its target."""
    return Decision(lease, 0, DecisionKind.PAUSE)


class ScriptedMaster(WorkerServiceServicer):
    """Hands out the assignments in `queue`, and asks `decide` at each target."""

    def __init__(
        self, *, term: int = 1, heartbeat: float = 0.2, decide: Decide = stop, database_id: str = "first"
    ) -> None:
        self.welcome = Welcome(term, 30.0, heartbeat, "test", database_id=database_id)
        self.decide = decide
        self.queue: list[Assignment] = []
        self.records: dict[LeaseRef, Record] = {}
        self.received: list[SessionRequest] = []
        self.hellos: list[Hello] = []
        self.deleted: list[str] = []
        self.not_deleted: list[FailedDeletion] = []
        self.swept: list[Swept] = []
        self.repeated: list[LeaseEvent] = []
        self.draining = False
        self.deaf = False
        self.silent = False
        self.targets: dict[LeaseRef, int] = {}
        self._wishes: dict[str, int] = {}
        self._answered: dict[str, Assignment] = {}
        self._outbox: asyncio.Queue[SessionResponse | None] | None = None
        self._server: grpc.aio.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_WorkerServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()

    async def shut_down(self) -> None:
        """Ends without a word, as a crash does."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def assign(self, given: Assignment) -> Record:
        """Puts an assignment into the queue."""
        self.queue.append(given)
        self.records[given.lease] = Record(given)
        self.targets[given.lease] = given.target
        self._hand_out()
        return self.records[given.lease]

    def tell(self, response: SessionResponse) -> None:
        """Says something out of turn."""
        if self._outbox is not None:
            self._outbox.put_nowait(response)

    def lose(self, lease: LeaseRef) -> None:
        """Takes a lease away."""
        self.tell(SessionResponse(lost_leases=(LeaseLost(lease, "the test takes it"),)))

    def hang_up(self) -> None:
        """Ends the stream; the worker may open another."""
        if self._outbox is not None:
            self._outbox.put_nowait(None)

    async def Session(  # noqa: N802 - the RPC's name
        self, request_iterator: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        outbox: asyncio.Queue[SessionResponse | None] = asyncio.Queue()
        self._outbox = outbox
        listening = asyncio.create_task(self._listen(request_iterator, outbox))
        try:
            while (response := await outbox.get()) is not None:
                yield session_response_to_proto(response)
        finally:
            listening.cancel()
            if self._outbox is outbox:
                self._outbox = None

    async def _listen(self, requests: AsyncIterator[Any], outbox: asyncio.Queue[SessionResponse | None]) -> None:
        async for message in requests:
            request = session_request_from_proto(message)
            self.received.append(request)
            if not self.deaf:
                response = self._answer(request)
                if response != SessionResponse() and not self.silent:
                    outbox.put_nowait(response)
                self._hand_out()
        outbox.put_nowait(None)

    def _answer(self, request: SessionRequest) -> SessionResponse:
        self.draining = self.draining or request.draining
        self.deleted += request.deleted_checkpoints
        self.not_deleted += request.failed_deletions
        self.swept += [request.swept] if request.swept is not None else []
        if request.work_request is not None:
            self._note(request.work_request)
        decisions = [decision for event in request.events if (decision := self._apply(event)) is not None]
        leases = dict.fromkeys(event.lease for event in request.events)
        welcome = None
        lost: tuple[LeaseLost, ...] = ()
        if request.hello is not None:
            self.hellos.append(request.hello)
            welcome = self.welcome
            leases |= dict.fromkeys(lease for lease in request.hello.held if lease in self.records)
            lost = tuple(LeaseLost(each, "unknown") for each in request.hello.held if each not in self.records)
            decisions += [decided for lease in leases if (decided := self.records[lease].decision) is not None]
        return SessionResponse(
            welcome=welcome,
            acknowledgements=tuple(Acknowledgement(each, len(self.records[each].events)) for each in leases),
            decisions=tuple(decisions),
            lost_leases=lost,
        )

    def _note(self, wish: WorkRequest) -> None:
        if wish.request_id in self._answered:
            self.tell(SessionResponse(assignments=(self._answered[wish.request_id],)))
        elif wish.free_slots > 0:
            self._wishes[wish.request_id] = wish.free_slots
        else:
            self._wishes.pop(wish.request_id, None)

    def _hand_out(self) -> None:
        for request_id, free in list(self._wishes.items()):
            fitting = next((each for each in self.queue if each.slots <= free), None)
            if fitting is not None:
                self.queue.remove(fitting)
                del self._wishes[request_id]
                self._answered[request_id] = replace(fitting, request_id=request_id)
                self.tell(SessionResponse(assignments=(self._answered[request_id],)))

    def _apply(self, event: LeaseEvent) -> Decision | None:
        record = self.records[event.lease]
        if event.sequence != len(record.events) + 1:
            self.repeated.append(event)
            return record.decision if record.decision and record.decision.sequence == event.sequence else None
        record.events.append(event.event)
        if not isinstance(event.event, Measurement) or event.event.resource < self.targets[event.lease]:
            return None
        decided = self.decide(event.lease, event.event.resource)
        if decided is None:
            return None
        self.targets[event.lease] = max(self.targets[event.lease], decided.target)
        record.decision = Decision(
            event.lease, event.sequence, decided.kind, decided.target, decided.save_checkpoint, decided.reason
        )
        return record.decision
