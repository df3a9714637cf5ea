"""The host of the sampler programs, beside the upkeep: sees which experiments have one, and what each wants of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable

from ...shared.errors import RungmasterError
from ...shared.idle_threads import IdleThreads
from ..dispatcher.writer import Writer
from ..experiment.suggestions import SamplingNeeds
from ..ledger.read.reader import Reader
from .experiment import ExperimentSampler, Surroundings

log = logging.getLogger(__name__)

#: Seconds between two looks, where a program runs and nothing has happened: trials come closer to their ends.
LOOK_EVERY_S = 1.0
#: Seconds between two looks at least, whatever happens: a busy search is not looked at with every commit.
LOOK_PAUSE_S = 0.02
#: Threads that draw, check suggestions and read results, for all experiments together.
THREADS = 2


class SamplerHost:
    """One for a master. It costs nothing while no experiment has a sampler that is a program."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._threads = IdleThreads(THREADS, "sampling")
        self._surroundings = Surroundings(writer, reader, self._threads)
        self._samplers: dict[int, ExperimentSampler] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until it is cancelled; then every program has ended."""
        try:
            while True:
                self._writer.sampling.clear()
                looked = await self._look()
                await asyncio.sleep(LOOK_PAUSE_S)
                with contextlib.suppress(TimeoutError):
                    limit_s = LOOK_EVERY_S if self._tasks or not looked else None
                    await asyncio.wait_for(self._writer.sampling.wait(), limit_s)
        finally:
            await self._end(list(self._tasks))
            self._threads.close()

    async def _look(self) -> bool:
        """Whether it could be seen what is wanted; then every experiment has its sampler, or none any more."""
        try:
            found = await self._writer.execute(lambda core, now: core.sampling.needs(now))
        except RungmasterError as error:
            log.debug("what samplers are wanted for could not be seen: %s", error)
            return False
        wanted = {needs.experiment.experiment_id: needs for needs in found}
        await self._end([number for number, task in self._tasks.items() if number not in wanted or task.done()])
        for number, needs in wanted.items():
            self._serve(number, needs)
        return True

    def _serve(self, number: int, needs: SamplingNeeds) -> None:
        if number in self._samplers:
            self._samplers[number].update(needs)
            return
        sampler = self._samplers[number] = ExperimentSampler(self._surroundings, needs)
        self._tasks[number] = asyncio.create_task(sampler.run())

    async def _end(self, numbers: Iterable[int]) -> None:
        """Of experiments that have ended, were paused or set aside, or whose sampler failed here."""
        tasks = [self._tasks.pop(number) for number in numbers]
        self._samplers = {number: sampler for number, sampler in self._samplers.items() if number in self._tasks}
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("the host of a sampler failed", exc_info=ended)
