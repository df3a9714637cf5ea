"""Waiting for checkpoint stores that are out of reach: until they answer, for as long as anybody wants them to."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from ...shared.errors import Unavailable
from ...shared.net.backoff import Backoff

#: Seconds that the first wait between two attempts takes at most, and the longest.
_FIRST_S, _LONGEST_S = 0.2, 2.0
#: Seconds until a load or a save that is not done is told of.
SILENCE_S = 5.0
#: Seconds until an outage is logged again; each further time doubles them.
_AGAIN_S = 30.0

#: What takes long may be a large checkpoint on its way as well as a store that does not answer.
_UNDER_WAY = Unavailable("a load or a save is still under way")

T = TypeVar("T")

logger = logging.getLogger(__name__)


class StillAway(Unavailable):
    """The store did not answer for as long as it was waited for; the text says since when, and what the error was."""


@dataclass(slots=True)
class _Outage:
    """Times by the clock of whoever waits; `waiting` counts those who do."""

    since: float
    told_again_at: float
    pause_s: float = _AGAIN_S
    error: str = ""
    waiting: int = 0


class Outages:
    """Which stores do not answer a worker now. An outage is nobody's fault: what needs the store waits for it."""

    def __init__(self, changed: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.monotonic) -> None:
        """`changed` is called when an outage begins and when it is over."""
        self._changed = changed
        self._clock = clock
        self._outages: dict[str, _Outage] = {}

    @property
    def text(self) -> str:
        """What is waited for, since when and why, for people; empty where nothing is."""
        return "; ".join(self._describe(store) for store in self._outages)

    async def bridge(self, store: str, attempt: Callable[[], Awaitable[T]], unwanted: asyncio.Event) -> T:
        """What the attempt gives, made again until it does not raise Unavailable any more.

        One that takes longer than SILENCE_S is told of as an outage, and left alone once it is `unwanted`. Raises
        StillAway where it is unwanted before the store answers, and what else the attempt raises.
        """
        backoff = Backoff(_FIRST_S, _LONGEST_S)
        waits = answered = False
        try:
            while True:
                trying, begun = asyncio.ensure_future(attempt()), self._clock()
                try:
                    hangs = not (await asyncio.wait((trying,), timeout=SILENCE_S))[0]
                    if hangs:
                        self._failed(store, _UNDER_WAY, since=begun, first=not waits)
                        waits = True
                    if not hangs or await _done_before(trying, unwanted):
                        given = await trying
                        answered = True
                        return given
                except Unavailable as error:
                    self._failed(store, error, since=self._clock(), first=not waits)
                    waits = True
                finally:
                    trying.cancel()
                if await _set_within(unwanted, backoff.next()):
                    raise StillAway(self._describe(store))
        finally:
            if waits:
                self._leave(store, answered=answered)

    def _failed(self, store: str, error: Unavailable, *, since: float, first: bool) -> None:
        now = self._clock()
        began = store not in self._outages
        outage = self._outages.setdefault(store, _Outage(since, now))
        outage.error = cause_of(error)
        outage.waiting += first
        if error is _UNDER_WAY:
            if began:
                logger.info("%s", self._describe(store))
        elif now >= outage.told_again_at:
            logger.warning("%s; what needs it waits", self._describe(store))
            outage.told_again_at, outage.pause_s = now + outage.pause_s, 2 * outage.pause_s
        if began:
            self._changed()

    def _leave(self, store: str, *, answered: bool) -> None:
        outage = self._outages[store]
        outage.waiting -= 1
        if outage.waiting:
            return
        del self._outages[store]
        if answered:
            logger.info("the checkpoint store %r answers again, after %.0f s", store, self._clock() - outage.since)
        self._changed()

    def _describe(self, store: str) -> str:
        outage = self._outages[store]
        since = self._clock() - outage.since
        if outage.error == str(_UNDER_WAY):
            return f"a load or a save in the checkpoint store {store!r} is still under way after {since:.0f} s"
        return f"the checkpoint store {store!r} does not answer since {since:.0f} s: {outage.error}"


def cause_of(error: Exception) -> str:
    """What the file system itself said, where it said something."""
    return str(error.__cause__ or "") or str(error)


async def _done_before(trying: asyncio.Future[T], event: asyncio.Event) -> bool:
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((trying, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    return trying.done()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
