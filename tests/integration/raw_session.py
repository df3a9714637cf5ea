"""A worker's stream without the worker: says whatever a test wants said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.proto.v1.worker_pb2_grpc import WorkerServiceStub
from rungmaster.shared.net.channel import channel_options, open_async_channel
from rungmaster.shared.net.credentials import Credentials

#: Seconds for an answer of the master, on a busy machine too.
PATIENCE_S = 30.0


class Refused(Exception):
    """The master ended the stream."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self.code = code
        self.details = details
        super().__init__(f"{code.name}: {details}")


class RawSession:
    """One stream."""

    def __init__(self, call: Any, name: str) -> None:
        self.call = call
        self.name = name
        self.lease = pb.LeaseRef()
        self.sequence = 0

    async def hello(self, **changes: Any) -> pb.SessionResponse:
        """Says who it is; gives the welcome."""
        fields = {"session_id": self.name, "worker": self.name, "slots": 1} | changes
        await self.write(pb.SessionRequest(hello=pb.Hello(**fields)))
        return await self.read()

    async def take_work(self) -> None:
        """Asks for an assignment and waits for it."""
        await self.write(pb.SessionRequest(work_request=pb.WorkRequest(request_id=f"{self.name}-1", free_slots=1)))
        while not (answer := await self.read()).assignments:
            pass
        self.lease = answer.assignments[0].lease

    def measurements(self, count: int) -> list[pb.LeaseEvent]:
        """The next reports under its lease."""
        events = []
        for _ in range(count):
            self.sequence += 1
            measured = pb.Measurement(resource=self.sequence, metrics={"error": 0.5, "loss": 0.25})
            events.append(pb.LeaseEvent(lease=self.lease, sequence=self.sequence, measurement=measured))
        return events

    async def send(self, events: Iterable[pb.LeaseEvent]) -> None:
        """Sends events in one bundle."""
        await self.write(pb.SessionRequest(events=list(events)))

    async def acknowledged(self, sequence: int) -> None:
        """Returns once everything up to `sequence` is acknowledged."""
        known = 0
        while known < sequence:
            answer = await self.read()
            assert not answer.lost_leases
            known = max([known, *(ack.sequence for ack in answer.acknowledgements)])

    async def write(self, message: pb.SessionRequest) -> None:
        """Sends a bundle; what a broken stream says is said by `read`."""
        try:
            await asyncio.wait_for(self.call.write(message), PATIENCE_S)
        except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
            await self.read()

    async def read(self) -> pb.SessionResponse:
        """The next bundle. Raises Refused where the stream has ended."""
        try:
            message = await asyncio.wait_for(self.call.read(), PATIENCE_S)
        except grpc.aio.AioRpcError as error:
            raise Refused(error.code(), error.details() or "") from None
        if not isinstance(message, pb.SessionResponse):
            raise Refused(await self.call.code(), await self.call.details())
        return message

    async def refusal(self) -> Refused:
        """How the master ends the stream."""
        try:
            while True:
                await self.read()
        except Refused as refused:
            return refused


@asynccontextmanager
async def raw_session(
    address: str, name: str, *options: tuple[str, int], credentials: Credentials | None = None
) -> AsyncIterator[RawSession]:
    """A stream on a channel of its own: with more options than a worker's, or with credentials."""
    if credentials is None:
        opened = grpc.aio.insecure_channel(address, options=[*channel_options(address), *options])
    else:
        opened = open_async_channel(address, credentials)
    async with opened as channel:
        call = WorkerServiceStub(channel).Session()
        try:
            yield RawSession(call, name)
        finally:
            call.cancel()
