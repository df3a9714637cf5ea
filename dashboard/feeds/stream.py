"""Server-sent events of one experiment to one browser, at the pace at which it takes them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...shared.errors import RungmasterError
from .feed import ExperimentFeed
from .feeds import Feeds

log = logging.getLogger(__name__)

PACE_S = 1.0
"""A browser is told of changes at most this often; what happened in between is told together."""

ALIVE_S = 10.0
"""Where nothing happens, a comment is sent this often, and the session is looked at."""

STALL_S = 15.0
"""A browser that takes nothing for so long is cut off."""

RETRY_MS = 2_000


class EventStream(Response):
    """The stream, as an answer. `check` raises where the session does not count any more."""

    media_type = "text/event-stream"

    def __init__(self, feeds: Feeds, feed: ExperimentFeed, check: Callable[[], None]) -> None:
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._feeds = feeds
        self._feed = feed
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """See ASGI."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.create_task(_gone(receive))
        try:
            async for text in self._messages(gone):
                body = {"type": "http.response.body", "body": text.encode(), "more_body": True}
                await asyncio.wait_for(send(body), STALL_S)
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.info("a browser that took nothing for %.0f s is cut off", STALL_S)
            raise ConnectionError("a stalled reader was cut off") from None
        finally:
            gone.cancel()

    async def _messages(self, gone: asyncio.Task[None]) -> AsyncIterator[str]:
        yield f"retry: {RETRY_MS}\n\n"
        told = -1
        with self._feeds.waiting(self._feed.experiment_id) as changed:
            while not gone.done() and self._feed.failure is None:
                picture = self._feed.picture
                if picture.number != told:
                    told = picture.number
                    yield _message({"number": told, "state": picture.experiment.state, "away": picture.away})
                    await _first(gone, asyncio.sleep(PACE_S))
                if await self._nothing_new(changed, gone):
                    yield ": alive\n\n"

    async def _nothing_new(self, changed: asyncio.Event, gone: asyncio.Task[None]) -> bool:
        """Waits for a change; whether there was none for a while, and the session still counts."""
        if self._feeds.is_over(self._feed) or not await self._counts():
            gone.cancel()
            return False
        waiting = asyncio.create_task(changed.wait())
        await asyncio.wait({waiting, gone}, timeout=ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        quiet = not changed.is_set()
        changed.clear()
        return quiet and not gone.done()

    async def _counts(self) -> bool:
        try:
            await run_in_threadpool(self._check)
        except RungmasterError as error:
            log.info("a stream ends: %s", error)
            return False
        return True


async def _gone(receive: Receive) -> None:
    """Returns when the browser has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first(gone: asyncio.Task[None], other: Any) -> None:
    task = asyncio.ensure_future(other)
    await asyncio.wait({gone, task}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()


def _message(data: dict[str, Any]) -> str:
    return f"event: change\nid: {data['number']}\ndata: {json.dumps(data)}\n\n"
