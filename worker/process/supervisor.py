"""The parent of a training process, which ends with all that it has started: helpers, daemons, other sessions.

It adopts every orphan among its descendants, and hears nothing but its line: it says `{"pid": 7}` or
`{"errno": 12, "why": "…"}` at the beginning and `{"code": 0, "of": 3}` at the end, once nothing is left.
`{"of": 3, "grace": 5.0}` asks it to end the process that number 3 has asked for: SIGTERM to all, after so many seconds
SIGKILL. When the line closes whoever wanted the process is gone, and it ends everything at once.

One whose processes wait for their orders sees to one after the other: each is forked ahead, and any other message is
the orders of the one that waits.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ...shared.descendants import LINUX, adopt_orphans, end_all, tell_all
from ..trial.protocol import decode, encode

#: Seconds that what a process leaves behind at its end has from SIGTERM to SIGKILL.
LEFTOVER_GRACE_S = 1.0
#: Seconds of quiet before a process is forked ahead.
QUIET_S = 0.005
#: Starts the process and gives its id. It gets the descriptor by which the process can tell what is meant for it, see
#: `signals.py`, and those that a fork of the supervisor has to close.
Start = Callable[[int, Sequence[int]], int]


#: Gives the process that waits for orders what has come for it.
Deliver = Callable[[Mapping[str, Any]], None]


def supervise(
    line: socket.socket, inherited: Iterable[int], start: Start, number: int | None, deliver: Deliver | None
) -> NoReturn:
    """The life of a supervisor, from the fork on. `inherited` are the descriptors that belong to its parent alone.

    `number` is who has asked for the process; with `deliver` each process waits for its orders, which have one.
    """
    code = 1
    try:
        for descriptor in inherited:
            os.close(descriptor)
        _Supervisor(line, number, deliver).run(start)
        code = 0
    except BaseException as error:  # noqa: BLE001 - printed as the interpreter does
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(code)


class _Supervisor:
    """A process, its descendants, and the line over which orders come."""

    def __init__(self, line: socket.socket, number: int | None, deliver: Deliver | None) -> None:
        self._line = line
        self._unread = b""
        self._open = True
        self._number = number
        self._deliver = deliver
        self._pid = 0
        self._code: int | None = None
        self._kill_at: float | None = None
        self._stuck = False
        self._wake, self._woken = os.pipe()

    def run(self, start: Start) -> None:
        """Sees one process through, or one after the other; returns once nothing of them is left."""
        adopt_orphans()
        for descriptor in (self._wake, self._woken):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while self._see_through(start) and self._deliver and self._open and not self._stuck:
            self._number = self._code = self._kill_at = None
            # Not at once, so as not to be in the way of whatever begins where this process has ended.
            select.select([self._line], [], [], QUIET_S)

    def _see_through(self, start: Start) -> bool:
        """One process, from its start to its end; False where it cannot be started."""
        # Readable for the process once SIGTERM comes from here.
        meant, meaning = os.pipe()
        try:
            self._pid = start(meant, (meaning, self._line.fileno(), self._wake, self._woken))
        except OSError as error:
            self._say(errno=error.errno or 0, why=str(error))
            return False
        finally:
            os.close(meant)
        self._meaning = meaning
        self._say(pid=self._pid)
        self._watch()
        self._end_what_is_left()
        os.close(meaning)
        self._say(code=-signal.SIGKILL if self._code is None else self._code, of=self._number or 0)
        return True

    def _say(self, **message: int | str) -> None:
        with contextlib.suppress(OSError):
            self._line.sendall(encode(message))

    def _watch(self) -> None:
        """Until the process has ended by itself, or has to be killed."""
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while self._some_live() and self._code is None and self._patient():
            for descriptor, _ in poll.poll(self._milliseconds()):
                if descriptor == self._wake:
                    os.read(self._wake, 512)
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
        for order in map(decode, orders):
            if "grace" not in order:
                self._number = order["start"]
                assert self._deliver is not None
                self._deliver(order)
            elif order["of"] == self._number:
                self._end_within(order["grace"])
        if not received:
            self._open = False
            self._end_within(0.0)
        return bool(received)

    def _end_within(self, grace_s: float) -> None:
        until = time.monotonic() + grace_s
        self._kill_at = until if self._kill_at is None else min(until, self._kill_at)
        if grace_s > 0:
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
                self._stuck = True
                print(f"processes that the kernel does not let go of: {stuck}", file=sys.stderr)  # noqa: T201
        else:
            self._signal(signal.SIGKILL)
            while self._code is None and self._some_live():
                time.sleep(0.005)

    def _ask_what_is_left(self) -> None:
        """SIGTERM to what the process has left behind, and a moment to obey."""
        self._signal(signal.SIGTERM)
        until = time.monotonic() + LEFTOVER_GRACE_S
        until = until if self._kill_at is None else min(until, self._kill_at)
        while self._some_live() and time.monotonic() < until:
            time.sleep(0.005)

    def _signal(self, number: signal.Signals) -> None:
        if LINUX:
            tell_all(number)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)
