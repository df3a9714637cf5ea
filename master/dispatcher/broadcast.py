"""Tells whoever watches an experiment that a batch changed it, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Set
from contextlib import AbstractContextManager

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

    async def wait(self, timeout_s: float) -> None:
        """Returns as soon as something has changed since the last `forget`, or after `timeout_s` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)


class Broadcast:
    """The watchers of one master, by what they watch of which experiment. Used from the event loop only."""

    def __init__(self) -> None:
        self._journals, self._reports = _Watchers(), _Watchers()

    def watching(self, experiment_id: int) -> AbstractContextManager[Watcher]:
        """A watcher of an experiment's journal, for as long as the context lasts."""
        return self._journals.watching(experiment_id)

    def watching_reports(self, experiment_id: int) -> AbstractContextManager[Watcher]:
        """A watcher of an experiment's reports, for as long as the context lasts."""
        return self._reports.watching(experiment_id)

    def committed(self, changes: Changes) -> None:
        """A batch is durable."""
        if self._journals:
            self._journals.tell(changes.seen)
        if self._reports:
            self._reports.tell(changes.reported)

    def unknown(self) -> None:
        """Nobody knows what was committed."""
        for watchers in (self._journals, self._reports):
            watchers.tell(watchers.keys())


class _Watchers(defaultdict[int, set[Watcher]]):
    """By experiment."""

    def __init__(self) -> None:
        super().__init__(set)

    @contextlib.contextmanager
    def watching(self, experiment_id: int) -> Iterator[Watcher]:
        watcher = Watcher()
        self[experiment_id].add(watcher)
        try:
            yield watcher
        finally:
            self[experiment_id].discard(watcher)
            if not self[experiment_id]:
                del self[experiment_id]

    def tell(self, experiments: Set[int]) -> None:
        for experiment_id in experiments & self.keys():
            for watcher in self[experiment_id]:
                watcher.tell()
