"""Keeps the database small beside everything else: thins reports and empties deleted experiments, a little at a time.

Each step takes some milliseconds, of which one transaction in the writer's thread, and is followed by a rest several
times as long. What is under way stands in the database: a master that was killed in the middle goes on with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

from ....shared.errors import FailedPrecondition, MastershipLost, NotFound, RungmasterError, Unavailable
from ....shared.text.logs import about
from ....shared.wire.model import Experiment
from ...experiment.changes import ThinningRow
from ...experiment.life.retention import Sieve, Span, spans
from ...ledger.ledger import Ledger
from ...ledger.read.reader import Reader
from ...ledger.write.retention import ErasurePosition
from ...search.interface import Goal
from ..clock import Now, system_now
from ..writer import Writer

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Rows that one step may delete.
ROWS = 1_000
#: How many times as long as it worked it rests: nobody waits for it, and others do for answers.
REST = 3.0
#: Checkpoints given up at once; their files are deleted by workers.
CHECKPOINTS = 500
#: Seconds between two looks for experiments that ended long enough ago, and for what was left after an error.
LOOK_INTERVAL_S = 10.0
_DAY_S = 86_400.0


class Upkeep:
    """What the master does in the background. `keep_reports_days` is in days; None: for ever."""

    def __init__(
        self,
        writer: Writer,
        ledger: Ledger,
        reader: Reader,
        thread: Executor,
        keep_reports_days: float | None = None,
        now: Callable[[], Now] = system_now,
    ) -> None:
        """`thread` is the only one that calls the ledger."""
        self._writer = writer
        self._ledger = ledger
        self._reader = reader
        self._thread = thread
        self._keep_reports_days = keep_reports_days
        self._now = now
        #: What failed, by what was done for which experiment: told once, and tried again each time.
        self._failures: dict[str, str] = {}

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
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._writer.chores.wait(), LOOK_INTERVAL_S)

    async def work_off(self) -> None:
        """Does everything that there is to do now; what fails for one experiment is left, and the others go on.

        Raises Unavailable where the database takes nothing now.
        """
        if self._keep_reports_days is not None:
            before = self._now().wall - self._keep_reports_days * _DAY_S
            for number in await asyncio.to_thread(self._reader.unthinned, before):
                await self._apart(f"having experiment {number} thinned", self._choose(number, self._keep_reports_days))
        for number in await asyncio.to_thread(self._reader.open_deletions):
            await self._apart(f"deleting experiment {number}", self._erase(number))
        for thinning in await asyncio.to_thread(self._reader.open_thinnings):
            await self._apart(f"thinning experiment {thinning.experiment_id}", self._thin(thinning))

    async def _apart(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Does one thing; that it failed is told once."""
        try:
            await work
        except Unavailable:
            raise
        except Exception as error:
            again = self._failures.get(what) == repr(error)
            self._failures[what] = repr(error)
            log.log(logging.DEBUG if again else logging.ERROR, "%s failed", what, exc_info=error)
        else:
            self._failures.pop(what, None)

    async def _choose(self, experiment_id: int, days: float) -> None:
        """Has an experiment thinned that ended long enough ago."""
        with contextlib.suppress(FailedPrecondition, NotFound):
            why = f"it ended more than {days:g} days ago"
            await self._writer.execute(lambda core, _: core.thin(experiment_id, 0, why))

    async def _erase(self, experiment_id: int) -> None:
        """Gives the files of a deleted experiment up, and deletes its rows."""
        while await self._resting(self._give_up_some(experiment_id)):
            pass
        place: ErasurePosition | None = ErasurePosition()
        while place is not None:
            place = await self._resting(self._write(self._ledger.erase, experiment_id, place, ROWS))
        log.info("experiment %d is deleted", experiment_id, extra=about(experiment_id))

    async def _give_up_some(self, experiment_id: int) -> bool:
        """Has some checkpoints' files deleted; whether there were any."""
        uris = await asyncio.to_thread(self._reader.needed_checkpoints, experiment_id, CHECKPOINTS)
        if uris:
            await self._writer.execute(lambda core, _: core.give_up(uris))
        return bool(uris)

    async def _thin(self, thinning: ThinningRow) -> None:
        try:
            experiment = await asyncio.to_thread(self._reader.get_experiment, thinning.experiment_id)
        except NotFound:
            return
        search = _Search(self._reader, thinning, experiment)
        while await self._resting(self._thin_some(search)):
            pass
        log.info(
            "the reports of experiment %d are thinned", thinning.experiment_id, extra=about(thinning.experiment_id)
        )

    async def _thin_some(self, search: _Search) -> bool:
        """Drops some reports; whether there is more to do."""
        gone = await asyncio.to_thread(search.read)
        thinned = not (gone or search.finished) or await self._write(
            self._ledger.thin, search.thinning, gone, search.trial, finished=search.finished
        )
        return thinned and not search.finished

    async def _write(self, call: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """One transaction, in the ledger's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *arguments, **named))

    @staticmethod
    async def _resting(work: Coroutine[Any, Any, T]) -> T:
        start = time.monotonic()
        result = await work
        await asyncio.sleep(REST * (time.monotonic() - start))
        return result


class _Search:
    """Looks through the reports of one experiment for those that may go.

    It reads beside the writer: the reports of an experiment that has ended do not change.
    """

    def __init__(self, reader: Reader, thinning: ThinningRow, experiment: Experiment) -> None:
        self.thinning = thinning
        self._reader = reader
        self._metric = experiment.metric
        self._sieve = Sieve(Goal(experiment.goal), thinning.keep_every)
        self._after = (thinning.next_trial, -1, -1)
        #: Whether there is nothing left to read.
        self.finished = False

    @property
    def trial(self) -> int:
        """The trial at which it stands; those below are done."""
        return self._after[0]

    def read(self) -> list[Span]:
        """Goes on by some reports: what may go now."""
        number = self.thinning.experiment_id
        found, deciding = self._reader.measured(number, self._metric, self._after, ROWS)
        gone = [one for report in found for one in self._sieve.take(report, deciding.get(report.trial_id, ()))]
        self.finished = len(found) < ROWS
        if found:
            self._after = (found[-1].trial_id, found[-1].token, found[-1].sequence)
        return spans(gone)
