"""The feeds that run now: one for each experiment that somebody looks at, kept for a while after the last one left."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...shared.errors import LimitExceeded
from ..security.sessions import SignIn
from .feed import ExperimentFeed

MOST = 50
"""Experiments that are followed at once: each costs the master two of the 200 watches that one caller may have."""

LINGER_S = 120.0
"""A feed that nobody has looked at for so long ends."""


@dataclass(eq=False, slots=True)
class _Kept:
    """A feed, whose session began it, and who waits for its changes."""

    session: SignIn
    feed: ExperimentFeed | None = None
    used_at: float = 0.0
    waiting: set[asyncio.Event] = field(default_factory=set)
    begun: threading.Event = field(default_factory=threading.Event)


class Feeds:
    """Finds and begins feeds. `feed` waits for the master, in any thread; `waiting` is for the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, _Kept] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve_from(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has those who wait woken in this event loop."""
        self._loop = loop

    def feed(self, experiment_id: int, session: SignIn) -> ExperimentFeed:
        """The feed of an experiment, begun with the caller's own token where there is none yet.

        Raises what its first calls raise, and LimitExceeded where too many experiments are looked at.
        """
        while True:
            kept, own = self._claim(experiment_id, session)
            if own:
                return self._begin(kept, experiment_id)
            kept.begun.wait()
            if kept.feed is not None and kept.feed.failure is None:
                kept.used_at = time.monotonic()
                return kept.feed
            self._forget(experiment_id, kept)

    def is_over(self, feed: ExperimentFeed) -> bool:
        """Whether a feed is not the one of its experiment any more."""
        kept = self._kept.get(feed.experiment_id)
        return kept is None or kept.feed is not feed

    def drop(self, session: SignIn) -> None:
        """Ends the feeds that a session began: its token is used no more. Who else looks at them begins others."""
        for number, kept in list(self._kept.items()):
            if kept.session is session:
                self._forget(number, kept)

    def sweep(self) -> None:
        """Ends the feeds that nobody has looked at for a while."""
        for number, kept in list(self._kept.items()):
            if not kept.waiting and kept.begun.is_set() and time.monotonic() - kept.used_at > LINGER_S:
                self._forget(number, kept)

    def close(self) -> None:
        """Ends all of them."""
        for number, kept in list(self._kept.items()):
            self._forget(number, kept)

    @contextlib.contextmanager
    def waiting(self, experiment_id: int) -> Iterator[asyncio.Event]:
        """An event that is set whenever the feed of an experiment has changed, or has ended."""
        kept, changed = self._kept.get(experiment_id), asyncio.Event()
        if kept is None:
            changed.set()
            yield changed
            return
        kept.waiting.add(changed)
        try:
            yield changed
        finally:
            kept.waiting.discard(changed)
            kept.used_at = time.monotonic()

    def _claim(self, experiment_id: int, session: SignIn) -> tuple[_Kept, bool]:
        with self._lock:
            kept = self._kept.get(experiment_id)
            if kept is not None:
                return kept, False
            if len(self._kept) >= MOST:
                raise LimitExceeded(f"{MOST} experiments are looked at already: try again in a few minutes")
            kept = self._kept[experiment_id] = _Kept(session, used_at=time.monotonic())
            return kept, True

    def _begin(self, kept: _Kept, experiment_id: int) -> ExperimentFeed:
        try:
            kept.feed = ExperimentFeed(kept.session.client, experiment_id, lambda: self._changed(kept))
        except BaseException:
            self._forget(experiment_id, kept)
            raise
        finally:
            kept.begun.set()
        return kept.feed

    def _forget(self, experiment_id: int, kept: _Kept) -> None:
        with self._lock:
            if self._kept.get(experiment_id) is kept:
                del self._kept[experiment_id]
        if kept.feed is not None:
            kept.feed.close()
        self._changed(kept)

    def _changed(self, kept: _Kept) -> None:
        loop = self._loop
        if loop is not None and kept.waiting:
            with contextlib.suppress(RuntimeError):
                # The loop has ended: nobody waits any more.
                loop.call_soon_threadsafe(lambda: [event.set() for event in list(kept.waiting)])
