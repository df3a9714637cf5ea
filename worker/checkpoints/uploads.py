"""Takes checkpoints over from a training process and brings them into the store, one after the other."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...shared.checkpoints.storage import address_in
from ...shared.errors import RungmasterError
from ...shared.idle_threads import in_thread
from ...shared.text.logs import about
from ...shared.wire.model import LeaseRef
from ...shared.wire.session import CheckpointSaved
from ..trial.takeover import take_over
from .outages import Outages
from .remote_saves import BegunSave
from .store import CheckpointStore

logger = logging.getLogger(__name__)


class Uploads:
    """The checkpoints of one lease on their way to the store."""

    def __init__(
        self,
        store: CheckpointStore,
        storage: str,
        database_id: str,
        lease: LeaseRef,
        folder: Path,
        interval_s: float | None,
        saved: Callable[[CheckpointSaved], object],
        outages: Outages,
    ) -> None:
        """`folder` is the trial's own. `interval_s` in seconds; None for no checkpoints in between.

        `saved` is called for each checkpoint once it is whole in the store.
        """
        self._store = store
        self._storage = storage
        self._database_id = database_id
        self._lease = lease
        self._folder = folder
        self._interval_s = interval_s
        self._saved = saved
        self._outages = outages
        self._unwanted = asyncio.Event()
        self._taken = 0
        self._last_taken = asyncio.get_running_loop().time()
        self._upload: asyncio.Task[None] | None = None

    def wanted(self) -> bool:
        """Whether it is time for a checkpoint, and the one before is done."""
        if self._interval_s is None or (self._upload is not None and not self._upload.done()):
            return False
        return asyncio.get_running_loop().time() - self._last_taken >= self._interval_s

    async def take(self, resource: int, folder: Path) -> None:
        """Takes a folder over, once the upload before is done; its own upload goes on in the background.

        A folder inside the trial's own is moved, any other is copied. Raises InvalidInput for what is no checkpoint.
        """
        await self._previous()
        self._taken += 1
        staged = self._folder / f"upload-{self._taken}"
        try:
            await asyncio.to_thread(take_over, folder, staged, self._folder)
        except Exception:
            await asyncio.to_thread(shutil.rmtree, staged, ignore_errors=True)
            raise
        self._last_taken = asyncio.get_running_loop().time()
        self._upload = asyncio.create_task(self._bring(resource, staged))

    async def finish(self) -> None:
        """Waits for the last checkpoint to be in the store.

        Raises RungmasterError where that failed, StillAway where it was out of reach until nobody waited any more.
        """
        if self._upload is not None:
            await self._upload

    def no_longer_wait(self) -> None:
        """From now on what the store does not take at once is not kept."""
        self._unwanted.set()

    async def abandon(self) -> None:
        """Stops uploading; nothing that was still on its way is kept."""
        if self._upload is not None:
            self._upload.cancel()
            await self._previous()

    async def _previous(self) -> None:
        """Waits until no upload is under way. One that failed was logged, and a newer checkpoint makes up for it."""
        if self._upload is not None:
            await asyncio.gather(self._upload, return_exceptions=True)

    async def _bring(self, resource: int, staged: Path) -> None:
        save = partial(self._save, resource, BegunSave(staged))
        self._saved(await self._outages.bridge(self._storage, save, self._unwanted))
        await asyncio.to_thread(shutil.rmtree, staged, ignore_errors=True)

    async def _save(self, resource: int, save: BegunSave) -> CheckpointSaved:
        saving = in_thread(self._store.save, self._storage, self._database_id, self._lease, resource, save)
        try:
            return await asyncio.shield(saving)
        except asyncio.CancelledError:
            saving.add_done_callback(self._discard)
            raise

    def _discard(self, saving: asyncio.Future[CheckpointSaved]) -> None:
        """Deletes a checkpoint that was finished after nobody wanted it any more."""
        if saving.cancelled() or saving.exception() is not None:
            return
        in_thread(self._delete, address_in(self._storage, saving.result().path))

    def _delete(self, uri: str) -> None:
        try:
            self._store.delete(uri)
        except RungmasterError as error:
            logger.warning(
                "%s is left in the store: %s", uri, error, extra=about(self._lease.experiment_id, self._lease.trial_id)
            )
