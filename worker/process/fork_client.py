"""The worker's handle on one fork server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .preload import CannotFork
from .processes import Process, ProcessServerClient
from .reaper_client import ReaperClient

#: Seconds that an import may take before trials begin in fresh processes instead.
PRELOAD_TIMEOUT = 120.0


class ForkClient:
    """One running fork server, ready to fork."""

    def __init__(self, server: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._line = ProcessServerClient(reader, writer, self.close)
        self._retired = False
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        entrypoint: str,
        directory: Path,
        environment: Mapping[str, str],
        variables: Sequence[str],
        output: Path,
        guard: ReaperClient,
    ) -> ForkClient:
        """Starts a fork server and waits until it has imported the entrypoint's module.

        `variables` differ from trial to trial; what the import prints goes to the file `output`. Raises CannotFork
        where trials have to start in fresh processes.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                server = await guard.run("forkserver", [entrypoint, *variables], directory, environment, output, theirs)
            except BaseException:
                ours.close()
                raise
        fork_client = cls(server, *await asyncio.open_unix_connection(sock=ours))
        try:
            async with asyncio.timeout(PRELOAD_TIMEOUT):
                await fork_client._preloaded()
        except TimeoutError:
            raise CannotFork(f"its import was not done within {PRELOAD_TIMEOUT:g} s") from None
        else:
            fork_client._reading = asyncio.create_task(fork_client._listen())
            return fork_client
        finally:
            if fork_client._reading is None:
                server.end(0)
                fork_client._line.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._server.pid

    @property
    def alive(self) -> bool:
        """Whether it may be asked for processes."""
        return not self._retired and self._reading is not None and not self._reading.done()

    @property
    def processes(self) -> tuple[Process, ...]:
        """All that were asked for and are not over."""
        return self._line.processes

    async def _preloaded(self) -> None:
        said = await self._line.next()
        if said is None:
            raise CannotFork("the process that imports it ended")
        if "refused" in said:
            raise CannotFork(said["refused"])

    async def fork(self, log: Path, environment: Mapping[str, str]) -> Process:
        """A new process that trains with these variables beside the server's own, and prints into the file `log`.

        Raises CannotFork where the server cannot, because a source file was changed, for example, or is gone; OSError
        where the system cannot.
        """
        if not self.alive:
            raise CannotFork("its fork server is gone")
        return await self._line.start({"log": str(log), "environment": dict(environment)})

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
