"""Stands before everything else: deadlines of the server's own, and limits on what one connection and one host may do.

To gRPC a call exists as soon as its headers are there. Whoever sends nothing but headers, or takes them back at once,
costs the master a task each time. Here calls are counted as they begin, by connection and by host; those that are begun
and not said in time are ended, and a connection with too many of these is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc

from ....shared.errors import InvalidInput, LimitExceeded
from ..callers import serve
from ..errors import abort, parsed
from .connections import Place, cut, cut_crowds, open_files, place_of
from .refusals import RefusalLog

log = logging.getLogger(__name__)

#: Seconds in which a call has to say what it is about.
SAYING_S = 10.0
#: Calls that have not said it yet, of one connection and of one host.
UNSAID, UNSAID_OF_HOST = 32, 256
#: Calls under way, of one host; not the sessions of workers, of which thousands may come through one address.
CALLS_OF_HOST = 4_096
#: Calls of one connection in a second, in the long run, and how many it may be ahead of that.
RATE, BURST = 1_000.0, 2_000.0
#: Calls of one connection that were taken back, turned away or not said in time, before it is cut off; and how many
#: are forgiven in a second.
STRIKES, FORGIVEN = 100.0, 1.0
#: Each connection of a host that was cut off halves that for its others, down to this; one is forgotten in so many
#: seconds.
FEWEST_STRIKES, CUT_FORGIVEN = 4.0, 20.0
#: Seconds between two looks at the connections.
LOOK_S = 1.0
#: A connection without calls is forgotten after so many seconds.
MEMORY_S = 30.0

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


@dataclass(slots=True)
class _Host:
    """What one host has under way."""

    calls: int = 0
    unsaid: int = 0
    #: Its connections that were cut off lately, and when the last was.
    cuts: float = 0.0
    cut_at: float = -float("inf")

    def strikes_borne(self, now: float) -> float:
        """What a connection of it may do wrong: the less, the more of them were cut off in the last minutes."""
        return max(FEWEST_STRIKES, STRIKES / 2 ** max(0.0, self.cuts - (now - self.cut_at) / CUT_FORGIVEN))

    def cut(self, now: float) -> None:
        """One of its connections is cut off."""
        self.cuts = max(0.0, self.cuts - (now - self.cut_at) / CUT_FORGIVEN) + 1
        self.cut_at = now


@dataclass(slots=True)
class _Connection:
    """What one connection has under way, and how it has behaved."""

    host: _Host
    seen_at: float
    calls: int = 0
    unsaid: int = 0
    ahead: float = 0.0
    strikes: float = 0.0
    cut_off: bool = False

    def passes(self, now: float) -> bool:
        """Counts a call that begins; False where it comes too soon after the others."""
        gone = now - self.seen_at
        self.seen_at = now
        self.ahead = max(0.0, self.ahead - RATE * gone) + 1
        self.strikes = max(0.0, self.strikes - FORGIVEN * gone)
        return self.ahead <= BURST


@dataclass
class CallLimiter(grpc.aio.ServerInterceptor):
    """The first of all interceptors. Calls of every kind become streams: only those are seen before they are said."""

    connections_of_host: int
    _hosts: dict[str, _Host] = field(default_factory=dict)
    _connections: dict[str, _Connection] = field(default_factory=dict)
    _to_cut: set[Place] = field(default_factory=set)
    _due: asyncio.Event = field(default_factory=asyncio.Event)
    _refusals: RefusalLog = field(default_factory=lambda: RefusalLog(log))

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The method's handler behind the gate."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return grpc.stream_stream_rpc_method_handler(self._guarded(_unknown, streams=True))
        if handler.unary_unary or handler.unary_stream:
            behavior = _said(handler)
            guarded = self._guarded(behavior, streams=False)
            return grpc.stream_stream_rpc_method_handler(guarded, None, handler.response_serializer)
        guarded = self._guarded(handler.stream_stream, streams=True)
        return grpc.stream_stream_rpc_method_handler(guarded, handler.request_deserializer, handler.response_serializer)

    def _guarded(self, behavior: Callable[..., Any], *, streams: bool) -> Callable[..., Any]:
        async def call(requests: Any, context: grpc.aio.ServicerContext) -> None:
            try:
                with self.inside(context.peer(), streams=streams) as connection:
                    if streams:
                        await serve(behavior(requests, context), context)
                    else:
                        await behavior(await self._first(connection, context), context)
            except LimitExceeded as error:
                await abort(context, error)

        return call

    @contextlib.contextmanager
    def inside(self, peer: str, *, streams: bool) -> Iterator[_Connection]:
        """A call of a peer, whose requests are one or a stream. Raises LimitExceeded where it may not begin."""
        connection = self._connection(peer)
        self._check(peer, connection, streams)
        host = connection.host
        connection.calls += 1
        host.calls += not streams
        try:
            yield connection
        finally:
            connection.calls -= 1
            host.calls -= not streams

    def _connection(self, peer: str) -> _Connection:
        connection = self._connections.get(peer)
        if connection is None:
            host = self._hosts.setdefault(_host_of(peer), _Host())
            connection = self._connections[peer] = _Connection(host, time.monotonic())
        return connection

    def _check(self, peer: str, connection: _Connection, streams: bool) -> None:
        if not connection.passes(time.monotonic()):
            self._cut_off(peer, connection, f"more than {RATE:,.0f} calls a second")
        if connection.cut_off:
            raise LimitExceeded("this connection is cut off")
        if streams:
            return
        if connection.unsaid >= UNSAID:
            why = f"more than {UNSAID} calls that are begun and not said"
            self._strike(peer, connection, why)
            raise LimitExceeded(f"{why}; try again in a second")
        # That may be the fault of others there.
        if connection.host.calls >= CALLS_OF_HOST or connection.host.unsaid >= UNSAID_OF_HOST:
            self._refusals.add(f"turned away: {peer}, whose host has too many calls at once")
            raise LimitExceeded("this host has too many calls at once; try again in a second")

    def _strike(self, peer: str, connection: _Connection, why: str) -> None:
        """Notes what a connection did wrong, and cuts it off where that was too much."""
        connection.strikes += 1
        if connection.strikes > connection.host.strikes_borne(time.monotonic()):
            self._cut_off(peer, connection, why)

    def _cut_off(self, peer: str, connection: _Connection, why: str) -> None:
        if connection.cut_off:
            return
        connection.cut_off = True
        connection.host.cut(time.monotonic())
        self._refusals.add(f"connection {peer} is cut off: {why}")
        place = place_of(peer)
        if place is not None:
            self._to_cut.add(place)
            self._due.set()

    async def _first(self, connection: _Connection, context: grpc.aio.ServicerContext) -> bytes:
        """What a call is about. Raises InvalidInput where it says nothing."""
        peer, host = context.peer(), connection.host
        connection.unsaid += 1
        host.unsaid += 1
        message: Any = None
        try:
            async with asyncio.timeout(SAYING_S):
                message = await context.read()
        except TimeoutError:
            self._strike(peer, connection, f"too many calls that are not said within {SAYING_S:.0f} s")
        except asyncio.CancelledError:
            self._strike(peer, connection, "too many calls that are taken back before they are said")
            raise
        finally:
            connection.unsaid -= 1
            host.unsaid -= 1
        if not isinstance(message, bytes):
            await abort(context, InvalidInput(f"the call did not say within {SAYING_S:.0f} s what it is about"))
        return message

    async def keep_watch(self, port: int) -> None:
        """Ends connections that are to be cut off, and those of hosts that have too many, again and again."""
        while True:
            try:
                await self._look(port)
            except Exception:  # whatever it was, later looks must not be lost with it
                log.exception("the connections could not be looked at")
            self._due.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._due.wait()
            # What floods gets the event loop's time only once this has had its turn: many are cut at one go.
            await asyncio.sleep(0.02)

    async def _look(self, port: int) -> None:
        places = set(self._to_cut)
        self._to_cut.clear()
        if places:
            await asyncio.to_thread(cut, places, port)
        if open_files() > self.connections_of_host:
            known = {place for peer, one in self._connections.items() if one.calls and (place := place_of(peer))}
            lost = await asyncio.to_thread(cut_crowds, self.connections_of_host, port, known)
            for host, count in lost.items():
                self._refusals.add(
                    f"{count:,} connections of {host} are cut off: a host may have {self.connections_of_host:,}"
                )
        self._forget()

    def _forget(self) -> None:
        before = time.monotonic() - MEMORY_S
        for peer in [peer for peer, one in self._connections.items() if not one.calls and one.seen_at < before]:
            del self._connections[peer]
        there = {_host_of(peer) for peer in self._connections}
        there |= {host for host, one in self._hosts.items() if one.cut_at > time.monotonic() - 10 * CUT_FORGIVEN}
        for host in self._hosts.keys() - there:
            del self._hosts[host]


def _host_of(peer: str) -> str:
    return peer.rpartition(":")[0]


def _said(handler: Any) -> Callable[[bytes, grpc.aio.ServicerContext], Awaitable[None]]:
    """The method of a call with one request, once that is there."""
    parse, behavior = handler.request_deserializer, handler.unary_unary

    async def call(message: bytes, context: grpc.aio.ServicerContext) -> None:
        try:
            request = message if parse is None else parsed(parse, message)
        except InvalidInput as error:
            await abort(context, error)
        if behavior:
            await context.write(await behavior(request, context))
        else:
            await serve(handler.unary_stream(request, context), context)

    return call


async def _unknown(requests: Any, context: grpc.aio.ServicerContext) -> None:
    del requests
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
