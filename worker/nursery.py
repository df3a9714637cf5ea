"""The worker's handle on one fork server: asks it for processes, and learns from it how they end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..shared.errors import Unavailable
from .guard import Guard
from .preload import CannotFork
from .protocol import decode, encode

#: Seconds that an import may take before trials begin in fresh processes instead.
PRELOAD_TIMEOUT = 120.0
#: Seconds for a fork. Later its child could come as a second process of a trial that was started anew.
_FORK_TIMEOUT = 60.0


class Forked:
    """A process that was forked for a trial."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._over = asyncio.Event()
        self._orphaned = False

    def ended(self, code: int) -> None:
        """It has ended with this exit code."""
        self.returncode = code
        self._over.set()

    def orphaned(self) -> None:
        """The fork server is gone, and the kernel has ended this process with it."""
        self._orphaned = True
        self.ended(-signal.SIGKILL)

    async def wait(self) -> int:
        """Waits for its end and gives the exit code. Raises Unavailable where it ended with its fork server."""
        await self._over.wait()
        assert self.returncode is not None
        if self._orphaned:
            raise Unavailable("the process that the trial was forked from was killed, and the trial with it")
        return self.returncode


class Nursery:
    """One running fork server, ready to fork."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        guard: Guard,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._guard = guard
        self._reader = reader
        self._writer = writer
        self._lock = asyncio.Lock()
        self._answer: asyncio.Future[Forked] | None = None
        self._children: dict[int, Forked] = {}
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
        guard: Guard,
    ) -> Nursery:
        """Starts a fork server and waits until it has imported the entrypoint's module.

        `variables` differ from trial to trial; what the import prints goes to the file `output`. Raises CannotFork
        where trials have to start in fresh processes.
        """
        ours, theirs = socket.socketpair()
        with theirs, output.open("wb") as log:
            what = [f"{__package__}.forkserver", str(os.getpid()), str(theirs.fileno()), entrypoint, *variables]
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", *what),
                cwd=directory,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        guard.watch(process.pid)
        nursery = cls(process, guard, *await asyncio.open_unix_connection(sock=ours))
        try:
            await asyncio.wait_for(nursery._preloaded(), PRELOAD_TIMEOUT)
        except TimeoutError:
            raise CannotFork(f"its import was not done within {PRELOAD_TIMEOUT:g} s") from None
        else:
            nursery._reading = asyncio.create_task(nursery._listen())
            return nursery
        finally:
            if nursery._reading is None:
                await nursery.close()

    @property
    def pid(self) -> int:
        """Its process id, which is the id of its group as well."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it may be asked for processes."""
        return not self._retired and self._reading is not None and not self._reading.done()

    async def _preloaded(self) -> None:
        said = await self._next()
        if said is None:
            raise CannotFork("the process that imports it ended")
        if "refused" in said:
            raise CannotFork(said["refused"])

    async def _next(self) -> dict[str, Any] | None:
        try:
            return decode(await self._reader.readuntil())
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def fork(self, log: Path, environment: Mapping[str, str]) -> Forked:
        """A new process that trains with these variables beside the server's own, and prints into the file `log`.

        Raises CannotFork where the server cannot, because a source file was changed, for example, or is gone.
        """
        async with self._lock:
            if not self.alive:
                raise CannotFork("its fork server is gone")
            self._answer = asyncio.get_running_loop().create_future()
            self._writer.write(encode({"log": str(log), "environment": environment}))
            try:
                return await asyncio.wait_for(asyncio.shield(self._answer), _FORK_TIMEOUT)
            except TimeoutError:
                await self.close()
                raise CannotFork(f"its fork server did not answer within {_FORK_TIMEOUT:g} s") from None
            except asyncio.CancelledError:
                self._answer.add_done_callback(_unwanted)
                raise

    async def _listen(self) -> None:
        while (said := await self._next()) is not None:
            self._take(said)
        self._retired = True
        for child in self._children.values():
            child.orphaned()
        self._refuse("its fork server ended")
        await self._end()

    def _take(self, said: Mapping[str, Any]) -> None:
        if "exited" in said:
            child = self._children.pop(said["exited"], None)
            if child is not None:
                child.ended(said["code"])
        elif "refused" in said:
            self._refuse(said["refused"])
        elif self._answer is not None and not self._answer.done():
            child = self._children[said["pid"]] = Forked(said["pid"])
            self._answer.set_result(child)

    def _refuse(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(CannotFork(why))

    def retire(self) -> None:
        """It forks no more, and ends after its last child."""
        if self.alive:
            self._retired = True
            self._writer.write(encode({"retire": True}))

    async def close(self) -> None:
        """Ends it at once, and with it its children."""
        self._retired = True
        if self._process.returncode is None:
            # Not by Popen.kill, which may take the exit code away from asyncio when the process has just ended.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        await (self._end() if self._reading is None else self._reading)

    async def _end(self) -> None:
        self._writer.close()
        await self._process.wait()
        self._guard.forget(self.pid)

    def when_over(self, call: Callable[[Nursery], object]) -> None:
        """Calls this once the server has ended."""
        assert self._reading is not None
        self._reading.add_done_callback(lambda _: call(self))


def _unwanted(answer: asyncio.Future[Forked]) -> None:
    """A process came after nobody waited for it any more."""
    if not answer.cancelled() and answer.exception() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(answer.result().pid, signal.SIGKILL)
