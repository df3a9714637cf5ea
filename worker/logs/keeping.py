"""Keeps what was printed under an assignment beside its checkpoints, once it has ended. It is nobody's failure where
that does not succeed: no trial waits for it, and what cannot be kept in time is given up with a warning.
"""

from __future__ import annotations

import asyncio
import logging
import time

from ...shared.errors import RungmasterError
from ...shared.idle_threads import IdleThreads
from ...shared.net.backoff import Backoff
from ...shared.text.failure_text import Repeats
from ...shared.text.logs import about
from ...shared.wire.session import Assignment
from ..assignment.output import OutputLog, size_of
from ..checkpoints.outages import cause_of
from ..checkpoints.store import CheckpointStore

#: Threads that copy. A store that hangs holds up nothing else with them.
THREADS = 2
#: Logs that may wait at once, and the seconds for which one is tried again.
WAITING, PATIENCE_S = 256, 600.0
#: Seconds for which a worker that leaves waits for those that are not done.
GOODBYE_S = 3.0

logger = logging.getLogger(__name__)


class LogKeeper:
    """Copies logs into storages, in the background."""

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store
        self._threads = IdleThreads(THREADS, "log keeper")
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures = Repeats()

    def keep(self, assignment: Assignment, log: OutputLog) -> None:
        """Begins to keep what was printed, if anything was."""
        if not assignment.database_id:
            return  # a master of a version that gives none
        if len(self._tasks) >= WAITING:
            self._give_up(assignment, f"{WAITING} others wait for their storage")
            return
        task = asyncio.create_task(self._keep(assignment, log))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Waits a moment for those that are not done, and gives up the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GOODBYE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.close()

    async def _keep(self, assignment: Assignment, log: OutputLog) -> None:
        backoff, give_up_at = Backoff(1.0, 30.0), time.monotonic() + PATIENCE_S
        why = "its storage does not answer"
        try:
            async with asyncio.timeout(PATIENCE_S):
                while time.monotonic() < give_up_at:
                    try:
                        await self._threads.begin(self._copy, assignment, log)
                        return
                    except (RungmasterError, OSError) as error:
                        why = cause_of(error)
                    await asyncio.sleep(backoff.next())
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            self._give_up(assignment, "the worker leaves")
            raise
        self._give_up(assignment, why)

    def _copy(self, assignment: Assignment, log: OutputLog) -> None:
        if size_of(log.path):
            log.finish()
            self._store.keep_log(assignment.checkpoint_storage, assignment.database_id, assignment.lease, log.path)

    def _give_up(self, assignment: Assignment, why: str) -> None:
        lease = assignment.lease
        times = self._failures.count(why)
        if Repeats.worth_telling(times):
            logger.warning(
                "the log of trial %d/%d-%d is not kept in %r, and stays with this worker: %s%s",
                *lease,
                assignment.checkpoint_storage,
                why,
                f" (the like {times} times by now)" if times > 1 else "",
                extra=about(lease.experiment_id, lease.trial_id),
            )
