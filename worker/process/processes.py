"""The worker's side of a process server: asks it for processes by number, and learns from it how they end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any

from ...shared.errors import InvalidInput, Unavailable
from ..trial.protocol import decode, encode
from .preload import CannotFork

#: Seconds for a start.
START_TIMEOUT_S = 60.0

logger = logging.getLogger(__name__)


class Process:
    """A process that was asked for; it and all that it starts end together."""

    def __init__(self, number: int, line: ProcessServerClient) -> None:
        self.number = number
        self.pid = 0
        self.returncode: int | None = None
        self._line = line
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._lost = ""

    async def started(self) -> None:
        """Waits for it to be there. Raises CannotFork or OSError where it cannot be."""
        await asyncio.shield(self._started)

    def begun(self, pid: int) -> None:
        """It is there, with this id."""
        self.pid = pid
        if not self._started.done():
            self._started.set_result(None)

    def refused(self, why: Exception) -> None:
        """It will not be there."""
        if not self._started.done():
            self._started.set_exception(why)
            # Perhaps nobody waits for it any more.
            self._started.exception()
        self._over.set()

    def ended(self, code: int) -> None:
        """Nothing of it is left."""
        self.returncode = code
        self.refused(CannotFork("the process died before it began"))

    def lost(self, why: str) -> None:
        """Whoever had started it is gone, and it with that."""
        self._lost = why
        self.ended(-signal.SIGKILL)

    async def over(self) -> None:
        """Waits until nothing of it is left."""
        await self._over.wait()

    async def wait(self) -> int:
        """Waits until nothing of it is left, and gives its exit code. Raises Unavailable where it was lost."""
        await self.over()
        if self._lost:
            raise Unavailable(self._lost)
        assert self.returncode is not None
        return self.returncode

    def end(self, grace_s: float) -> None:
        """Ends it and all that it has started: SIGTERM, and SIGKILL after so many seconds."""
        self._line.end(self.number, grace_s)

    async def give_up(self) -> None:
        """It does not end: what has started it is ended, and everything with that."""
        await self._line.give_up()


class ProcessServerClient:
    """The line to one process server."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, give_up: Callable[[], Awaitable[None]]
    ) -> None:
        """`give_up` ends the server."""
        self.give_up = give_up
        self._reader = reader
        self._writer = writer
        self._numbers = count(1)
        self._processes: dict[int, Process] = {}

    async def start(self, order: Mapping[str, Any]) -> Process:
        """A new process. Where nobody waits for it any more it is ended, however far its start has come.

        Raises CannotFork where the server cannot, OSError where the system cannot.
        """
        process = Process(next(self._numbers), self)
        self._processes[process.number] = process
        self._write({"start": process.number, **order})
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await process.started()
        except TimeoutError:
            process.end(0)
            raise CannotFork(f"no process within {START_TIMEOUT_S:g} s") from None
        except asyncio.CancelledError:
            process.end(0)
            raise
        return process

    @property
    def processes(self) -> tuple[Process, ...]:
        """All that were asked for and are not over."""
        return tuple(self._processes.values())

    def end(self, number: int, grace_s: float) -> None:
        """Ends a process, or its start."""
        self._write({"end": number, "grace": grace_s})

    def retire(self) -> None:
        """The server starts nothing more, and ends after its last process."""
        self._write({"retire": True})

    def close(self) -> None:
        """The server learns that nobody is there any more."""
        self._writer.close()

    def _write(self, message: Mapping[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def next(self) -> dict[str, Any] | None:
        """The next message; None at the end."""
        try:
            return decode(await self._reader.readuntil())
        except (asyncio.IncompleteReadError, ConnectionError, InvalidInput):
            return None

    async def listen(self) -> None:
        """Takes in messages until the end of the line."""
        while (said := await self.next()) is not None:
            self._take(said)

    def lose_all(self, why: str) -> None:
        """The server is gone, and everything that it had started."""
        for process in self._processes.values():
            process.lost(why)
        self._processes.clear()

    def _take(self, said: Mapping[str, Any]) -> None:
        if "started" in said:
            self._processes[said["started"]].begun(said["pid"])
        elif "refused" in said:
            self._processes.pop(said["refused"]).refused(_reason(said))
        else:
            self._processes.pop(said["exited"]).ended(said["code"])


def _reason(said: Mapping[str, Any]) -> Exception:
    if "errno" in said:
        return OSError(said["errno"], os.strerror(said["errno"]), said["why"])
    return CannotFork(said["why"])
