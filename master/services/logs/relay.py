"""Asks workers for parts of logs, over the streams that they have opened: past the dispatcher and the database.

Each answer is passed on to whoever asked, and nothing is gathered: a part is asked for when the one before was taken.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from ....shared.errors import Unavailable
from ....shared.net.pace import Pace
from ....shared.wire.session import Hello, LogChunk, LogRequest, SessionResponse

#: Seconds that a worker has to answer, beside those that it is to wait.
ANSWER_S = 20.0
#: Questions to one worker at once; the others wait.
AT_ONCE = 48
#: Bytes that are passed on in a second, all together.
BYTES = 16_000_000
#: Workers whose leaving is remembered, and how many beside the one that trained are asked for a log that was kept.
REMEMBERED, OTHERS = 4_096, 3


class SendsResponses(Protocol):
    """The way to a worker."""

    def send(self, response: SessionResponse) -> None:
        """Queues a bundle, and returns at once."""
        ...


@dataclass(eq=False, slots=True)
class _Stream:
    """A worker that is connected, and what it is asked."""

    hello: Hello
    connection: SendsResponses
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    asked: dict[str, asyncio.Future[LogChunk]] = field(default_factory=dict)


class LogRelay:
    """The workers of one master that can be asked. Used from the event loop only."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._left: dict[str, float] = {}
        self._began = time.time()
        #: At which all that is passed on goes.
        self.pace = Pace(BYTES)

    def opened(self, hello: Hello, connection: SendsResponses) -> None:
        """A worker's stream is open."""
        self._end(self._streams.get(hello.session_id))
        self._streams[hello.session_id] = _Stream(hello, connection)
        self._left.pop(hello.session_id, None)

    def closed(self, session_id: str, connection: SendsResponses) -> None:
        """A worker's stream has ended; whoever waits for an answer learns it."""
        stream = self._streams.get(session_id)
        if stream is None or stream.connection is not connection:
            return
        del self._streams[session_id]
        self._end(stream)
        self._left[session_id] = time.time()
        while len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]

    def answered(self, session_id: str, connection: SendsResponses, chunks: Iterable[LogChunk]) -> None:
        """What a worker says counts only as the answer to what it was asked on this stream."""
        stream = self._streams.get(session_id)
        if stream is None or stream.connection is not connection:
            return
        for chunk in chunks:
            waiting = stream.asked.get(chunk.request_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(chunk)

    async def ask(self, session_id: str, worker: str, request: LogRequest) -> LogChunk:
        """A part of a log. Raises Unavailable where the worker is away, does not answer, or could not find it out."""
        stream = self._streams.get(session_id)
        if stream is None:
            raise Unavailable(f"its worker {worker} is away ({self._last_seen(session_id)})")
        if not stream.hello.serves_logs:
            version = stream.hello.version or "an older version"
            raise Unavailable(f"the worker {stream.hello.worker} runs {version}, which gives no logs; use a newer one")
        async with stream.turns:
            answer = await self._ask(stream, replace(request, request_id=uuid.uuid4().hex))
        if answer.error:
            raise Unavailable(f"the worker {stream.hello.worker} could not read it: {answer.error}")
        return answer

    async def _ask(self, stream: _Stream, request: LogRequest) -> LogChunk:
        waiting: asyncio.Future[LogChunk] = asyncio.get_running_loop().create_future()
        if self._streams.get(stream.hello.session_id) is not stream:
            raise Unavailable(f"the worker {stream.hello.worker} has just left")
        stream.asked[request.request_id] = waiting
        stream.connection.send(SessionResponse(log_requests=(request,)))
        try:
            async with asyncio.timeout(request.wait_s + ANSWER_S):
                return await waiting
        except TimeoutError:
            raise Unavailable(f"the worker {stream.hello.worker} did not answer within {ANSWER_S:.0f} s") from None
        finally:
            del stream.asked[request.request_id]

    def readers(self, session_id: str) -> list[str]:
        """Who may be asked for a log that was kept: first the worker that trained, then some others."""
        others = [each for each, stream in self._streams.items() if each != session_id and stream.hello.serves_logs]
        chosen = random.sample(others, min(OTHERS, len(others)))
        return [session_id, *chosen] if session_id in self._streams else chosen

    def _last_seen(self, session_id: str) -> str:
        left = self._left.get(session_id)
        if left is None:
            return f"not seen since this master began to serve, {time.time() - self._began:.0f} s ago"
        return f"last seen {time.time() - left:.0f} s ago"

    @staticmethod
    def _end(stream: _Stream | None) -> None:
        for waiting in stream.asked.values() if stream else ():
            if not waiting.done():
                waiting.set_exception(Unavailable("its worker has just left"))
