"""Starts training processes: forks of a process that has imported their libraries already, or fresh ones."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import OrderedDict
from itertools import count
from pathlib import Path

from ...shared.errors import TRANSIENT, Unavailable
from ...shared.net.backoff import Backoff
from .child import Job, TrainingProcess
from .fork_client import ForkClient
from .preload import CannotFork
from .reaper_client import ReaperClient

#: Seconds for which a process is tried to be started while the machine is short of memory, processes or open files.
PATIENCE_S = 30.0
#: Fork servers that are kept at once; each holds the libraries of one entrypoint in memory.
MAX_SERVERS = 4
#: Seconds before forking what could not be forked is tried again; each further time twice as long.
_RETRY, _LONGEST_RETRY = 60.0, 3600.0

logger = logging.getLogger(__name__)

#: What a fork server is for: an entrypoint, and the libraries that its spec names.
_Kind = tuple[str, tuple[str, ...] | None]


class Launcher:
    """The way of a worker to start training processes."""

    def __init__(self, guard: ReaperClient, scratch: Path, *, fork: bool) -> None:
        """`scratch` is the worker's temporary folder. Without `fork`, and off Linux, all processes are fresh."""
        self._guard = guard
        self._scratch = scratch
        self._fork = fork and sys.platform == "linux"
        self._numbers = count(1)
        #: The one that was used last at the end.
        self._servers: OrderedDict[_Kind, asyncio.Task[ForkClient]] = OrderedDict()
        #: Those that have retired with children left as well.
        self._living: set[ForkClient] = set()
        self._refusals = _Refusals()

    async def start(self, job: Job) -> TrainingProcess:
        """Starts the process; what may be short for a moment is waited for.

        Raises OSError where the system cannot, Unavailable where parts of the worker do not.
        """
        until, backoff = asyncio.get_running_loop().time() + PATIENCE_S, Backoff(0.1, 3.0)
        while True:
            try:
                return await self._start(job)
            except OSError as error:
                if error.errno not in TRANSIENT or asyncio.get_running_loop().time() > until:
                    raise
                logger.warning(
                    "a training process cannot be started now, and is tried again: %s", error.strerror, extra=job.about
                )
            await asyncio.sleep(backoff.next())

    async def _start(self, job: Job) -> TrainingProcess:
        note = ""
        if self._fork and job.entrypoint and job.preload != ():
            kind = (job.entrypoint, job.preload)
            if self._refusals.may_try(kind):
                try:
                    return await self._forked(kind, job)
                except CannotFork as why:
                    self._refusals.note(kind, str(why))
            # Who has named libraries wants to know.
            note = f"in a fresh process: {self._refusals.reason(kind)}" if job.preload else ""
        await asyncio.to_thread(job.begin_log, note=note)
        return await TrainingProcess.start(job, self._guard)

    async def _forked(self, kind: _Kind, job: Job) -> TrainingProcess:
        """A fork; of a second server where the first one lacks a library, or died."""
        fork_client = await self._fork_client(kind, job)
        try:
            return await self._fork_of(fork_client, kind, job)
        except CannotFork as why:
            logger.info("preloading for %s again: %s", job.entrypoint, why)
            self._drop(kind, fork_client)
        fork_client = await self._fork_client(kind, job)
        try:
            return await self._fork_of(fork_client, kind, job)
        except CannotFork:
            self._drop(kind, fork_client)
            raise

    async def _fork_of(self, fork_client: ForkClient, kind: _Kind, job: Job) -> TrainingProcess:
        await asyncio.to_thread(job.begin_log, fork_client.output)
        process = await fork_client.fork(job)
        self._refusals.forget(kind)
        return TrainingProcess(process, job)

    async def _fork_client(self, kind: _Kind, job: Job) -> ForkClient:
        """The running one, or a new one; several trials that begin at once wait for the same."""
        task = self._servers.get(kind)
        if task is None:
            task = self._servers[kind] = asyncio.create_task(self._preload(job))
        self._servers.move_to_end(kind)
        try:
            fork_client = await asyncio.shield(task)
        except (CannotFork, OSError, Unavailable):
            # What failed once is begun anew by whoever comes next.
            if self._servers.get(kind) is task:
                del self._servers[kind]
            raise
        self._retire_the_oldest()
        return fork_client

    async def _preload(self, job: Job) -> ForkClient:
        output = self._scratch / f"preload-{next(self._numbers)}.log"
        fork_client = await ForkClient.start(job, output, self._guard)
        self._living.add(fork_client)
        fork_client.when_over(self._living.discard)
        return fork_client

    def _drop(self, kind: _Kind, fork_client: ForkClient) -> None:
        fork_client.retire()
        task = self._servers.get(kind)
        if task is not None and task.done() and not task.exception() and task.result() is fork_client:
            del self._servers[kind]

    def _retire_the_oldest(self) -> None:
        for kind, task in list(self._servers.items())[:-MAX_SERVERS]:
            if task.done() and not task.exception():
                self._drop(kind, task.result())

    async def close(self) -> None:
        """Ends all fork servers, and with them whatever they have forked."""
        for task in self._servers.values():
            task.cancel()
        await asyncio.gather(*self._servers.values(), return_exceptions=True)
        for fork_client in list(self._living):
            await fork_client.close()


class _Refusals:
    """What could not be forked lately; each reason is told once."""

    def __init__(self) -> None:
        self._reasons: dict[_Kind, str] = {}
        self._tries: dict[_Kind, tuple[float, float]] = {}

    def may_try(self, kind: _Kind) -> bool:
        """Whether it is worth another attempt now."""
        return asyncio.get_running_loop().time() >= self._tries.get(kind, (0.0, 0.0))[0]

    def note(self, kind: _Kind, why: str) -> None:
        """It could not be forked."""
        level = logging.DEBUG if self._reasons.get(kind) == why else logging.WARNING
        logger.log(level, "trials of %s start in fresh processes: %s", kind[0], why)
        self._reasons[kind] = why
        wait = min(_LONGEST_RETRY, max(_RETRY, 2 * self._tries.get(kind, (0.0, 0.0))[1]))
        self._tries[kind] = (asyncio.get_running_loop().time() + wait, wait)

    def reason(self, kind: _Kind) -> str:
        """Why it could not be forked."""
        return self._reasons[kind]

    def forget(self, kind: _Kind) -> None:
        """It was forked."""
        self._tries.pop(kind, None)
