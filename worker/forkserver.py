"""A program that imports a trial's code once, and forks a process for each trial that the worker asks for.

Usage: python -P -m rungmaster.worker.forkserver PARENT_PID DESCRIPTOR MODULE:FUNCTION [VARIABLE]…

It has one thread, no event loop and no gRPC, and touches no GPU, so that a fork of it is as good as a fresh process.
Over the socket DESCRIPTOR go JSON lines. First it says `{"ready": true}` or `{"refused": "why"}`. Each
`{"log": "/file", "environment": {…}}` is answered by `{"pid": 7}` or `{"refused": "why"}`, and each end of a process is
told as `{"exited": 7, "code": 0}`. `{"retire": true}` lets it end after its last child. The VARIABLEs differ from trial
to trial, as all RUNGMASTER_ ones do. One child is forked ahead, so that no trial has to wait for the fork.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import forked
from .chance import Chance
from .child_main import die_with
from .preload import CannotFork, Stamp, changed, check_devices, check_threads, preload
from .protocol import decode, encode

#: Milliseconds of quiet before a child is forked ahead, so as not to be in the way of the trial that just began.
_QUIET = 5


def main(arguments: list[str]) -> None:
    """Serves until the worker closes the socket, or retires this and the last child has ended."""
    parent, descriptor, entrypoint, *variables = arguments
    die_with(int(parent))
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the import system wants a string
    sys.argv = [entrypoint]
    ForkServer(socket.socket(fileno=int(descriptor)), entrypoint).serve(frozenset(variables))


@dataclass(frozen=True, slots=True)
class _Child:
    """A forked process: its id, a descriptor that tells of its end, and the line over which it gets its orders."""

    pid: int
    descriptor: int
    line: socket.socket


class ForkServer:
    """One preloaded entrypoint and the processes that were forked for it."""

    def __init__(self, channel: socket.socket, entrypoint: str) -> None:
        self._channel = channel
        self._unread = b""
        self._entrypoint = entrypoint
        self._chance = Chance()
        self._sources: dict[str, Stamp] = {}
        self._poll = select.poll()
        #: By descriptor.
        self._children: dict[int, _Child] = {}
        self._spare: _Child | None = None
        self._retired = False

    def serve(self, variables: frozenset[str]) -> None:
        """Preloads, says how that went, and answers requests."""
        module = self._entrypoint.partition(":")[0]
        try:
            with self._chance:
                self._sources = preload(module, lambda name: name.startswith("RUNGMASTER_") or name in variables)
            os.close(os.pidfd_open(os.getpid()))
        except CannotFork as why:
            return self._tell({"refused": str(why)})
        except OSError as error:
            return self._tell({"refused": f"this kernel has no descriptors of processes: {error.strerror}"})
        self._tell({"ready": True})
        self._poll.register(self._channel, select.POLLIN)
        while (self._children or not self._retired) and self._turn():
            pass
        return None

    def _turn(self) -> bool:
        """Waits for something to happen, and sees to it. False at the end of the channel."""
        ready = self._poll.poll(_QUIET if self._spare is None and not self._retired else None)
        if not ready:
            with contextlib.suppress(CannotFork):
                self._spare = self._fork()
            ready = self._poll.poll()
        for descriptor, _ in ready:
            if descriptor in self._children:
                self._bury(self._children[descriptor])
            elif not self._receive():
                return False
        return True

    def _receive(self) -> bool:
        received = self._channel.recv(1 << 16)
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            self._obey(decode(line))
        return bool(received)

    def _obey(self, request: Mapping[str, Any]) -> None:
        spare, self._spare = self._spare, None
        if "retire" in request:
            self._retired = True
            if spare is not None:
                spare.line.close()
            return
        try:
            self._tell({"pid": self._begin(spare, request)})
        except CannotFork as why:
            self._spare = spare
            self._tell({"refused": str(why)})

    def _begin(self, spare: _Child | None, request: Mapping[str, Any]) -> int:
        """Sets a child to work, and gives its process id. Raises CannotFork."""
        if (file := changed(self._sources)) is not None:
            raise CannotFork(f"{file} was changed")
        child = spare or self._fork()
        with child.line:
            try:
                child.line.recv(len(forked.BORN))
                child.line.sendall(encode(request))
            except OSError as error:
                raise CannotFork(f"a fork died before it began ({error.strerror})") from error
        return child.pid

    def _fork(self) -> _Child:
        check_devices()
        check_threads()
        server, (line, its_end) = os.getpid(), socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours = [self._channel.detach(), line.detach(), *self._children]
            forked.live(server, its_end, ours, self._entrypoint, self._chance)
        its_end.close()
        child = _Child(pid, os.pidfd_open(pid), line)
        self._children[child.descriptor] = child
        self._poll.register(child.descriptor, select.POLLIN)
        return child

    def _bury(self, child: _Child) -> None:
        """Ends what a child left running in its group while its id cannot be another's yet, and tells its end."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        _, status = os.waitpid(child.pid, 0)
        self._poll.unregister(child.descriptor)
        os.close(child.descriptor)
        del self._children[child.descriptor]
        if child is self._spare:
            self._spare = None
            child.line.close()
        else:
            self._tell({"exited": child.pid, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._channel.sendall(encode(message))


if __name__ == "__main__":
    main(sys.argv[1:])
