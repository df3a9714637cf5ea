"""Starts training processes: forks of a process that has imported the code already, or fresh ones."""

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
PATIENCE = 30.0
#: Fork servers that are kept at once; each holds the imported code of one entrypoint in memory.
MAX_NURSERIES = 4
#: Seconds before an entrypoint that could not be preloaded is tried again; each further time twice as long.
_RETRY, _LONGEST_RETRY = 60.0, 3600.0

logger = logging.getLogger(__name__)


class Launcher:
    """The way of a worker to start training processes."""

    def __init__(self, guard: ReaperClient, scratch: Path, *, fork: bool) -> None:
        """`scratch` is the worker's temporary folder. Without `fork`, and off Linux, all processes are fresh."""
        self._guard = guard
        self._scratch = scratch
        self._fork = fork and sys.platform == "linux"
        self._numbers = count(1)
        #: By entrypoint, the one that was used last at the end.
        self._nurseries: OrderedDict[str, asyncio.Task[ForkClient]] = OrderedDict()
        #: Those that have retired with children left as well.
        self._living: set[ForkClient] = set()
        self._outputs: dict[str, Path] = {}
        self._refusals = _Refusals()

    async def start(self, job: Job) -> TrainingProcess:
        """Starts the process; what may be short for a moment is waited for.

        Raises OSError where the system cannot, Unavailable where parts of the worker do not.
        """
        until, backoff = asyncio.get_running_loop().time() + PATIENCE, Backoff(0.1, 3.0)
        while True:
            try:
                return await self._start(job)
            except OSError as error:
                if error.errno not in TRANSIENT or asyncio.get_running_loop().time() > until:
                    raise
                logger.warning("a training process cannot be started now, and is tried again: %s", error.strerror)
            await asyncio.sleep(backoff.next())

    async def _start(self, job: Job) -> TrainingProcess:
        if self._fork and job.entrypoint and self._refusals.may_try(job.entrypoint):
            try:
                return await self._forked(job)
            except CannotFork as why:
                self._refusals.note(job.entrypoint, str(why))
        await asyncio.to_thread(job.begin_log)
        return await TrainingProcess.start(job, self._guard)

    async def _forked(self, job: Job) -> TrainingProcess:
        """A fork; of a second server where the first one's sources have changed, or it died."""
        fork_client = await self._fork_client(job)
        try:
            return await self._fork_of(fork_client, job)
        except CannotFork as why:
            logger.info("preloading %s again: %s", job.entrypoint, why)
            self._drop(job.entrypoint, fork_client)
        fork_client = await self._fork_client(job)
        try:
            return await self._fork_of(fork_client, job)
        except CannotFork:
            self._drop(job.entrypoint, fork_client)
            raise

    async def _fork_of(self, fork_client: ForkClient, job: Job) -> TrainingProcess:
        await asyncio.to_thread(job.begin_log, self._outputs.get(job.entrypoint))
        process = await fork_client.fork(job.log, job.told)
        self._refusals.forget(job.entrypoint)
        return TrainingProcess(process, job.log)

    async def _fork_client(self, job: Job) -> ForkClient:
        """The running one, or a new one; several trials that begin at once wait for the same."""
        task = self._nurseries.get(job.entrypoint)
        if task is None:
            task = self._nurseries[job.entrypoint] = asyncio.create_task(self._preload(job))
        self._nurseries.move_to_end(job.entrypoint)
        try:
            fork_client = await asyncio.shield(task)
        except (CannotFork, OSError, Unavailable):
            # What failed once is begun anew by whoever comes next.
            if self._nurseries.get(job.entrypoint) is task:
                del self._nurseries[job.entrypoint]
            raise
        self._retire_the_oldest()
        return fork_client

    async def _preload(self, job: Job) -> ForkClient:
        loop = asyncio.get_running_loop()
        began = loop.time()
        output = self._outputs[job.entrypoint] = self._scratch / f"preload-{next(self._numbers)}.log"
        fork_client = await ForkClient.start(
            job.entrypoint, job.directory, job.base, sorted(job.varying), output, self._guard
        )
        self._living.add(fork_client)
        fork_client.when_over(self._living.discard)
        logger.info("preloaded %s in %.1f s, pid %d", job.entrypoint, loop.time() - began, fork_client.pid)
        return fork_client

    def _drop(self, entrypoint: str, fork_client: ForkClient) -> None:
        fork_client.retire()
        task = self._nurseries.get(entrypoint)
        if task is not None and task.done() and not task.exception() and task.result() is fork_client:
            del self._nurseries[entrypoint]

    def _retire_the_oldest(self) -> None:
        for entrypoint, task in list(self._nurseries.items())[:-MAX_NURSERIES]:
            if task.done() and not task.exception():
                self._drop(entrypoint, task.result())

    async def close(self) -> None:
        """Ends all fork servers, and with them whatever they have forked."""
        for task in self._nurseries.values():
            task.cancel()
        await asyncio.gather(*self._nurseries.values(), return_exceptions=True)
        for fork_client in list(self._living):
            await fork_client.close()


class _Refusals:
    """Entrypoints that could not be forked lately; each reason is told once."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        self._tries: dict[str, tuple[float, float]] = {}

    def may_try(self, entrypoint: str) -> bool:
        """Whether it is worth another attempt now."""
        return asyncio.get_running_loop().time() >= self._tries.get(entrypoint, (0.0, 0.0))[0]

    def note(self, entrypoint: str, why: str) -> None:
        """It could not be forked."""
        level = logging.DEBUG if self._told.get(entrypoint) == why else logging.WARNING
        logger.log(level, "trials of %s start in fresh processes: %s", entrypoint, why)
        self._told[entrypoint] = why
        wait = min(_LONGEST_RETRY, max(_RETRY, 2 * self._tries.get(entrypoint, (0.0, 0.0))[1]))
        self._tries[entrypoint] = (asyncio.get_running_loop().time() + wait, wait)

    def forget(self, entrypoint: str) -> None:
        """It was forked."""
        self._tries.pop(entrypoint, None)
