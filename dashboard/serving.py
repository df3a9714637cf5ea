"""One dashboard process: its socket, its server, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Callable

import uvicorn

from ..shared.errors import InvalidInput
from .app import build_app
from .settings import DashboardSettings, file_of

STALL_MS = 20_000
"""A connection whose other end acknowledges nothing for so long is ended by the system."""

GRACE_S = 1
"""Seconds that requests get to end when the dashboard is stopped."""

_BACKLOG = 512
_CONNECTIONS = 2_000


class DashboardServer(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(settings: DashboardSettings, say: Callable[[str], None]) -> None:
    """Serves until it is told to end (SIGTERM, SIGINT, or the end of its parent).

    Raises InvalidInput where the address cannot be listened on.
    """
    with contextlib.closing(listen(settings.address)) as listening:
        port = listening.getsockname()[1]
        scheme = "https" if settings.encrypted else "http"
        host = settings.address.rpartition(":")[0]
        config = uvicorn.Config(
            build_app(settings),
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            http="h11",
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=file_of(settings.tls_cert),
            ssl_keyfile=file_of(settings.tls_key),
        )
        server = DashboardServer(config, lambda: say(f"rungmaster dashboard ready on {scheme}://{host}:{port}/"))
        if settings.exit_with_parent:
            threading.Thread(target=_end_with_parent, args=(server,), name="parent", daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(server.serve([listening]))


def listen(address: str) -> socket.socket:
    """A socket that listens at host:port. Raises InvalidInput where it cannot."""
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                # Connections that are accepted have it too.
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL_MS)
            listening.bind(place)
            listening.listen(_BACKLOG)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise InvalidInput(f"--listen {address}: cannot be listened on: {error.strerror or error}") from error
    return listening


def _end_with_parent(server: uvicorn.Server) -> None:
    """Ends the server when standard input closes, as it does when the process at its other end ends in any way."""
    with contextlib.suppress(OSError, ValueError):
        while sys.stdin.buffer.read(4096):
            pass
    server.should_exit = True
