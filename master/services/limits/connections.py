"""The master's TCP connections, seen from outside gRPC, which tells nothing of them: whose they are, and their end."""

from __future__ import annotations

import logging
import os
import resource
import socket
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from urllib.parse import unquote

log = logging.getLogger(__name__)

#: The files that this process has open, one name each; what does not have it can count no connections.
_OPEN_FILES = "/dev/fd"

#: A host and a port.
Place = tuple[str, int]


def raise_file_limit() -> int:
    """Lets this process open as many files as it may, since each connection is one; gives how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def place_of(peer: str) -> Place | None:
    """Where a gRPC peer is, such as `ipv4:10.0.0.7:4711` or `ipv6:%5B::1%5D:4711`; None for one without an address."""
    kind, _, rest = peer.partition(":")
    host, _, port = unquote(rest).rpartition(":")
    if kind not in ("ipv4", "ipv6") or not port.isdigit():
        return None
    return host.strip("[]"), int(port)


def open_files() -> int:
    """How many files this process has open; 0 where that cannot be known."""
    try:
        return len(os.listdir(_OPEN_FILES))  # noqa: PTH208 - names alone, thousands of them
    except OSError:
        return 0


def cut(places: Collection[Place], port: int) -> int:
    """Ends the connections of these places to a port of ours; gives how many there were.

    gRPC sees that the other side has gone, and clears up as always.
    """
    return sum(_shut(one) for place, one in _connections(port) if place in places)


def cut_crowds(most: int, port: int, known: Collection[Place]) -> dict[str, int]:
    """Leaves every host at most so many connections to a port of ours; gives how many each has lost.

    Those that are known to be in use go last, and the others in the order of their numbers, newest first as a rule.
    """
    hosts: defaultdict[str, int] = defaultdict(int)
    for (host, _), _ in _connections(port):
        hosts[host] += 1
    excess = {host: count - most for host, count in hosts.items() if count > most}
    lost: defaultdict[str, int] = defaultdict(int)
    for spare_known in (True, False):
        for place, one in _connections(port) if excess else ():
            host = place[0]
            if lost[host] < excess.get(host, 0) and not (spare_known and place in known):
                lost[host] += _shut(one)
    return {host: count for host, count in lost.items() if count}


def _connections(port: int) -> Iterator[tuple[Place, socket.socket]]:
    """The connections to a port of this process: where the other end is, and a handle, closed after each turn."""
    for name in sorted(os.listdir(_OPEN_FILES), key=lambda name: -int(name)):  # noqa: PTH208 - see above
        try:
            number = int(name)
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            # A handle of our own: the number may be another file's at any moment, the handle stays what it is.
            one = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        with closing(one):
            try:
                if one.family not in (socket.AF_INET, socket.AF_INET6) or one.getsockname()[1] != port:
                    continue
                host, other = one.getpeername()[:2]
            except OSError:
                continue
            # gRPC listens by IPv6 for both, and names IPv4's addresses as what they are.
            yield (host.removeprefix("::ffff:"), other), one


def _shut(one: socket.socket) -> int:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        return 0
    return 1
