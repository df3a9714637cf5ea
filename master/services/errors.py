"""Errors become gRPC statuses (see shared/net/status.py): an interceptor does it for every method."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from ...shared.errors import InternalError, InvalidInput, LimitExceeded, RungmasterError
from ...shared.limits import MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES
from ...shared.net.status import status_of
from ..failpoints import hit
from .callers import caller_name
from .limits.refusals import RefusalLog

log = logging.getLogger(__name__)

#: Calls at once, each kind in a lane of its own, so that no flood of one kind takes the place of another.
LANES = {"sessions": 20_000, "watches": 1_000, "curves": 64, "logs": 200, "calls": 500}
#: What one caller may have of a lane. Workers share their sessions: many have one token.
SHARES = {"watches": 200, "curves": 16, "logs": 20, "calls": 100}


async def abort(context: grpc.aio.ServicerContext, error: Exception) -> NoReturn:
    """Ends a call with the status of an error; one that is not meant for callers goes to the log instead."""
    if not isinstance(error, RungmasterError):
        incident = secrets.token_hex(4)
        log.error("incident %s", incident, exc_info=error)
        error = InternalError(f"the master met an error of its own; its log has it as {incident}")
    status = rpc_status.to_status(status_of(error))
    await context.abort(status.code, status.details, status.trailing_metadata)


Behavior = Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]
T = TypeVar("T")

#: Methods whose requests may be as large as any message.
_LARGE_REQUESTS = frozenset({"/rungmaster.v1.ExperimentService/CreateExperiment"})
#: Streams of answers that are no watches.
_STREAM_LANES = {
    "/rungmaster.v1.ExperimentService/ReadCurves": "curves",
    "/rungmaster.v1.ExperimentService/ReadTrialLog": "logs",
}


class Lane:
    """Calls of one kind that are under way."""

    def __init__(self, name: str, limit: int, share: int | None) -> None:
        self._name = name
        self._limit = limit
        self._share = share
        self._inside = 0
        self._callers: dict[str, int] = {}
        self._refusals = RefusalLog(log)

    @contextlib.contextmanager
    def taken(self, context: grpc.aio.ServicerContext) -> Iterator[None]:
        """Raises LimitExceeded, which says that the same call may succeed later, where too many are under way."""
        if self._inside >= self._limit:
            raise LimitExceeded(f"more than {self._limit:,} {self._name} at once; try again in a second")
        who = self._enter(context) if self._share is not None else ""
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if who:
                self._leave(who)

    def _enter(self, context: grpc.aio.ServicerContext) -> str:
        who = caller_of(context)
        there = self._callers.get(who, 0)
        if self._share is not None and there >= self._share:
            self._refusals.add(f"turned away: {who} has {there:,} {self._name} at once, as many as one caller may")
            more = f"more than {self._share:,} {self._name} of one caller ({who})"
            raise LimitExceeded(f"{more} at once; end some, or try again in a second")
        self._callers[who] = there + 1
        return who

    def _leave(self, who: str) -> None:
        self._callers[who] -= 1
        if not self._callers[who]:
            del self._callers[who]


def caller_of(context: grpc.aio.ServicerContext) -> str:
    """Who makes a call, as limits count: the token's name, or without tokens the address."""
    return caller_name.get() or context.peer().rpartition(":")[0]


def _guarded(behavior: Behavior, lane: Lane) -> Behavior:
    async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:
        try:
            with lane.taken(context):
                answer = await behavior(request, context)
            hit("reply.before")
            context.add_done_callback(_replied)  # pyright: ignore[reportArgumentType] - its stub is no protocol
            return answer
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller unmapped
            return await abort(context, error)

    return call


def parsed(parse: Callable[[bytes], T], data: bytes) -> T:
    """Parses a message; raises InvalidInput for bytes that are none, where gRPC would blame the server."""
    try:
        return parse(data)
    except DecodeError:
        raise InvalidInput(
            f"{len(data):,} bytes were sent that are no message of this method; is the caller of another version?"
        ) from None


def _parsing(behavior: Behavior, parse: Callable[[bytes], Any], most: int) -> Behavior:
    """Parses the request within the guard: what gRPC itself cannot parse never gets that far."""

    async def call(request: bytes, context: grpc.aio.ServicerContext) -> Any:
        if len(request) > most:
            raise InvalidInput(f"the request: at most {most:,} bytes, got {len(request):,}")
        return await behavior(parsed(parse, request), context)

    return call


def _unless_encoded(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """A stream may pass on what many are sent as it was encoded for all of them."""
    return lambda message: message if isinstance(message, bytes) else serialize(message)


def _replied(ctx: Any) -> None:
    del ctx
    hit("reply.after")


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Bounds the calls at once, and maps what a method raises.

    All methods here are coroutines; streams are written with `context.write`.
    """

    def __init__(self) -> None:
        self._lanes = {name: Lane(name, limit, SHARES.get(name)) for name, limit in LANES.items()}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the methods of our own services; health and reflection map their own."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method  # pyright: ignore[reportAttributeAccessIssue]
        if handler is None or not method.startswith("/rungmaster."):
            return handler
        parse = handler.request_deserializer
        most = MAX_MESSAGE_BYTES if method in _LARGE_REQUESTS else MAX_REQUEST_BYTES
        if handler.unary_unary:
            behavior = _guarded(_parsing(handler.unary_unary, parse, most), self._lanes["calls"])
            return grpc.unary_unary_rpc_method_handler(behavior, None, handler.response_serializer)
        if handler.unary_stream:
            lane = self._lanes[_STREAM_LANES.get(method, "watches")]
            behavior = _guarded(_parsing(handler.unary_stream, parse, most), lane)
            return grpc.unary_stream_rpc_method_handler(behavior, None, _unless_encoded(handler.response_serializer))
        # A stream's own code parses its messages: it counts them first.
        behavior = _guarded(handler.stream_stream, self._lanes["sessions"])
        return grpc.stream_stream_rpc_method_handler(behavior, None, handler.response_serializer)
