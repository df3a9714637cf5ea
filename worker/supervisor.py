"""The parent of one training process, which ends with all that it has started: helpers, daemons, other sessions.

It is forked for that process alone, adopts every orphan among its descendants, and hears nothing but its line: it says
`{"pid": 7}` or `{"errno": 12, "why": "…"}` at the beginning and `{"code": 0}` at the end, once nothing is left.
`{"grace": 5.0}` asks it to end the process: SIGTERM to all, after so many seconds SIGKILL. When the line closes whoever
wanted the process is gone, and it ends everything at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from .descendants import LINUX, adopt_orphans, end_all, tell_all
from .protocol import decode, encode

#: Seconds that what a process leaves behind at its end has from SIGTERM to SIGKILL.
LEFTOVER_GRACE = 1.0
#: Starts the process and gives its id. It gets the descriptor by which the process can tell what is meant for it, see
#: `signals.py`, and those that a fork of the supervisor has to close.
Start = Callable[[int, Sequence[int]], int]


def supervise(line: socket.socket, inherited: Iterable[int], start: Start) -> NoReturn:
    """The life of a supervisor, from the fork on. `inherited` are the descriptors that belong to its parent alone."""
    code = 1
    try:
        for descriptor in inherited:
            os.close(descriptor)
        code = _Supervisor(line).run(start)
    except BaseException as error:  # noqa: BLE001 - printed as the interpreter does
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(code)


class _Supervisor:
    """One process, its descendants, and the line over which orders come."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._unread = b""
        self._pid = 0
        self._code: int | None = None
        self._kill_at: float | None = None
        # Readable for the process once SIGTERM comes from here.
        self._meant, self._meaning = os.pipe()

    def run(self, start: Start) -> int:
        """Sees one process through; returns once nothing of it is left."""
        adopt_orphans()
        try:
            self._pid = start(self._meant, (self._meaning, self._line.fileno()))
        except OSError as error:
            self._say(errno=error.errno or 0, why=str(error))
            return 1
        os.close(self._meant)
        self._say(pid=self._pid)
        self._watch()
        self._end_what_is_left()
        self._say(code=-signal.SIGKILL if self._code is None else self._code)
        return 0

    def _say(self, **message: int | str) -> None:
        with contextlib.suppress(OSError):
            self._line.sendall(encode(message))

    def _watch(self) -> None:
        """Until the process has ended by itself, or has to be killed."""
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        poll.register(wake, select.POLLIN)
        while self._some_live() and self._code is None and self._patient():
            for descriptor, _ in poll.poll(self._milliseconds()):
                if descriptor == wake:
                    os.read(wake, 512)
                elif not self._obey():
                    poll.unregister(self._line)

    def _milliseconds(self) -> float | None:
        return None if self._kill_at is None else max(0.0, 1000 * (self._kill_at - time.monotonic()))

    def _patient(self) -> bool:
        return self._kill_at is None or time.monotonic() < self._kill_at

    def _obey(self) -> bool:
        """Takes in orders; False at the end of the line, after which there are no more."""
        try:
            received = self._line.recv(4096)
        except OSError:
            received = b""
        *orders, self._unread = (self._unread + received).split(b"\n")
        for order in orders:
            self._end_within(decode(order)["grace"])
        if not received:
            self._end_within(0.0)
        return bool(received)

    def _end_within(self, grace: float) -> None:
        until = time.monotonic() + grace
        self._kill_at = until if self._kill_at is None else min(until, self._kill_at)
        if grace > 0:
            with contextlib.suppress(OSError):
                os.write(self._meaning, b".")
            self._signal(signal.SIGTERM)

    def _some_live(self) -> bool:
        """Takes the codes of the children that have ended, orphans among them; False once there are no others."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
                if ended[0] == self._pid:
                    self._code = os.waitstatus_to_exitcode(ended[1])
            return True
        return False

    def _end_what_is_left(self) -> None:
        if self._code is not None and LINUX:
            if not self._some_live():
                return
            self._ask_what_is_left()
        if LINUX:
            stuck = end_all(bury=self._some_live)
            if stuck:
                print(f"processes that the kernel does not let go of: {stuck}", file=sys.stderr)  # noqa: T201
        else:
            self._signal(signal.SIGKILL)
            while self._code is None and self._some_live():
                time.sleep(0.005)

    def _ask_what_is_left(self) -> None:
        """SIGTERM to what the process has left behind, and a moment to obey."""
        self._signal(signal.SIGTERM)
        until = time.monotonic() + LEFTOVER_GRACE
        until = until if self._kill_at is None else min(until, self._kill_at)
        while self._some_live() and time.monotonic() < until:
            time.sleep(0.005)

    def _signal(self, number: signal.Signals) -> None:
        if LINUX:
            tell_all(number)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)
