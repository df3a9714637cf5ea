"""Sends one browser what one trial prints, from the line on that it has not got yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from ...shared.errors import LimitExceeded
from ..security.sessions import SignIn
from ..streaming import BrowserStream, message
from .log_feed import LogFeed, LogView
from .log_feeds import LogFeeds

PACE_S = 0.25
"""A browser is sent new lines at most this often. One that is slower gets the newest, and learns how many it missed."""


class LogStream(BrowserStream):
    """The stream, as an answer. `after` is the id of the last message that the browser has got; "" for none. The stream
    ends with a message `end` where nothing follows."""

    def __init__(
        self, feeds: LogFeeds, about: tuple[int, int, str], session: SignIn, check: Callable[[], None], after: str
    ) -> None:
        super().__init__(check)
        self._feeds = feeds
        self._about = about
        self._session = session
        self._after = after

    async def messages(self, gone: asyncio.Task[None]) -> AsyncIterator[str]:
        """See BrowserStream."""
        try:
            with self._feeds.following(*self._about, self._session) as (feed, changed):
                async for text in self._messages(feed, changed, gone):
                    yield text
        except LimitExceeded as error:
            yield message("lines", "", {"fresh": False, "missed": 0, "lines": [], "open": "", "status": str(error)})
            yield message("end", "", {})

    async def _messages(self, feed: LogFeed, changed: asyncio.Event, gone: asyncio.Task[None]) -> AsyncIterator[str]:
        name, _, number = self._after.partition("-")
        resumed = name == feed.name and number.isdecimal()
        after, told = int(number) if resumed else 0, None
        while True:
            view = feed.view(after)
            if feed.closed:
                return
            if view != told:
                yield message("lines", f"{feed.name}-{view.next}", _shown(view, after, resumed))
                resumed, after = True, view.next
                told = replace(view, first=after, lines=[])
            if view.over:
                yield message("end", f"{feed.name}-{after}", {})
                return
            alive = await self.waited(changed, gone, PACE_S)
            if alive is None:
                return
            yield alive


def _shown(view: LogView, after: int, resumed: bool) -> dict[str, object]:
    """A view for the browser: `fresh` where it has to forget what it shows."""
    return {
        "fresh": not resumed,
        "missed": view.first - after,
        "lines": view.lines,
        "open": view.open,
        "status": view.status,
    }
