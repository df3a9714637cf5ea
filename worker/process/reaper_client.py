"""The worker's handle on its reaper, the ancestor of all training, which ends that with the worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...shared.descendants import PATIENCE_S
from ...shared.errors import Unavailable
from .environment import scrubbed
from .preload import CannotFork
from .processes import Process, ProcessServerClient
from .signals import FOR_THE_WORKER

logger = logging.getLogger(__name__)


class ReaperClient:
    """Starts programs; none of them, nor what they start, outlives the worker."""

    def __init__(self, hidden: Sequence[str] = ()) -> None:
        """`hidden` are patterns of variables that no process gets: a child can read those of its ancestors."""
        self._hidden = hidden
        self._reaper: subprocess.Popen[bytes] | None = None
        self._line: ProcessServerClient | None = None
        self._passing: socket.socket | None = None
        self._listening: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()

    async def run(
        self,
        module: str,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        log: Path,
        channel: socket.socket | None = None,
    ) -> Process:
        """Runs a program of this package, with `channel` as its standard input; what it prints goes to `log`.

        Raises OSError where the system cannot, Unavailable where the reaper does not.
        """
        await self.begin()
        assert self._line is not None
        assert self._passing is not None
        if channel is not None:
            socket.send_fds(self._passing, [b"."], [channel.fileno()])
        order = {"module": module, "arguments": list(arguments), "directory": str(directory), "log": str(log)}
        try:
            return await self._line.start({**order, "environment": dict(environment), "input": channel is not None})
        except CannotFork as error:
            raise Unavailable(f"the worker could not start {module}: {error}") from error

    async def begin(self) -> None:
        """Starts a reaper where there is none: the first, or another where somebody has killed it."""
        async with self._beginning:
            if self._listening is None or self._listening.done():
                await self._start()

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._passing, passed = socket.socketpair()
        with theirs, passed:
            self._reaper = _start_reaper(scrubbed(os.environ, self._hidden), theirs.fileno(), passed.fileno())
        line = ProcessServerClient(*await asyncio.open_unix_connection(sock=ours), self._kill)
        self._line = line
        self._listening = asyncio.create_task(self._listen(line, self._reaper, self._passing))

    async def _listen(self, line: ProcessServerClient, reaper: subprocess.Popen[bytes], passing: socket.socket) -> None:
        await line.listen()
        await asyncio.to_thread(reaper.wait)
        passing.close()
        line.close()
        if reaper.returncode != 0:
            logger.error("the process that all training was started from has ended with %d", reaper.returncode)
        line.lose_all("the process that all training was started from was killed, and the trial with it")

    async def _kill(self) -> None:
        """Nothing else helps; the supervisors of the trials see that it is gone, and end them."""
        if self._reaper is not None:
            self._reaper.kill()
        if self._listening is not None:
            await asyncio.shield(self._listening)

    async def stop(self) -> None:
        """Ends everything that still runs."""
        if self._line is None or self._listening is None:
            return
        self._line.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S + 2):
                await asyncio.shield(self._listening)
        await self._kill()


def _start_reaper(environment: Mapping[str, str], *descriptors: int) -> subprocess.Popen[bytes]:
    with _held_back():
        return subprocess.Popen(  # noqa: S603 - a program of this package
            [sys.executable, "-P", "-m", f"{__package__}.reaper", *map(str, descriptors)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
            pass_fds=descriptors,
            start_new_session=True,
        )


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Signals to the worker wait, so that none meets its child before that has learnt to ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_WORKER)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
