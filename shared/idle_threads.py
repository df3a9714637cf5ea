"""Threads for what may hang and nobody needs to wait for: the end of the program does not."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class IdleThreads:
    """Some threads that take calls from an event loop. An executor's are waited for when Python ends, even one that
    waits for a file server."""

    def __init__(self, count: int, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(count)]
        self._begun = False

    async def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """What the call gives or raises, once a thread had time for it."""
        return await self.begin(call, *arguments)

    def begin(self, call: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """The same for who does not wait; once that is cancelled, the call is not begun any more."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, done, partial(call, *arguments)))
        if not self._begun:
            self._begun = True
            for thread in self._threads:
                thread.start()
        return done

    def close(self) -> None:
        """The threads end once they have nothing to do; calls whose callers have gone are not begun."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, done, call = job
            if not done.cancelled():
                _answer(loop, done, call)


def in_thread(call: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
    """What the call gives or raises, from a thread of its own: one that hangs is in nobody's way."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    threading.Thread(target=_answer, args=(loop, done, partial(call, *arguments)), daemon=True).start()
    return done


def _answer(loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], call: Callable[[], Any]) -> None:
    try:
        settle = partial(_settle, done, done.set_result, call())
    except Exception as error:  # noqa: BLE001 - whoever awaits it is told
        settle = partial(_settle, done, done.set_exception, error)
    # The loop may have ended meanwhile.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)


def _settle(done: asyncio.Future[Any], tell: Callable[[Any], None], what: Any) -> None:
    if not done.done():
        tell(what)
