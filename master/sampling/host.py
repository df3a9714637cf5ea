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
from .programs import SamplerPrograms

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
        self.programs = SamplerPrograms()
        self._surroundings = Surroundings(writer, reader, self._threads, self.programs)
        self._samplers: dict[int, ExperimentSampler] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        #: Those that were told to end.
        self._ending: set[asyncio.Task[None]] = set()

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
            self._end(list(self._tasks))
            await asyncio.gather(*self._ending, return_exceptions=True)
            self._threads.close()

    async def _look(self) -> bool:
        """Whether it could be seen what is wanted; then every experiment has its sampler, or none any more."""
        try:
            found = await self._writer.execute(lambda core, now: core.sampling.needs(now))
        except RungmasterError as error:
            log.debug("what samplers are wanted for could not be seen: %s", error)
            return False
        wanted = {needs.experiment.experiment_id: needs for needs in found}
        self._end([number for number, task in self._tasks.items() if number not in wanted or task.done()])
        for number, needs in wanted.items():
            self._serve(number, needs)
        return True

    def _serve(self, number: int, needs: SamplingNeeds) -> None:
        if number in self._samplers:
            self._samplers[number].update(needs)
            return
        sampler = self._samplers[number] = ExperimentSampler(self._surroundings, needs)
        self._tasks[number] = asyncio.create_task(sampler.run())

    def _end(self, numbers: Iterable[int]) -> None:
        """Of experiments that have ended, were paused or set aside, or whose sampler failed here. Nobody waits for it:
        a program has a moment to end by itself."""
        for number in numbers:
            del self._samplers[number]
            task = self._tasks.pop(number)
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the host of a sampler failed", exc_info=error)
