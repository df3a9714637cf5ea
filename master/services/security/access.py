"""Who may call: decided here for every method of every service, before anything else looks at a call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from ....shared.errors import PermissionDenied, RungmasterError, Unauthenticated
from ..callers import caller_name, caller_role, serve
from ..errors import abort
from ..limits.refusals import RefusalLog
from .roles import CHANGING, OPEN, RULES, TRAIN, may
from .tokens import Caller, Tokens

log = logging.getLogger(__name__)

#: Seconds between two looks at the tokens; a stream of one that was revoked ends after that.
LOOK_S = 1.0
_SCHEME = "bearer "

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


@dataclass(eq=False, slots=True)
class _Stream:
    """A stream that is under way. `ended` is why it was ended from here."""

    caller: Caller
    method: str
    task: asyncio.Task[Any] | None
    ended: RungmasterError | None = None


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Lets a call through whose token is known and whose role may make it. It stands before all other interceptors."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._streams: set[_Stream] = set()
        self._refusals = RefusalLog(log)

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The method's handler, or one that refuses the call. A call costs a look at its token, a message nothing."""
        details: Any = handler_call_details
        if details.method in OPEN:
            return await continuation(details)
        try:
            caller = self._tokens.caller(_token_in(details.invocation_metadata))
            handler = await continuation(details)
            if handler is not None:
                _check_role(caller, details.method)
            # The call goes on in this task, and so in this context.
            caller_name.set(caller.name)
            caller_role.set(caller.role)
        except (Unauthenticated, PermissionDenied) as error:
            known = details.method if details.method in RULES else "a method that there is not"
            self._refusals.add(f"turned away from {known}: {error}")
            return _refusing(error)
        return handler and self._watched(handler, caller, details.method)

    async def keep_watch(self) -> None:
        """Looks at the tokens again and again, and ends the streams of those that do not count any more."""
        while True:
            try:
                self.look()
            except Exception:  # whatever it was, later looks must not be lost with it
                log.exception("the tokens could not be looked at")
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Looks at the tokens once."""
        self._tokens.look()
        self._end_streams()

    def _end_streams(self) -> None:
        verdicts: dict[tuple[Caller, str], RungmasterError | None] = {}
        for stream in self._streams:
            key = stream.caller, stream.method
            if key not in verdicts:
                verdicts[key] = self._verdict(*key)
            if verdicts[key] is not None and stream.ended is None and stream.task is not None:
                stream.ended = verdicts[key]
                stream.task.cancel()
                log.warning("a stream %s is ended: %s", stream.method, stream.ended)

    def _verdict(self, caller: Caller, method: str) -> RungmasterError | None:
        try:
            _check_role(self._tokens.still(caller), method)
        except (Unauthenticated, PermissionDenied) as error:
            return error
        return None

    def _watched(self, handler: Any, caller: Caller, method: str) -> Any:
        """The handler with its calls written down: in the log what changes something, among the streams what lasts."""
        if handler.unary_unary:
            if RULES[method] in CHANGING:
                log.info("%s of %s", method, caller.name)
            return handler
        if handler.unary_stream:
            wrapped = self._wrap(handler.unary_stream, caller, method)
            make = grpc.unary_stream_rpc_method_handler
        else:
            wrapped = self._wrap(handler.stream_stream, caller, method)
            make = grpc.stream_stream_rpc_method_handler
        if RULES[method] == TRAIN:
            log.info("%s of %s", method, caller.name)
        return make(wrapped, handler.request_deserializer, handler.response_serializer)

    def _wrap(self, behavior: Callable[..., Any], caller: Caller, method: str) -> Callable[..., Any]:
        async def call(request: Any, context: grpc.aio.ServicerContext) -> None:
            with self._under_way(caller, method) as stream:
                try:
                    await serve(behavior(request, context), context)
                except asyncio.CancelledError:
                    if stream.ended is None or stream.task is None:
                        raise
                    stream.task.uncancel()
                    await abort(context, stream.ended)

        return call

    @contextlib.contextmanager
    def _under_way(self, caller: Caller, method: str) -> Iterator[_Stream]:
        stream = _Stream(caller, method, asyncio.current_task())
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)


def _token_in(metadata: Any) -> str:
    for key, value in metadata or ():
        if key == "authorization" and isinstance(value, str) and value[: len(_SCHEME)].lower() == _SCHEME:
            return value[len(_SCHEME) :].strip()
    raise Unauthenticated("this master asks for a token: give yours by --token-file FILE, or in RUNGMASTER_TOKEN")


def _check_role(caller: Caller, method: str) -> None:
    # Whose experiment a call is about is known where it is read: security/steering.py.
    if not may(caller.role, method, owns=True):
        raise PermissionDenied(f"the role of {caller.name}, {caller.role}, may not call {method}")


def _refusing(error: RungmasterError) -> grpc.RpcMethodHandler:
    """A handler for a method of any kind: it answers before a single message is read."""

    async def refuse(request: Any, context: grpc.aio.ServicerContext) -> None:
        del request
        await abort(context, error)

    return grpc.stream_stream_rpc_method_handler(refuse)
