"""Answers the master's questions about logs: from the worker's own file where there is one, else from the storage.

It has threads of its own: a store that hangs holds up neither training nor the logs that are here.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ...shared.checkpoints.paths import DATABASE
from ...shared.errors import RungmasterError
from ...shared.idle_threads import IdleThreads
from ...shared.limits import MAX_LOG_CHUNK
from ...shared.net.pace import Pace
from ...shared.wire.model import LeaseRef
from ...shared.wire.session import LogChunk, LogRequest
from ..assignment.output import OutputLog, lease_name
from ..checkpoints.outages import cause_of
from ..checkpoints.store import CheckpointStore

#: Threads that read storages; the worker's own files have others.
THREADS = 2
#: Questions at once, and bytes of answers in a second, all together.
AT_ONCE, BYTES = 64, 8_000_000
#: Seconds that an answer may be waited for, and between two looks whether there is more.
LONGEST_WAIT_S, LOOK_S = 10.0, 0.25
#: Logs of ended assignments of which it is known what was dropped of them.
REMEMBERED = 256


class Printing(Protocol):
    """Something that trains."""

    @property
    def output(self) -> OutputLog:
        """What it prints."""
        ...


class LogServing:
    """Reads parts of logs, a few at a time."""

    def __init__(
        self, logs: Path, store: CheckpointStore, running: Mapping[LeaseRef, Printing], send: Callable[[LogChunk], None]
    ) -> None:
        """`running` is what trains now; `send` takes the answers."""
        self._logs = logs
        self._store = store
        self._running = running
        self._send = send
        self._ended: OrderedDict[Path, OutputLog] = OrderedDict()
        self._threads = IdleThreads(THREADS, "log reader")
        self._tasks: set[asyncio.Task[None]] = set()
        self._pace = Pace(BYTES)

    def remember(self, log: OutputLog) -> None:
        """Its assignment has ended; positions in it stay what they were."""
        self._ended[log.path] = log
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def answer(self, request: LogRequest) -> None:
        """Begins to answer."""
        if len(self._tasks) >= AT_ONCE:
            self._send(LogChunk(request.request_id, error="this worker is asked for too many logs at once"))
            return
        task = asyncio.create_task(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Answers nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.close()

    async def _answer(self, request: LogRequest) -> None:
        try:
            chunk = await self._look(replace(request, max_bytes=max(1, min(request.max_bytes, MAX_LOG_CHUNK))))
        except (RungmasterError, OSError) as error:
            chunk = LogChunk(request.request_id, error=cause_of(error))
        await self._pace.keep(len(chunk.content))
        self._send(chunk)

    async def _look(self, request: LogRequest) -> LogChunk:
        """What there is; where that is nothing and the training goes on, what there is after a wait."""
        give_up_at = time.monotonic() + min(request.wait_s, LONGEST_WAIT_S)
        while True:
            log = self._own(request)
            running = log is not None and request.lease in self._running
            chunk = await asyncio.to_thread(_here, request, log, running=running) if log else None
            if chunk is None and not running:
                return await self._kept(request)
            if chunk is not None and (chunk.content or not running):
                return chunk
            if time.monotonic() >= give_up_at:
                return chunk or LogChunk(request.request_id, request.position, running=True)
            await asyncio.sleep(LOOK_S)

    def _own(self, request: LogRequest) -> OutputLog | None:
        """The worker's own log, which may not be there; None where the question leads nowhere."""
        if not DATABASE.fullmatch(request.database_id):
            return None
        path = self._logs / request.database_id / f"{lease_name(request.lease)}.log"
        training = self._running.get(request.lease)
        if training is not None and training.output.path == path:
            return training.output
        return self._ended.get(path) or OutputLog(path)

    async def _kept(self, request: LogRequest) -> LogChunk:
        if not request.storage:
            return LogChunk(request.request_id, missing=True)
        try:
            piece = await self._threads.begin(self._store.read_log, request)
        except FileNotFoundError:
            return LogChunk(request.request_id, missing=True)
        return LogChunk(request.request_id, *piece)


def _here(request: LogRequest, log: OutputLog, *, running: bool) -> LogChunk | None:
    """In a thread: what a log has; None where there is none."""
    try:
        piece = log.read(request.position, request.max_bytes, request.tail_lines)
    except FileNotFoundError:
        return None
    return LogChunk(request.request_id, *piece, running=running)
