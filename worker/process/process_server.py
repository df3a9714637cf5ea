"""Starts processes when it is told to, each under a supervisor of its own, and tells how they end.

Over a socket go JSON lines. Every start has a number, which its asker chose: `{"start": 7, …}` is answered by
`{"started": 7, "pid": 4711}`, or by `{"refused": 7, "errno": 12, "why": "…"}`. `{"end": 7, "grace": 5.0}` ends that
process, or the start, however far it has come. Each end is told once nothing of the process is left:
`{"exited": 7, "code": 0}`. When the socket closes everything is ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...shared.descendants import LINUX, adopt_orphans, descendants, end_all
from ..trial.protocol import decode, encode
from .supervisor import Deliver, Start, supervise


@dataclass(slots=True)
class Supervised:
    """A supervisor, as its parent sees it: its id, the line to it, and what it has said about its process."""

    supervisor: int
    line: socket.socket
    #: Who asked for it; None for one that was started ahead.
    number: int | None = None
    pid: int | None = None
    over: bool = False
    unread: bytes = b""


class ProcessServer:
    """A program without threads that has other processes as its children and nothing else to do."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._unread = b""
        self._poll = select.poll()
        #: By the descriptor of the line.
        self._children: dict[int, Supervised] = {}
        #: What this process has started besides.
        self._own: frozenset[int] = frozenset()
        #: Other descriptors that no child may have.
        self._private: tuple[int, ...] = ()

    def _begin(self, number: int, request: Mapping[str, Any]) -> None:
        """Starts a process for a request, or refuses it. For the two kinds of server to say how."""

    def open(self) -> None:
        """Everything is ready for the first request."""
        adopt_orphans()
        self._own = frozenset(each.pid for each in descendants()) if LINUX else frozenset()
        self._poll.register(self._channel, select.POLLIN)

    def turn(self, milliseconds: float | None = None) -> bool | None:
        """Waits for something to happen, and sees to it. None after so many milliseconds; False when it is over."""
        ready = self._poll.poll(milliseconds)
        for descriptor, _ in ready:
            if descriptor in self._children:
                self._hear(self._children[descriptor])
            elif not self._receive():
                return False
        return True if ready else None

    def _receive(self) -> bool:
        received = _read(self._channel)
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            self._obey(decode(line))
        return bool(received)

    def _obey(self, request: Mapping[str, Any]) -> None:
        if "start" in request:
            self._begin(request["start"], request)
        elif "end" in request:
            for child in self._children.values():
                if child.number == request["end"]:
                    _write(child.line, {"of": child.number, "grace": request["grace"]})

    def _refuse(self, number: int | None, error: OSError) -> None:
        self._tell({"refused": number, "errno": error.errno or 0, "why": str(error)})

    def _supervise(self, start: Start, *, number: int | None = None, deliver: Deliver | None = None) -> Supervised:
        """Forks a supervisor, and that what `start` starts: for a number, or to wait for orders. Raises OSError."""
        ours, its_end = socket.socketpair()
        others = [self._channel.fileno(), ours.fileno(), *self._private, *self._children]
        try:
            supervisor = os.fork()
            if supervisor == 0:
                supervise(its_end, others, start, number, deliver)
        except OSError:
            ours.close()
            raise
        finally:
            its_end.close()
        child = Supervised(supervisor, ours, number)
        self._children[ours.fileno()] = child
        self._poll.register(ours, select.POLLIN)
        return child

    def _hear(self, child: Supervised) -> None:
        received = _read(child.line)
        *lines, child.unread = (child.unread + received).split(b"\n")
        for line in lines:
            self._note(child, decode(line))
        if not received:
            self._bury(child)

    def _note(self, child: Supervised, said: Mapping[str, Any]) -> None:
        if "pid" in said:
            child.pid = said["pid"]
            self._tell_started(child)
        elif "errno" in said:
            child.over = True
            if child.number is not None:
                self._tell({"refused": child.number, **said})
        elif said["of"] == (child.number or 0):
            self._tell_ended(child, said["code"])
        else:
            # It ended while orders were on their way, which the next one gets.
            child.pid = None

    def _tell_started(self, child: Supervised) -> None:
        if child.number is not None and child.pid is not None:
            self._tell({"started": child.number, "pid": child.pid})

    def _bury(self, child: Supervised) -> None:
        """A supervisor is gone; where somebody has killed it, what it watched over is an orphan, and comes here."""
        self._poll.unregister(child.line)
        del self._children[child.line.fileno()]
        child.line.close()
        os.waitpid(child.supervisor, 0)
        if not child.over:
            if LINUX and (child.number is not None or child.pid is not None):
                end_all(self._own | {each.supervisor for each in self._children.values()})
            self._tell_ended(child, -signal.SIGKILL)

    def _tell_ended(self, child: Supervised, code: int) -> None:
        """Nothing of its process is left; its supervisor may take a moment more to go, or waits for the next orders."""
        if child.number is not None:
            self._tell({"exited": child.number, "code": code})
        child.number = child.pid = None

    def _tell(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._channel.sendall(encode(message))


def _read(line: socket.socket) -> bytes:
    """What has come; nothing once the other end is gone, also where that left something unread, which is an error."""
    try:
        return line.recv(1 << 16)
    except OSError:
        return b""


def _write(line: socket.socket, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        line.sendall(encode(message))
