"""The worker's handle on one fork server."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from .child import Job
from .preload import CannotFork
from .processes import Process, ProcessServerClient
from .reaper_client import ReaperClient

#: Seconds that the imports may take before trials begin in fresh processes instead.
PRELOAD_TIMEOUT_S = 120.0

logger = logging.getLogger(__name__)


class ForkClient:
    """One running fork server, ready to fork."""

    def __init__(
        self, server: Process, output: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        #: The file with what the libraries have printed.
        self.output = output
        self._server = server
        self._line = ProcessServerClient(reader, writer, self.close)
        self._retired = False
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, job: Job, output: Path, guard: ReaperClient) -> ForkClient:
        """Starts a fork server for trials like this one, and waits until it has imported their libraries.

        What that prints goes to the file `output`. Raises CannotFork where trials have to start in fresh processes.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                arguments = [job.entrypoint, *(job.preload or ())]
                server = await guard.run("fork_server", arguments, job.directory, job.base, output, theirs)
            except BaseException:
                ours.close()
                raise
        fork_client = cls(server, output, *await asyncio.open_unix_connection(sock=ours))
        try:
            async with asyncio.timeout(PRELOAD_TIMEOUT_S):
                libraries = await fork_client._preloaded()
        except TimeoutError:
            raise CannotFork(f"its libraries were not imported within {PRELOAD_TIMEOUT_S:g} s") from None
        else:
            fork_client._reading = asyncio.create_task(fork_client._listen())
            logger.info("preloaded for %s, pid %d: %s", job.entrypoint, server.pid, ", ".join(libraries) or "nothing")
            return fork_client
        finally:
            if fork_client._reading is None:
                server.end(0)
                fork_client._line.close()

    @property
    def alive(self) -> bool:
        """Whether it may be asked for processes."""
        return not self._retired and self._reading is not None and not self._reading.done()

    @property
    def processes(self) -> tuple[Process, ...]:
        """All that were asked for and are not over."""
        return self._line.processes

    async def _preloaded(self) -> list[str]:
        """The libraries that were imported."""
        said = await self._line.next()
        if said is None:
            raise CannotFork("the process that imports its libraries ended")
        if "refused" in said:
            raise CannotFork(said["refused"])
        return said["ready"]

    async def fork(self, job: Job) -> Process:
        """A new process that trains.

        Raises CannotFork where the server cannot, because it is gone or the source names other libraries now, for
        example; OSError where the system cannot.
        """
        if not self.alive:
            raise CannotFork("its fork server is gone")
        return await self._line.start({"log": str(job.log), "environment": dict(job.told)})

    async def _listen(self) -> None:
        await self._line.listen()
        self._retired = True
        self._line.close()
        self._server.end(0)
        await self._server.over()
        self._line.lose_all("the process that the trial was forked from was killed, and the trial with it")

    def retire(self) -> None:
        """It forks no more, and ends after its last child."""
        if self.alive:
            self._retired = True
            self._line.retire()

    async def close(self) -> None:
        """Ends it at once, and with it its children; returns once nothing of them is left."""
        self._retired = True
        self._server.end(0)
        await self._server.over()
        if self._reading is not None:
            await self._reading

    def when_over(self, call: Callable[[ForkClient], object]) -> None:
        """Calls this once the server has ended."""
        assert self._reading is not None
        self._reading.add_done_callback(lambda _: call(self))
