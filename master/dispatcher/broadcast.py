"""Tells whoever watches an experiment that a batch changed it, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator

from ..experiment.changes import Changes


class Watcher:
    """Hears of one experiment. What happens between `forget` and `wait` is not missed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def tell(self) -> None:
        """Something has changed."""
        self._changed.set()

    @property
    def told(self) -> bool:
        """Whether something has changed since the last `forget`."""
        return self._changed.is_set()

    def forget(self) -> None:
        """To be called before looking: what was told so far will be seen."""
        self._changed.clear()

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 - a deadline is what it is for
        """Returns as soon as something has changed since the last `forget`, or after `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout)


class Broadcast:
    """The watchers of one master, by experiment. Used from the event loop only."""

    def __init__(self) -> None:
        self._watchers: defaultdict[int, set[Watcher]] = defaultdict(set)

    @contextlib.contextmanager
    def watching(self, experiment_id: int) -> Iterator[Watcher]:
        """A watcher of an experiment, for as long as the context lasts."""
        watcher = Watcher()
        self._watchers[experiment_id].add(watcher)
        try:
            yield watcher
        finally:
            self._watchers[experiment_id].discard(watcher)
            if not self._watchers[experiment_id]:
                del self._watchers[experiment_id]

    def committed(self, changes: Changes) -> None:
        """A batch is durable."""
        if self._watchers:
            for experiment_id in changes.seen & self._watchers.keys():
                self._tell(experiment_id)

    def unknown(self) -> None:
        """Nobody knows what was committed."""
        for experiment_id in self._watchers:
            self._tell(experiment_id)

    def _tell(self, experiment_id: int) -> None:
        for watcher in self._watchers[experiment_id]:
            watcher.tell()
