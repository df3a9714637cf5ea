"""One stream to one master: hello, welcome, then bundles both ways until it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import grpc
import grpc.aio

from ...proto.v1.worker_pb2_grpc import WorkerServiceStub
from ...shared.errors import (
    FailedPrecondition,
    InvalidInput,
    PermissionDenied,
    RungmasterError,
    Unauthenticated,
    Unavailable,
)
from ...shared.net.announcement import current
from ...shared.net.channel import open_async_channel
from ...shared.net.credentials import Credentials
from ...shared.net.diagnosis import diagnose, may_be_tls
from ...shared.net.status import kind_of
from ...shared.text.visible import visible
from ...shared.wire.convert_session import session_request_to_proto, session_response_from_proto
from ...shared.wire.session import Hello, SessionRequest, SessionResponse, Welcome
from .outbox import Outbox

#: Seconds from the first attempt to connect to the master's welcome.
WELCOME_TIMEOUT_S = 15.0
#: Seconds that the master may take to end a stream which the worker has ended.
_GOODBYE_S = 2.0
_SHORTEST_BEAT_S = 0.01

#: What a master answers whom another attempt would not change; the last two are about this worker's token.
_DENIALS = (Unauthenticated, PermissionDenied)
_PERMANENT = (InvalidInput, FailedPrecondition, *_DENIALS)


class SessionEnded(Exception):
    """The stream is over; the text says why. `permanent`: the master refused, and would again.

    `cause` is what has to be changed, on this side or the other, where that is known.
    """

    def __init__(self, reason: str, *, permanent: bool = False, cause: RungmasterError | None = None) -> None:
        self.permanent = permanent
        self.cause = cause
        super().__init__(reason)


class AnotherDatabase(SessionEnded):
    """The master's database is not the one of the masters before: it continues another history of searches."""


class Peer(Protocol):
    """The worker, as its session sees it."""

    outbox: Outbox
    #: Set whenever the outbox may have something to send, or everything is said.
    wake: asyncio.Event

    @property
    def finished(self) -> bool:
        """Whether the worker leaves, and the stream is to be ended."""
        ...

    def hello(self) -> Hello:
        """Who the worker is, and what it holds now."""
        ...

    def received(self, response: SessionResponse) -> None:
        """A bundle from the master."""
        ...

    async def abandon(self, reason: str) -> None:
        """Gives up every lease, and returns when nothing of them is left."""
        ...


async def converse(address: str, credentials: Credentials, peer: Peer, welcomed: Callable[[Welcome], None]) -> None:
    """Holds one session with the master at `address` until the worker leaves. Raises SessionEnded when it breaks.

    Where the address is told in a file, that is read now. `welcomed` is told the master's terms, and raises
    SessionEnded where they are not acceptable.
    """
    try:
        address = current(address)
        opened = open_async_channel(address, credentials)
    except Unavailable as error:
        raise SessionEnded(str(error)) from error
    except InvalidInput as error:
        raise SessionEnded(str(error), cause=error) from error
    async with opened as channel:
        call = WorkerServiceStub(channel).Session()
        try:
            await _hold(call, peer, welcomed)
        except grpc.aio.AioRpcError as error:
            raise await _ended(address, credentials, error.code(), error.details() or "") from error
        except asyncio.InvalidStateError as error:
            raise await _ended(address, credentials, await call.code(), await call.details()) from error
        except InvalidInput as error:
            raise SessionEnded(f"the master sent what cannot be understood: {error}", permanent=True) from error
        finally:
            call.cancel()


async def _ended(address: str, credentials: Credentials, code: grpc.StatusCode, details: str) -> SessionEnded:
    details = visible(details)
    reason = f"{code.name}: {details}"
    cause: RungmasterError | None = None
    kind = kind_of(code)
    if kind in _DENIALS:
        cause = kind(f"the master at {address} does not accept this worker: {details}")
    elif code is grpc.StatusCode.UNAVAILABLE and may_be_tls(details):
        cause = await asyncio.to_thread(diagnose, address, credentials)
        reason = str(cause or reason)
    return SessionEnded(reason, permanent=kind in _PERMANENT or code is grpc.StatusCode.UNIMPLEMENTED, cause=cause)


async def _hold(call: Any, peer: Peer, welcomed: Callable[[Welcome], None]) -> None:
    """`call` is typed by a stub for the synchronous API only."""
    peer.outbox.reconnect()
    await call.write(session_request_to_proto(SessionRequest(hello=peer.hello())))
    first = await _welcome(call)
    if first.welcome is None:
        raise SessionEnded("the master's first message was not a welcome", permanent=True)
    welcomed(first.welcome)
    peer.received(first)
    reading = asyncio.create_task(_read(call, peer))
    writing = asyncio.create_task(_write(call, peer, first.welcome))
    try:
        await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
        if writing.done() and writing.exception() is None:
            await asyncio.wait({reading}, timeout=_GOODBYE_S)
            return
    finally:
        reading.cancel()
        writing.cancel()
        outcomes = await asyncio.gather(reading, writing, return_exceptions=True)
    raise _cause(outcomes)


async def _welcome(call: Any) -> SessionResponse:
    try:
        message = await asyncio.wait_for(call.read(), WELCOME_TIMEOUT_S)
    except TimeoutError:
        raise SessionEnded(f"no welcome from the master within {WELCOME_TIMEOUT_S:g} s") from None
    if message is grpc.aio.EOF:
        raise SessionEnded("the master ended the stream without a welcome")
    return session_response_from_proto(message)


def _cause(outcomes: Sequence[BaseException | None]) -> BaseException:
    """What ended the stream: the reader knows the status, the writer often only that it was too late."""
    for outcome in outcomes:
        if outcome is not None and not isinstance(outcome, asyncio.CancelledError):
            return outcome
    return SessionEnded("the master ended the stream")


async def _read(call: Any, peer: Peer) -> None:
    while (message := await call.read()) is not grpc.aio.EOF:
        peer.received(session_response_from_proto(message))


async def _write(call: Any, peer: Peer, welcome: Welcome) -> None:
    """Sends what has gathered, and at least one message in each interval."""
    loop = asyncio.get_running_loop()
    interval_s = max(_SHORTEST_BEAT_S, welcome.heartbeat_interval_s)
    beat_at = loop.time() + interval_s
    while not peer.finished:
        due = loop.time() >= beat_at
        if due:
            peer.outbox.beat()
            beat_at = loop.time() + interval_s
        bundle = peer.outbox.bundle()
        if bundle is not None or due:
            await call.write(session_request_to_proto(bundle or SessionRequest(), welcome.exit_outcomes))
            continue
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(peer.wake.wait(), max(0.0, beat_at - loop.time()))
        peer.wake.clear()
    await call.done_writing()
