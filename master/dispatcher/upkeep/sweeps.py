"""Finds what the ledger does not know and nothing can need: checkpoints in stores, and training logs on workers.

The master may not reach the stores: it asks a worker what lies there, a portion at a time, compares that with the
ledger, and has orphans deleted as any other checkpoint.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from concurrent.futures import Executor
from dataclasses import replace

from ....shared.checkpoints.paths import CheckpointPath
from ....shared.checkpoints.storage import address_in
from ....shared.errors import MastershipLost, RungmasterError
from ....shared.text.logs import about
from ....shared.wire.session import Sweep, Swept, TrialRef
from ...ledger.ledger import Ledger
from ...ledger.read.reader import Reader
from ..writer import Writer

log = logging.getLogger(__name__)

#: Seconds from the start to the first sweep, and between two.
FIRST_S, INTERVAL_S = 600.0, 6 * 3600.0
#: Seconds for which nothing of a checkpoint may have changed before it is taken for an orphan.
GRACE_S = 24 * 3600.0
#: Seconds in which a worker answers, between two looks whether it has, and the rest after each portion.
PATIENCE_S, LOOK, REST = 120.0, 0.5, 1.0
#: How many workers are asked in vain about a portion before the storage is left to the next sweep.
ATTEMPTS = 3
#: Days for which the database keeps a worker that has left, and rows that go at once.
WORKERS_KEPT_DAYS, ROWS = 30.0, 1_000
_DAY_S = 86_400.0


class Sweeper:
    """Sweeps now and then, beside everything else."""

    def __init__(self, writer: Writer, ledger: Ledger, reader: Reader, thread: Executor) -> None:
        """`thread` is the only one that calls the ledger."""
        self._writer = writer
        self._ledger = ledger
        self._reader = reader
        self._thread = thread

    async def run(self) -> None:
        """Works until it is cancelled; raises MastershipLost where another master took over."""
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.sweep()
            except MastershipLost:
                raise
            except RungmasterError as error:
                log.warning("sweeping did not go on: %s", error)
            except Exception:
                # Nobody waits for it, and the search is not to end for it.
                log.exception("sweeping failed")
            await asyncio.sleep(INTERVAL_S)

    async def sweep(self) -> None:
        """Looks through everything once. Raises Unavailable where the database takes nothing now."""
        await self._forget_workers()
        database_id, storages = await asyncio.to_thread(self._reader.storages)
        for session_id in await self._writer.execute(lambda core, _: core.worker_tasks.able()):
            await self._sweep_logs(database_id, session_id)
        for storage in storages:
            await self._sweep_storage(Sweep("", database_id, storage, least_age_s=GRACE_S))

    async def _forget_workers(self) -> None:
        """Deletes the rows of workers that left long ago."""
        gone = ROWS
        while gone == ROWS:
            here = await self._writer.execute(lambda core, _: set(core.sessions))
            loop, before = asyncio.get_running_loop(), time.time() - WORKERS_KEPT_DAYS * _DAY_S
            gone = await loop.run_in_executor(self._thread, self._ledger.forget_workers, before, here, ROWS)
            await asyncio.sleep(REST)

    async def _sweep_logs(self, database_id: str, session_id: str) -> None:
        """Has a worker delete the logs of experiments that were deleted."""
        answer = await self._ask(Sweep("", database_id), session_id)
        if answer is not None and answer.logged_experiments:
            deleted = await asyncio.to_thread(self._reader.deleted_among, answer.logged_experiments)
            if deleted:
                await self._ask(Sweep("", database_id, deleted_experiments=tuple(deleted)), session_id)

    async def _sweep_storage(self, sweep: Sweep) -> None:
        """Has the orphans of one storage deleted."""
        after: TrialRef | None = sweep.after
        orphans = 0
        while after is not None:
            answer = await self._portion(replace(sweep, after=after))
            if answer is None:
                return
            # What a worker says is a path; where that leads, the spec says.
            found = await asyncio.to_thread(self._reader.orphans, in_database(answer, sweep.database_id))
            if found:
                addresses = [address_in(sweep.storage, path) for path in found]
                await self._writer.execute(lambda core, _, gone=addresses: core.worker_tasks.deletions.add(gone))
            orphans, after = orphans + len(found), answer.after
            await asyncio.sleep(REST)
        if orphans:
            log.info("%d checkpoints in %s are known to nobody, and are deleted", orphans, sweep.storage)

    async def _portion(self, sweep: Sweep) -> Swept | None:
        """What some worker finds; None where nobody could look."""
        asked: set[str] = set()
        for _ in range(ATTEMPTS):
            session = await self._writer.execute(lambda core, _: core.worker_tasks.idlest(asked))
            if session is None:
                break
            asked.add(session.session_id)
            answer = await self._ask(sweep, session.session_id)
            if answer is not None and not answer.error:
                return answer
            why = answer.error if answer else "no answer"
            log.info("a worker could not look through %s: %s", sweep.storage, why, extra=about(worker=session.worker))
        return None

    async def _ask(self, sweep: Sweep, session_id: str) -> Swept | None:
        """Asks one worker; its answer, or None where there is none in time."""
        sweep = replace(sweep, request_id=uuid.uuid4().hex)
        await self._writer.execute(lambda core, _: core.worker_tasks.sweep(session_id, sweep))
        give_up_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_at:
            await asyncio.sleep(LOOK)
            answer = await self._writer.execute(lambda core, _: core.worker_tasks.swept(session_id, sweep.request_id))
            if answer is not None:
                return answer
        return None


def in_database(answer: Swept, database_id: str) -> list[str]:
    """What was found, by its paths, without what is no checkpoint of this database."""
    places = ((found.path, CheckpointPath.parse(found.path)) for found in answer.found)
    return [path for path, place in places if place and place.database_id == database_id and str(place) == path]
