"""The worker's end of the local protocol: a Unix socket for one trial."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ..trial.protocol import MAX_LINE, encode

logger = logging.getLogger(__name__)

#: A trial's processes hold at most so many connections at once.
MAX_CONNECTIONS = 64


class LocalServer:
    """Listens on a socket, and answers each line that arrives with one line."""

    def __init__(self, path: Path, handle: Callable[[bytes], Awaitable[dict[str, Any]]]) -> None:
        self._path = path
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins to listen."""
        self._server = await asyncio.start_unix_server(self._connected, self._path, limit=MAX_LINE)

    async def close(self) -> None:
        """Ends all connections and removes the socket."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the worker failed to answer a training process", exc_info=error)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            if len(self._connections) > MAX_CONNECTIONS:
                await _send(writer, {"error": f"at most {MAX_CONNECTIONS} connections at once; close some"})
                return
            while line := await _read_line(reader):
                await _send(writer, await self._handle(line))
            if not reader.at_eof():
                await _send(writer, {"error": f"a line has at most {MAX_LINE} bytes; connect anew"})


async def _read_line(reader: asyncio.StreamReader) -> bytes | None:
    """The next whole line; None at the end, or for a line that is too long."""
    try:
        return await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None


async def _send(writer: asyncio.StreamWriter, reply: dict[str, Any]) -> None:
    writer.write(encode(reply))
    await writer.drain()
