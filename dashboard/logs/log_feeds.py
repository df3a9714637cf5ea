"""The logs that are followed now: one reader of each at the master, whoever looks, and a few for each caller."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...shared.errors import LimitExceeded
from ..security.sessions import SignIn
from .log_feed import LogFeed

MOST_OF_A_CALLER = 16
"""Logs that are followed at once for those of one name: the master gives each caller 20, and downloads need some."""

MOST = 64
"""Logs that are followed at once, each with its newest lines in memory."""

LINGER_S = 20.0
"""A log that nobody has looked at for so long is followed no more."""

STALE_S = 5.0
"""One that has ended is read anew where somebody comes later than this: its trial may go on."""


@dataclass(eq=False, slots=True)
class _Kept:
    session: SignIn
    feed: LogFeed
    used_at: float
    waiting: set[asyncio.Event] = field(default_factory=set)


class LogFeeds:
    """Finds and begins them. Used from the event loop, but for `drop`, `sweep` and `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, int], _Kept] = {}

    @contextlib.contextmanager
    def following(
        self, experiment_id: int, trial_id: int, unit: str, session: SignIn
    ) -> Iterator[tuple[LogFeed, asyncio.Event]]:
        """The log of a trial, begun with the caller's own token where nobody looks at it yet, and an event that is set
        whenever it has changed. Raises LimitExceeded where too many are looked at."""
        kept, changed = self._find(experiment_id, trial_id, unit, session), asyncio.Event()
        kept.waiting.add(changed)
        try:
            yield kept.feed, changed
        finally:
            kept.waiting.discard(changed)
            kept.used_at = time.monotonic()

    def drop(self, session: SignIn) -> None:
        """Ends those that a session began: its token is used no more."""
        self._end([key for key, kept in list(self._kept.items()) if kept.session is session])

    def sweep(self) -> None:
        """Ends those that nobody has looked at for a while."""
        before = time.monotonic() - LINGER_S
        self._end([key for key, kept in list(self._kept.items()) if not kept.waiting and kept.used_at < before])

    def close(self) -> None:
        """Ends all of them."""
        self._end(list(self._kept))

    def _find(self, experiment_id: int, trial_id: int, unit: str, session: SignIn) -> _Kept:
        key = experiment_id, trial_id
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and (kept.feed.over_at is None or time.monotonic() - kept.feed.over_at < STALE_S):
                return kept
            others = [each for each in self._kept.values() if each is not kept and each.feed.over_at is None]
            own = [each for each in others if each.session.name == session.name]
            if len(own) >= MOST_OF_A_CALLER or len(others) >= MOST:
                told = f"{len(own)} logs are followed for you already, and {len(others)} in all"
                raise LimitExceeded(f"{told}: close some of the pages that show one, and reload this one in a minute")
            loop = asyncio.get_running_loop()

            def changed() -> None:
                with contextlib.suppress(RuntimeError):
                    # The loop has ended: nobody waits any more.
                    loop.call_soon_threadsafe(lambda: [event.set() for event in list(new.waiting)])

            new = _Kept(session, LogFeed(session.client, experiment_id, trial_id, unit), time.monotonic())
            self._kept[key] = new
        if kept is not None:
            threading.Thread(target=kept.feed.close, daemon=True).start()
        new.feed.begin(changed)
        return new

    def _end(self, keys: list[tuple[int, int]]) -> None:
        with self._lock:
            ended = [self._kept.pop(key) for key in keys if key in self._kept]
        for kept in ended:
            kept.feed.close()
