"""Starts and ends one training process: a process group of its own, its output in a log file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..shared.errors import Unavailable
from . import output
from .guard import Guard

#: Seconds between SIGTERM and SIGKILL.
KILL_GRACE = 5.0
#: Of what an import prints, at most so many bytes go into each trial's log.
_PRINTED = 64 << 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: `entrypoint` ("module:function") or `command`, where, with which variables, and where it prints.

    `base` are the variables that all training processes have, `told` those of this one beside them, `varying` the names
    that differ from one to the next.
    """

    entrypoint: str
    command: Sequence[str]
    directory: Path
    base: Mapping[str, str]
    told: Mapping[str, str]
    varying: frozenset[str]
    log: Path

    @property
    def arguments(self) -> list[str]:
        """The command line of a fresh process."""
        what = ["entrypoint", self.entrypoint] if self.entrypoint else ["command", *self.command]
        return [sys.executable, "-P", "-m", f"{__package__}.child_main", str(os.getpid()), *what]

    def begin_log(self, output: Path) -> None:
        """Puts what was printed while the code was imported, or its beginning, where a fresh process would have."""
        with self.log.open("ab") as log, output.open("rb") as printed:
            log.write(printed.read(_PRINTED))


class Process(Protocol):
    """A process that was started, whichever way."""

    @property
    def pid(self) -> int:
        """Its id."""
        ...

    @property
    def returncode(self) -> int | None:
        """Its exit code, once it has ended."""
        ...

    async def wait(self) -> int:
        """Waits for its end."""
        ...


class Child:
    """A running training process, the first of its group."""

    def __init__(self, process: Process, log: Path, guard: Guard) -> None:
        self._process = process
        self._log = log
        self._guard = guard
        self._gone = False

    @classmethod
    async def start(cls, job: Job, guard: Guard) -> Child:
        """Starts a fresh process. Raises OSError where the system cannot."""
        with job.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *job.arguments,
                cwd=job.directory,
                env={**job.base, **job.told},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        guard.watch(process.pid)
        return cls(process, job.log, guard)

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group as well."""
        return self._process.pid

    async def wait(self) -> int:
        """Waits for the end, ends what the process left running in its group, and returns the exit code.

        A process that a signal ended has the negative number of that signal. Raises Unavailable where it was the
        worker that lost it.
        """
        try:
            return await self._process.wait()
        finally:
            if self._process.returncode is not None and not self._gone:
                self._signal(signal.SIGKILL)
                self._guard.forget(self.pid)
                self._gone = True

    async def kill(self, *, at_once: bool = False) -> None:
        """Ends the whole group: SIGTERM, and after a grace SIGKILL, or `at_once` SIGKILL."""
        if self._process.returncode is None and not at_once:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError, Unavailable):
                await asyncio.wait_for(self._process.wait(), KILL_GRACE)
        self._signal(signal.SIGKILL)
        with contextlib.suppress(Unavailable):
            await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        """Signals the group, which may outlive its first process; once it is gone its id may be another's."""
        if self._gone:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def tail(self, length: int, since: int = 0) -> str:
        """The end of what it printed, at most so many characters; its log had `since` bytes when it was started."""
        return output.tail(self._log, length, since)

    async def watch_output(self) -> None:
        """Keeps its log short, until it is cancelled."""
        while True:
            await asyncio.sleep(output.INTERVAL)
            await self.shorten_output()

    async def shorten_output(self) -> None:
        """Drops the middle of a log that has become too long."""
        try:
            await asyncio.to_thread(output.shorten, self._log)
        except OSError as error:
            logger.warning("the log %s cannot be shortened: %s", self._log, error)


_HINTS = {
    "SIGKILL": " (probably out of memory)",
    "SIGSEGV": " (a crash in native code)",
    "SIGBUS": " (a crash in native code)",
}
#: What a shell, and programs that start others, exit with.
_SHELL_HINTS = {
    126: " (a program may not be executed)",
    127: " (a program was not found)",
    128 + signal.SIGKILL: " (a program was killed by SIGKILL, probably out of memory)",
    128 + signal.SIGSEGV: " (a program was killed by SIGSEGV, a crash in native code)",
}


def describe_exit(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exited with code {code}{_SHELL_HINTS.get(code, '')}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}{_HINTS.get(name, '')}"
