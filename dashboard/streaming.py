"""Server-sent events to one browser, at the pace at which it takes them."""

from __future__ import annotations

import asyncio
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..shared.errors import RungmasterError

log = logging.getLogger(__name__)

ALIVE_S = 10.0
"""Where nothing happens, a comment is sent this often, and the session is looked at."""

STALL_S = 15.0
"""A browser that takes nothing for so long is cut off."""

RETRY_MS = 2_000
_ALIVE = ": alive\n\n"


class BrowserStream(Response, ABC):
    """A stream, as an answer. `check` raises where the session does not count any more."""

    media_type = "text/event-stream"

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__(headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """See ASGI."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.create_task(_gone(receive))
        try:
            await self._send(send, f"retry: {RETRY_MS}\n\n")
            async for text in self.messages(gone):
                await self._send(send, text)
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.info("a browser that took nothing for %.0f s is cut off", STALL_S)
            raise ConnectionError("a stalled reader was cut off") from None
        finally:
            gone.cancel()

    @abstractmethod
    def messages(self, gone: asyncio.Task[None]) -> AsyncIterator[str]:
        """What is sent, until the browser is gone, or nothing follows."""

    async def waited(self, changed: asyncio.Event, gone: asyncio.Task[None], pace_s: float) -> str | None:
        """Rests, and waits for a change: what is to be sent that all is well, "" where there was one; None where the
        browser is gone or its session does not count any more."""
        await asyncio.wait({gone}, timeout=pace_s)
        if gone.done() or not await self._counts():
            return None
        waiting = asyncio.create_task(changed.wait())
        await asyncio.wait({waiting, gone}, timeout=ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if gone.done():
            return None
        quiet = not changed.is_set()
        changed.clear()
        return _ALIVE if quiet else ""

    @staticmethod
    async def _send(send: Send, text: str) -> None:
        if text:
            body = {"type": "http.response.body", "body": text.encode(), "more_body": True}
            await asyncio.wait_for(send(body), STALL_S)

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


def message(kind: str, number: str, data: Any) -> str:
    """One message, as browsers read it; `number` is what the browser tells where it comes back."""
    return f"event: {kind}\nid: {number}\ndata: {json.dumps(data)}\n\n"
