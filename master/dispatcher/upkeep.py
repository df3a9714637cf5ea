"""Keeps the database small beside everything else: thins reports and empties deleted experiments, a little at a time.

Each step is a transaction in the one writer's thread that takes some milliseconds, and then the thread is left to
others for as long. What is under way stands in the database: a master that was killed in the middle goes on with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from ...shared.errors import FailedPrecondition, MastershipLost, NotFound, RungmasterError
from ..experiment.changes import ThinningRow
from ..experiment.retention import Measured, Sieve, spans
from ..ledger.ledger import Ledger
from ..ledger.reader import Reader
from ..ledger.retention import Place
from ..search.interface import Goal
from .clock import Now, system_now
from .writer import Writer

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Rows that one step may delete.
ROWS = 2_000
#: Checkpoints given up at once; their files are deleted by workers.
CHECKPOINTS = 500
#: Seconds between two looks for experiments that ended long enough ago, and for what was left after an error.
LOOK_INTERVAL = 10.0
_DAY = 86_400.0


class Upkeep:
    """What the master does in the background. `keep_reports` is in days; None: for ever."""

    def __init__(
        self,
        writer: Writer,
        ledger: Ledger,
        reader: Reader,
        thread: Executor,
        keep_reports: float | None = None,
        now: Callable[[], Now] = system_now,
    ) -> None:
        """`thread` is the only one that calls the ledger."""
        self._writer = writer
        self._ledger = ledger
        self._reader = reader
        self._thread = thread
        self._keep_reports = keep_reports
        self._now = now

    async def run(self) -> None:
        """Works until it is cancelled; raises MastershipLost where another master took over."""
        while True:
            self._writer.chores.clear()
            try:
                await self.work_off()
            except MastershipLost:
                raise
            except RungmasterError as error:
                log.warning("thinning or deleting did not go on: %s", error)
            except Exception:
                # A failure here must not end a master that serves.
                log.exception("thinning or deleting failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._writer.chores.wait(), LOOK_INTERVAL)

    async def work_off(self) -> None:
        """Does everything that there is to do now."""
        await self._choose()
        for experiment_id in await asyncio.to_thread(self._reader.open_deletions):
            await self._erase(experiment_id)
        for thinning in await asyncio.to_thread(self._reader.open_thinnings):
            await self._thin(thinning)

    async def _choose(self) -> None:
        """Has experiments thinned that ended long enough ago."""
        days = self._keep_reports
        if days is None:
            return
        for experiment_id in await asyncio.to_thread(self._reader.unthinned, self._now().wall - days * _DAY):
            with contextlib.suppress(FailedPrecondition, NotFound):
                why = f"it ended more than {days:g} days ago"
                await self._writer.execute(lambda core, _, number=experiment_id, why=why: core.thin(number, 0, why))

    async def _erase(self, experiment_id: int) -> None:
        """Gives the files of a deleted experiment up, and deletes its rows."""
        while uris := await asyncio.to_thread(self._reader.needed_checkpoints, experiment_id, CHECKPOINTS):
            await self._leaving_room(self._writer.execute(lambda core, _, uris=uris: core.give_up(uris)))
        place: Place | None = Place()
        while place is not None:
            place = await self._step(self._ledger.erase, experiment_id, place, ROWS)
        log.info("experiment %d is deleted", experiment_id)

    async def _thin(self, thinning: ThinningRow) -> None:
        """Reads the reports beside the writer (those of an experiment that has ended do not change), and drops some."""
        number = thinning.experiment_id
        try:
            experiment = await asyncio.to_thread(self._reader.get_experiment, number)
        except NotFound:
            return
        sieve = Sieve(Goal(experiment.goal), thinning.keep_every)
        after = (thinning.next_trial, -1, -1)
        while True:
            found, deciding = await asyncio.to_thread(self._reader.measured, number, experiment.metric, after, ROWS)
            gone: list[Measured] = []
            for report in found:
                gone += sieve.take(report, deciding.get(report.trial_id, ()))
            finished = len(found) < ROWS
            if found:
                after = (found[-1].trial_id, found[-1].token, found[-1].sequence)
            if (gone or finished) and not await self._step(
                self._ledger.thin, thinning, spans(gone), after[0], finished=finished
            ):
                return
            if finished:
                log.info("the reports of experiment %d are thinned", number)
                return

    async def _step(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """One transaction, in the ledger's thread."""
        loop = asyncio.get_running_loop()

        async def run() -> T:
            return await loop.run_in_executor(self._thread, lambda: call(*arguments, **named))

        return await self._leaving_room(run())

    async def _leaving_room(self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for as long as the work took: whoever wants an answer finds the thread free half of the time."""
        start = time.monotonic()
        result = await work
        await asyncio.sleep(time.monotonic() - start)
        return result
