"""A program that imports a trial's code once, and forks a process for each trial that the worker asks for.

Usage: python -P -m rungmaster.worker.process.fork_server PARENT_PID DESCRIPTOR MODULE:FUNCTION [VARIABLE]…

It has one thread, no event loop and no gRPC, and touches no GPU, so that a fork of it is as good as a fresh process.
Its standard input is a socket; see `process_server.py` for what goes over it. First it says `{"ready": true}` or
`{"refused": "why"}`. A request has `"log": "/file", "environment": {…}`. `{"retire": true}` lets it end after its last
child. The VARIABLEs differ from trial to trial, as all RUNGMASTER_ ones do. Children are forked ahead, so that no
trial has to wait for the fork; a supervisor has one after the other.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..trial.protocol import encode
from .child_main import die_with
from .forked import Nature, live
from .preload import CannotFork, Stamp, changed, check_devices, check_threads, preload
from .process_server import ProcessServer, Supervised
from .reseeding import Reseeding
from .signals import hear_nothing, installed_handlers
from .supervisor import QUIET


def main(arguments: list[str]) -> None:
    """Serves until the worker closes the socket, or retires this and the last child has ended."""
    parent, meant, entrypoint, *variables = arguments
    hear_nothing()
    die_with(int(parent))
    os.close(int(meant))
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the import system wants a string
    sys.argv = [entrypoint]
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    ForkServer(channel, entrypoint).serve(frozenset(variables))


class ForkServer(ProcessServer):
    """One preloaded entrypoint and the processes that were forked for it."""

    def __init__(self, channel: socket.socket, entrypoint: str) -> None:
        super().__init__(channel)
        self._entrypoint = entrypoint
        self._nature = Nature(Reseeding(), {})
        self._sources: dict[str, Stamp] = {}
        #: In a supervisor: the line over which the process that was forked ahead gets its orders.
        self._orders: socket.socket | None = None
        self._retired = False

    def serve(self, variables: frozenset[str]) -> None:
        """Preloads, says how that went, and answers requests."""
        module = self._entrypoint.partition(":")[0]
        reseeding = self._nature.reseeding
        try:
            with reseeding:
                self._sources = preload(module, lambda name: name.startswith("RUNGMASTER_") or name in variables)
        except CannotFork as why:
            return self._tell({"refused": str(why)})
        self._nature = Nature(reseeding, installed_handlers())
        hear_nothing()
        self.open()
        self._tell({"ready": True})
        while (self._children or not self._retired) and self._go_on():
            pass
        return None

    def _go_on(self) -> bool:
        """Waits for something to happen, and sees to it. False at the end of the channel."""
        happened = self.turn(1000 * QUIET if self._idle() is None and not self._retired else None)
        if happened is None:
            with contextlib.suppress(CannotFork, OSError):
                self._fork()
            happened = self.turn()
        return happened is not False

    def _idle(self) -> Supervised | None:
        """A child that waits for orders, or will in a moment; rather one whose process was forked already."""
        idle = [child for child in self._children.values() if child.number is None and not child.over]
        return max(idle, key=lambda child: child.pid is not None, default=None)

    def _obey(self, request: Mapping[str, Any]) -> None:
        if "retire" in request:
            self._retired = True
            while (idle := self._idle()) is not None:
                _dismiss(idle)
        else:
            super()._obey(request)

    def _begin(self, number: int, request: Mapping[str, Any]) -> None:
        """Sets a child to work, where all is as it was when the code was imported."""
        try:
            if (file := changed(self._sources)) is not None:
                raise CannotFork(f"{file} was changed")
            child = self._idle() or self._fork()
        except CannotFork as why:
            return self._tell({"refused": number, "why": str(why)})
        except OSError as error:
            return self._refuse(number, error)
        child.number = number
        with contextlib.suppress(OSError):
            child.line.sendall(encode(request))
        return self._tell_started(child)

    def _tell_ended(self, child: Supervised, code: int) -> None:
        super()._tell_ended(child, code)
        if self._retired and not child.over:
            _dismiss(child)

    def _fork(self) -> Supervised:
        """A process that waits for its orders. Raises CannotFork and OSError."""
        check_devices()
        check_threads()
        return self._supervise(self._start, deliver=self._deliver)

    def _start(self, meant: int, inherited: Sequence[int]) -> int:
        """In a supervisor: forks a process that waits for its orders."""
        self._orders, its_end = socket.socketpair()
        supervisor, orders = os.getpid(), self._orders.fileno()
        pid = os.fork()
        if pid == 0:
            live(supervisor, its_end, [*inherited, orders], meant, self._entrypoint, self._nature)
        its_end.close()
        return pid

    def _deliver(self, order: Mapping[str, Any]) -> None:
        """In a supervisor: gives the process that waits its orders."""
        assert self._orders is not None
        with self._orders, contextlib.suppress(OSError):
            self._orders.sendall(encode(order))


def _dismiss(child: Supervised) -> None:
    """Its supervisor ends the process that waits, and leaves."""
    child.over = True
    with contextlib.suppress(OSError):
        child.line.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1:])
