"""WorkerService: one stream for each worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from functools import partial

import grpc

from ...proto.v1 import worker_pb2_grpc
from ...shared.errors import InvalidInput, LimitExceeded, Unavailable
from ...shared.wire.convert_session import session_response_to_proto
from ...shared.wire.session import Hello, SessionRequest, SessionResponse
from ..dispatcher.clock import Now
from ..dispatcher.core import Core
from ..dispatcher.writer import Writer
from ..failpoints import hit
from .bundles import check_bundle
from .callers import caller_name, certificate_name
from .intake import take_in
from .limits.admission import Admission
from .limits.refusals import RefusalLog
from .logs.relay import LogRelay

log = logging.getLogger(__name__)

#: Seconds in which a worker must say hello after it opened its stream.
HELLO_DEADLINE_S = 10.0

#: Bundles of one worker that may wait for their commit; while more come, its stream is not read.
BUNDLES_AT_ONCE = 16

#: Bundles for one worker that may wait until it reads them; a worker that lets more gather is cut off.
OUTGOING_LIMIT = 256

#: Seconds in which a stream that is to end may still send what is queued.
CLOSE_GRACE_S = 5.0

#: Bytes of bundles on their way to the database at once, all workers' together; small bundles do not count.
LARGE_AT_ONCE = 128 * 1024
LIGHT = 1_024

#: Workers at once, those included whose leases are held for them.
MAX_SESSIONS = 20_000

Context = grpc.aio.ServicerContext


class StreamConnection:
    """A worker's stream, as the core sees it. What waits to be sent is bounded: a worker has to read."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[SessionResponse | None] = asyncio.Queue()
        self.closed_because = ""
        #: Set where the stream ends now, whatever is queued.
        self.cut = asyncio.Event()

    def send(self, response: SessionResponse) -> None:
        """Queues a bundle for the stream, or cuts off a worker that does not read. Dropped after a close."""
        if self.closed_because:
            return
        if self._queue.qsize() >= OUTGOING_LIMIT:
            self.closed_because = f"the worker does not read: {OUTGOING_LIMIT:,} messages wait for it"
            self.drop()
            self.cut.set()
            return
        self._queue.put_nowait(response)

    def close(self, reason: str) -> None:
        """Ends the stream after what is queued, or soon where the worker does not read it."""
        if not self.closed_because:
            self.closed_because = reason
            asyncio.get_running_loop().call_later(CLOSE_GRACE_S, self.cut.set)
            self._queue.put_nowait(None)

    def drop(self) -> None:
        """Forgets what is queued: the stream ends after what is being sent now."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def next(self) -> SessionResponse | None:
        """The next bundle; None once the stream is to end."""
        return await self._queue.get()


class WorkerServicer(worker_pb2_grpc.WorkerServiceServicer):
    """Carries bundles between workers and the writer, a few from each worker at a time: none floods the others."""

    def __init__(self, writer: Writer, relay: LogRelay) -> None:
        """`relay` is given the parts of logs that workers are asked for."""
        self._writer = writer
        self._relay = relay
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._refusals = RefusalLog(log)
        self._admission = Admission(LARGE_AT_ONCE)
        #: Known once somebody has come.
        self._database_id = ""

    async def Session(self, request_iterator: object, context: Context) -> None:  # noqa: N802 - the name in the .proto
        """Serves one stream until either side ends it."""
        del request_iterator
        connection = StreamConnection()
        first = await self._read_hello(context)
        hello = first[-1].hello
        assert hello is not None
        hit("session.hello")
        identity = caller_name.get() or certificate_name(context)
        connect = partial(_connect, hello=hello, connection=connection, identity=identity)
        self._database_id = await self._writer.execute(connect)
        for request in first:
            check_bundle(request, database_id=self._database_id)
        self._relay.opened(hello, connection)
        reader = asyncio.create_task(self._read(hello.session_id, first, connection, context))
        writer = asyncio.create_task(self._write(connection, context))
        cut = asyncio.create_task(connection.cut.wait())
        try:
            await asyncio.wait((reader, writer, cut), return_when=asyncio.FIRST_COMPLETED)
            reader.cancel()
            self._say_goodbye(hello.session_id, connection)
            connection.drop()
            # gRPC cannot send how the call ended while a message is still on its way.
            await asyncio.wait((writer,))
        finally:
            self._relay.closed(hello.session_id, connection)
            for task in (reader, writer, cut):
                task.cancel()
            self._say_goodbye(hello.session_id, connection)
        self._tell_of_cut(reader, hello, context)
        _reraise(reader)
        _reraise(writer)
        if connection.closed_because:
            raise Unavailable(connection.closed_because)

    def _say_goodbye(self, session_id: str, connection: StreamConnection) -> None:
        """Tells the core that the stream has ended, in a task of its own: this one may be being cancelled."""

        async def goodbye() -> None:
            with contextlib.suppress(Unavailable):
                await self._writer.execute(lambda core, _: core.disconnect(session_id, connection))

        task = asyncio.create_task(goodbye())
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    def _tell_of_cut(self, reader: asyncio.Task[None], hello: Hello, context: Context) -> None:
        """Tells the log whose stream is ended for what it has sent."""
        error = reader.exception() if reader.done() and not reader.cancelled() else None
        if isinstance(error, InvalidInput | LimitExceeded):
            who = f" ({caller_name.get()})" if caller_name.get() else ""
            self._refusals.add(f"worker {hello.worker!a}{who} at {context.peer()} is cut off: {error}")

    @staticmethod
    async def _read_hello(context: Context) -> list[SessionRequest]:
        try:
            message = await asyncio.wait_for(context.read(), HELLO_DEADLINE_S)
        except TimeoutError:
            raise InvalidInput(f"no hello within {HELLO_DEADLINE_S:.0f} s") from None
        if not isinstance(message, bytes):
            raise InvalidInput("the stream ended before its hello")
        bundle = await take_in(message)
        if bundle[-1].hello is None:
            raise InvalidInput("hello: the first message of a session must carry it")
        return bundle

    async def _read(
        self, session_id: str, first: list[SessionRequest], connection: StreamConnection, context: Context
    ) -> None:
        under_way: deque[asyncio.Future[None]] = deque()
        try:
            await self._read_on(session_id, first, connection, context, under_way)
            while under_way:
                await under_way.popleft()
        finally:
            for submitted in under_way:
                submitted.cancel()

    async def _read_on(
        self,
        session_id: str,
        first: list[SessionRequest],
        connection: StreamConnection,
        context: Context,
        under_way: deque[asyncio.Future[None]],
    ) -> None:
        """Reads until the worker ends its side. The next bundle is read while those before it are being committed."""
        bundle, size = first, 0
        while bundle:
            self._writer.heard(session_id)
            for request in bundle:
                if request.log_chunks:
                    self._relay.answered(session_id, connection, request.log_chunks)
                if _says_something(request):
                    hit("session.received")
                    await _make_room(under_way)
                    command = _receiving(session_id, connection, request)
                    if size <= LIGHT:
                        under_way.append(self._writer.submit(command))
                    else:
                        under_way.append(await self._submit_through_weir(command, size // len(bundle)))
            message = await context.read()
            size = len(message) if isinstance(message, bytes) else 0
            bundle = await take_in(message, self._database_id) if isinstance(message, bytes) else []

    async def _submit_through_weir(self, command: Callable[[Core, Now], None], size: int) -> asyncio.Future[None]:
        await self._admission.enter(size)
        try:
            submitted = self._writer.submit(command)
        except BaseException:
            self._admission.leave(size)
            raise
        submitted.add_done_callback(lambda _: self._admission.leave(size))
        return submitted

    @staticmethod
    async def _write(connection: StreamConnection, context: Context) -> None:
        while (response := await connection.next()) is not None:
            hit("session.send")
            await context.write(session_response_to_proto(response))
            hit("session.sent")


def _connect(core: Core, now: Now, hello: Hello, connection: StreamConnection, identity: str) -> str:
    """Opens a session; the id of the master's database."""
    if len(core.sessions) >= MAX_SESSIONS and hello.session_id not in core.sessions:
        raise LimitExceeded(f"this master serves at most {MAX_SESSIONS:,} workers at once")
    core.connect(hello, connection, now, identity)
    return core.parameters.database_id


async def _make_room(under_way: deque[asyncio.Future[None]]) -> None:
    """Forgets the bundles that are committed, and waits for one if too many are not. Raises what one of them met."""
    while under_way and (under_way[0].done() or len(under_way) >= BUNDLES_AT_ONCE):
        await under_way.popleft()


def _receiving(session_id: str, connection: StreamConnection, request: SessionRequest) -> Callable[[Core, Now], None]:
    return lambda core, now: core.receive(session_id, connection, request, now)


def _says_something(request: SessionRequest) -> bool:
    said = request.work_request or request.events or request.draining or request.answers_errands
    return bool(said) or request.waiting is not None


def _reraise(task: asyncio.Task[None]) -> None:
    if task.done() and not task.cancelled() and (error := task.exception()) is not None:
        raise error
