"""Tells one browser whenever one experiment has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from ..streaming import BrowserStream, message
from .feed import ExperimentFeed
from .feeds import Feeds

PACE_S = 1.0
"""A browser is told of changes at most this often; what happened in between is told together."""


class EventStream(BrowserStream):
    """The stream, as an answer. `check` raises where the session does not count any more."""

    def __init__(self, feeds: Feeds, feed: ExperimentFeed, check: Callable[[], None]) -> None:
        super().__init__(check)
        self._feeds = feeds
        self._feed = feed

    async def messages(self, gone: asyncio.Task[None]) -> AsyncIterator[str]:
        """See BrowserStream."""
        told = -1
        with self._feeds.waiting(self._feed.experiment_id) as changed:
            while self._feed.failure is None and not self._feeds.is_over(self._feed):
                picture = self._feed.picture
                if picture.number != told:
                    told = picture.number
                    about = {"number": told, "state": picture.experiment.state, "away": picture.away}
                    yield message("change", str(told), about)
                alive = await self.waited(changed, gone, PACE_S)
                if alive is None:
                    return
                yield alive
