"""A proxy before an HTTP server that answers, or does not, as a bad store would; and that counts what is asked."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

import aiohttp
from aiohttp import web
from yarl import URL

#: What becomes of a request. "reset": the connection breaks before the server hears of it; "lost": after it has done
#: that; "cut": in the middle of the answer; "silence": no answer ever comes; "not all": of objects to be deleted one is
#: not, as the answer says; the rest is an error that S3 tells.
Fault = Literal["reset", "lost", "cut", "silence", "not all", "SlowDown", "InternalError", "ServiceUnavailable"]
_STATUS = {"SlowDown": 503, "InternalError": 500, "ServiceUnavailable": 503}
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"}


@dataclass(frozen=True)
class Request:
    """One request: its method, path, query and the size of its body in bytes."""

    method: str
    path: str
    query: str
    size_bytes: int

    @property
    def operation(self) -> str:
        """What S3 calls it, roughly."""
        query = self.query.partition("=")[0].partition("&")[0]
        kind = "bucket" if self.path.strip("/").count("/") == 0 else "object"
        return f"{self.method} {kind}{'?' + query if query in ('uploads', 'uploadId', 'delete', 'partNumber') else ''}"


class FaultyProxy:
    """Listens on loopback and passes on what it gets; runs in a thread, and is told from any other."""

    def __init__(self, target: str) -> None:
        """`target`: the server's address, as http://host:port."""
        self.target = target
        #: Says of each request what goes wrong with it; None: nothing.
        self.fault: Callable[[Request], Fault | None] = lambda request: None
        #: While it is set nobody is connected with the server.
        self.away = False
        self.requests: list[Request] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: web.AppRunner
        self.port: int = self._run(self._start())

    @property
    def url(self) -> str:
        """Its address, as an endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def mend(self) -> None:
        """From now on everything goes well."""
        self.fault = lambda request: None
        self.away = False

    def fail(self, *faults: Fault, where: Callable[[Request], bool] = lambda request: True) -> None:
        """The next requests that fit fail so, one after the other; the others go well."""
        left = list(faults)
        self.fault = lambda request: left.pop(0) if left and where(request) else None

    def fail_by_chance(self, rate: float, seed: int, faults: tuple[Fault, ...]) -> None:
        """That part of the requests fails, each in one of these ways."""
        random = Random(seed)
        self.fault = lambda request: random.choice(faults) if random.random() < rate else None

    def count(self) -> Counter[str]:
        """How often what was asked since the last call."""
        asked, self.requests = self.requests, []
        return Counter(request.operation for request in asked)

    def close(self) -> None:
        """Ends everything."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await self._runner.cleanup()
        await self._client.close()
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _start(self) -> int:
        self._client = aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None))
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return self._runner.addresses[0][1]

    async def _handle(self, incoming: web.Request) -> web.StreamResponse:
        assert incoming.transport is not None
        body = await incoming.read()
        request = Request(incoming.method, incoming.rel_url.raw_path, incoming.rel_url.raw_query_string, len(body))
        self.requests.append(request)
        fault = "reset" if self.away else self.fault(request)
        if fault == "silence":
            await asyncio.sleep(3600)
        if fault == "reset":
            incoming.transport.abort()
            return web.Response()
        if fault == "not all":
            key = "<Error><Key>one</Key><Code>InternalError</Code><Message>try again</Message></Error>"
            return web.Response(text=f"<DeleteResult>{key}</DeleteResult>", content_type="application/xml")
        if fault in _STATUS:
            return _error(str(fault))
        headers = {name: value for name, value in incoming.headers.items() if name.lower() not in _HOP | {"expect"}}
        url = URL(f"{self.target}{incoming.raw_path}", encoded=True)
        try:
            answered = await self._client.request(
                incoming.method, url, headers=headers, data=io.BytesIO(body) if body else None, allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )  # fmt: skip
        except aiohttp.ClientError:
            incoming.transport.abort()
            return web.Response()
        async with answered:
            content = await answered.read()
            if fault == "lost":
                incoming.transport.abort()
                return web.Response()
            try:
                return await _pass_on(incoming, answered, content, cut=fault == "cut")
            except ConnectionError:
                return web.Response()


async def _pass_on(
    incoming: web.Request, answered: aiohttp.ClientResponse, content: bytes, *, cut: bool
) -> web.StreamResponse:
    kept = [(name, value) for name, value in answered.headers.items() if name.lower() not in _HOP]
    response = web.StreamResponse(status=answered.status, headers=dict(kept))
    # An answer to HEAD tells the length of what it does not bring.
    length = answered.headers.get("Content-Length", str(len(content)))
    response.content_length = int(length) if incoming.method == "HEAD" else len(content)
    await response.prepare(incoming)
    assert incoming.transport is not None
    if cut:
        await response.write(content[: len(content) // 2])
        incoming.transport.abort()
        return response
    if incoming.method != "HEAD" and content:
        await response.write(content)
    await response.write_eof()
    return response


def _error(code: str) -> web.Response:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told by the test: {code}</Message></Error>"
    return web.Response(status=_STATUS[code], text=text, content_type="application/xml")
