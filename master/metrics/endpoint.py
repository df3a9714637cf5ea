"""A small HTTP server in a thread of its own: answers GET at a few paths, however busy the rest of the process is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus

from ..services.listening import check_free, refusing

log = logging.getLogger(__name__)

#: Who asks says so within these seconds, in so many bytes; and takes the answer within these seconds.
PATIENCE_S = 5.0
_MAX_REQUEST = 8 * 1024
#: Connections at once; more are closed unheard.
_CONNECTIONS = 32
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What is said to whoever asked."""

    status: HTTPStatus
    body: bytes
    kind: str = _PLAIN


#: What is served at a path: called in the endpoint's thread with the request's Accept header.
Page = Callable[[str], Awaitable[HttpAnswer]]


class Endpoint:
    """Serves pages by their path, one request a connection."""

    def __init__(self, option: str, address: str, pages: Mapping[str, Page]) -> None:
        """`option` is how the address (host:port) was given."""
        self._option = option
        self._address = address
        self._pages = pages
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._connections = 0
        self._thread: threading.Thread | None = None
        self.port = 0

    def start(self) -> None:
        """Listens. Raises InvalidInput where the address cannot be listened on."""
        check_free(self._address, self._option)
        listening: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(listening,), name="metrics", daemon=True)
        self._thread.start()
        with refusing(self._address, self._option):
            self.port = listening.result()

    def stop(self) -> None:
        """Ends at once."""
        if self._thread is not None and self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(PATIENCE_S)

    def _run(self, listening: Future[int]) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._serve(listening))

    async def _serve(self, listening: Future[int]) -> None:
        host, _, port = self._address.rpartition(":")
        try:
            server = await asyncio.start_server(self._accept, host.strip("[]"), int(port), limit=_MAX_REQUEST)
        except OSError as error:
            listening.set_exception(error)
            return
        listening.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        # Nobody waits for those who are still being answered: they are cut off with the loop.
        server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= _CONNECTIONS:
            writer.transport.abort()
            return
        self._connections += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
            method, answer = await self._answer(head.decode("latin-1"))
            writer.write(_message(answer, with_body=method != "HEAD"))
            async with asyncio.timeout(PATIENCE_S):
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._connections -= 1
            writer.transport.abort()

    async def _answer(self, head: str) -> tuple[str, HttpAnswer]:
        first, *fields = head.split("\r\n")
        method, _, rest = first.partition(" ")
        page = self._pages.get(rest.partition(" ")[0].partition("?")[0])
        if method not in ("GET", "HEAD"):
            return method, _told(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are answered here")
        if page is None:
            return method, _told(HTTPStatus.NOT_FOUND, f"there are {', '.join(self._pages)} here")
        named = (field.partition(":") for field in fields)
        accept = next((value.strip() for name, _, value in named if name.lower() == "accept"), "")
        try:
            return method, await page(accept)
        except Exception:
            log.exception("%s could not be answered", self._option)
            return method, _told(HTTPStatus.INTERNAL_SERVER_ERROR, "the master met an error of its own; see its log")


def _told(status: HTTPStatus, text: str) -> HttpAnswer:
    return HttpAnswer(status, f"{text}\n".encode())


def _message(answer: HttpAnswer, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\nContent-Type: {answer.kind}\r\n"
        f"Content-Length: {len(answer.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (answer.body if with_body else b"")
