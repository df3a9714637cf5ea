"""The address at which a master listens: whether it can, and how callers reach it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ...shared.errors import InvalidInput


def check_address(address: str, option: str = "--listen") -> None:
    """Raises InvalidInput where an address can never be listened on here: a standby would learn it too late."""
    host, _ = _host_and_port(address)
    # No matter whether it is in use: by then it may be free.
    with refusing(address, option):
        _bind(host, 0)


def check_free(address: str, option: str = "--listen") -> None:
    """Raises InvalidInput where an address cannot be listened on now, which gRPC would tell in the words of its C++."""
    host, port = _host_and_port(address)
    with refusing(address, option):
        _bind(host, port)


def reachable(listen: str, port: int) -> str:
    """The address for callers of a server that listens there: 0.0.0.0 and [::] are no address of anybody."""
    host, _ = _host_and_port(listen)
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104
    return f"{socket.gethostname() if everywhere else listen.rpartition(':')[0]}:{port}"


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _bind(host: str, port: int) -> None:
    """Binds as the server would, and lets go again. Raises OSError."""
    family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # What an earlier server has left in TIME_WAIT is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)


@contextmanager
def refusing(address: str, option: str) -> Iterator[None]:
    """Within, an OSError is told as what is wrong with the address: InvalidInput."""
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"{option} {address}: cannot listen there: {_why(error)}") from error


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program does; end it, or give another port (0: any that is free)"
    if error.errno == errno.EADDRNOTAVAIL:
        return "it is no address of this machine; 0.0.0.0 is all that it has"
    if isinstance(error, socket.gaierror):
        return f"no such host is known ({error.strerror})"
    return error.strerror or str(error)
