"""A TCP proxy that can be a bad network: slow, silent, half-open, cut."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Literal

#: "up" goes to the server, "down" comes back from it.
Direction = Literal["up", "down"]
BOTH: tuple[Direction, Direction] = ("up", "down")


class Link:
    """One connection through the proxy."""

    def __init__(self, writers: dict[Direction, asyncio.StreamWriter]) -> None:
        self.writers = writers
        #: What goes this way is lost from now on, and the other side never learns of it.
        self.lost: set[Direction] = set()

    def abort(self) -> None:
        """Ends it with resets on both sides."""
        for writer in self.writers.values():
            writer.transport.abort()


class Proxy:
    """Listens on a port of its own and passes everything on to `target`; runs in a thread, is told from any other."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.delay = 0.0
        self.refusing = False
        self._links: set[Link] = set()
        self._silent: set[Direction] = set()
        self._loop = asyncio.new_event_loop()
        self._speaking = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _call(self, function: Callable[[], object]) -> None:
        async def call() -> None:
            function()

        self._run(call())

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Resets every connection; new ones may be made."""
        self._call(lambda: [link.abort() for link in list(self._links)])

    def silence(self, *directions: Direction) -> None:
        """Holds back what goes these ways, in old and new connections, until `speak`: a partition that heals."""
        self._call(lambda: self._silent.update(directions))

    def speak(self) -> None:
        """Lets everything through that was held back."""

        def speak() -> None:
            self._silent.clear()
            self._speaking.set()
            self._speaking.clear()

        self._call(speak)

    def lose(self, *directions: Direction) -> None:
        """Makes the present connections half-open for good: nothing arrives these ways any more, nor does their end."""
        self._call(lambda: [link.lost.update(directions) for link in self._links])

    def close(self) -> None:
        """Ends everything."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.refusing:
                raise ConnectionRefusedError
            there, to_server = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        link = Link({"up": to_server, "down": writer})
        self._links.add(link)
        try:
            await asyncio.gather(self._pump(reader, link, "up"), self._pump(there, link, "down"))
        except asyncio.CancelledError:
            # The proxy is being closed, and nobody waits for this task.
            return
        finally:
            self._links.discard(link)
            link.abort()

    async def _pump(self, reader: asyncio.StreamReader, link: Link, direction: Direction) -> None:
        writer = link.writers[direction]
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._hold(direction)
                if direction not in link.lost:
                    writer.write(data)
                    await writer.drain()
        if direction in link.lost:
            # Nobody is told that this side has gone; the other is found out by its own means.
            await writer.wait_closed()
            return
        link.abort()

    async def _hold(self, direction: Direction) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        while direction in self._silent:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._speaking.wait(), 0.2)
