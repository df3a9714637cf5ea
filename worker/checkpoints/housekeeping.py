"""What the master asks of a worker beside training: to delete checkpoints, and to tell what lies in a storage.

It has threads of its own: neither a store that hangs nor very much to delete holds up loading and saving.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from ...shared.checkpoints.leftovers import logged_experiments, remove_logs, remove_old_logs
from ...shared.errors import RungmasterError
from ...shared.idle_threads import IdleThreads
from ...shared.text.failure_text import Repeats
from ...shared.wire.model import LeaseRef
from ...shared.wire.session import FailedDeletion, Sweep, Swept
from ..link.outbox import Outbox
from ..settings import WorkerSettings
from .outages import cause_of
from .store import CheckpointStore

#: Threads that delete and look. What they wait for is the store, and training comes first.
THREADS = 2

logger = logging.getLogger(__name__)


class Housekeeping:
    """Deletes and looks, one thing after the other, and tells the master what came of it."""

    def __init__(
        self, store: CheckpointStore, settings: WorkerSettings, outbox: Outbox, told: Callable[[], None]
    ) -> None:
        """`told` is called when there is something to send."""
        self._store = store
        self._logs, self._keep_logs_s = settings.logs, settings.keep_logs_s
        self._outbox = outbox
        self._told = told
        self._threads = IdleThreads(THREADS, "housekeeping")
        self._failures = Repeats()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def delete(self, uris: Iterable[str]) -> None:
        """Deletes checkpoints; one that is being deleted already is asked for once."""
        for uri in uris:
            self._begin(uri, self._delete)

    def sweep(self, sweep: Sweep) -> None:
        """Looks what lies in a storage, or which logs there are."""
        self._begin(sweep, self._look)

    async def close(self) -> None:
        """Gives up what is not done. What a thread is at goes on to its end, and nobody is told."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._threads.close()

    def _begin(self, what: Any, work: Callable[[Any], Any]) -> None:
        key = what if isinstance(what, str) else f"sweep {what.request_id}"
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(work(what))
            self._tasks[key].add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _delete(self, uri: str) -> None:
        try:
            await self._threads.run(self._store.delete, uri)
        except RungmasterError as error:
            times = self._failures.count(str(error))
            if Repeats.worth_telling(times):
                logger.warning("%s%s", error, f" (the like {times} times by now)" if times > 1 else "")
            self._outbox.not_deleted(FailedDeletion(uri, cause_of(error)))
        else:
            self._outbox.deleted(uri)
        self._told()

    async def _look(self, sweep: Sweep) -> None:
        try:
            self._outbox.swept(await self._threads.run(self._looked, sweep, self._outbox.held))
        except (RungmasterError, OSError) as error:
            self._outbox.swept(Swept(sweep.request_id, error=cause_of(error)))
        self._told()

    def _looked(self, sweep: Sweep, held: tuple[LeaseRef, ...]) -> Swept:
        if sweep.storage:
            portion = self._store.look_through(sweep)
            return Swept(sweep.request_id, tuple(portion.found), portion.after)
        remove_logs(self._logs, sweep.database_id, sweep.deleted_experiments)
        if self._keep_logs_s is not None:
            remove_old_logs(self._logs, sweep.database_id, self._keep_logs_s, held)
        return Swept(sweep.request_id, logged_experiments=logged_experiments(self._logs, sweep.database_id))
