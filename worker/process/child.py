"""Starts and ends one training process, its output in a log file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .processes import Process
from .reaper_client import ReaperClient

#: Seconds between SIGTERM and SIGKILL.
KILL_GRACE_S = 5.0
#: Seconds after SIGKILL until a process that does not end is looked at as one whose parents do not do their work.
_STUCK_S = 20.0
#: Of what an import prints, at most so many bytes go into each trial's log.
_PRINTED = 64 << 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: `entrypoint` ("module:function") or `command`, where, with which variables, and where it prints.

    `base` are the variables that all training processes have, `told` those of this one beside them. `preload` are the
    libraries to import before its process is forked: None for those that the entrypoint's source names, and with none
    the process is fresh. `about` are the fields of log entries about it (`shared/text/logs.py`).
    """

    entrypoint: str
    command: Sequence[str]
    directory: Path
    base: Mapping[str, str]
    told: Mapping[str, str]
    log: Path
    preload: tuple[str, ...] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        """What a fresh process is told to run."""
        return ["entrypoint", self.entrypoint] if self.entrypoint else ["command", *self.command]

    def begin_log(self, printed: Path | None = None, note: str = "") -> None:
        """Makes the log's folder, and puts a note and the beginning of what was `printed` by the preloading first."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if note:
            with self.log.open("a") as log:
                log.write(f"rungmaster: {note}\n")
        if printed is not None:
            with contextlib.suppress(FileNotFoundError), printed.open("rb") as beginning, self.log.open("ab") as log:
                log.write(beginning.read(_PRINTED))


class TrainingProcess:
    """A running training process, with all that it starts."""

    def __init__(self, process: Process, job: Job) -> None:
        self._process = process
        self._about = job.about

    @classmethod
    async def start(cls, job: Job, guard: ReaperClient) -> TrainingProcess:
        """Starts a fresh process. Raises OSError where the system cannot, Unavailable where the worker does not."""
        environment = {**job.base, **job.told}
        return cls(await guard.run("child_main", job.arguments, job.directory, environment, job.log), job)

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group as well."""
        return self._process.pid

    async def wait(self) -> int:
        """Waits for the end, also of what the process left running, and returns the exit code.

        A process that a signal ended has the negative number of that signal. Raises Unavailable where it was the
        worker that lost it.
        """
        return await self._process.wait()

    async def kill(self, *, at_once: bool = False) -> None:
        """Ends it and all that it has started: SIGTERM, and after a grace SIGKILL, or `at_once` SIGKILL."""
        grace_s = 0.0 if at_once else KILL_GRACE_S
        self._process.end(grace_s)
        try:
            async with asyncio.timeout(grace_s + _STUCK_S):
                await self._process.over()
        except TimeoutError:
            logger.error("process %d does not end; what it was started from is ended", self.pid, extra=self._about)
            await self._process.give_up()


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
