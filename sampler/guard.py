"""Stands between a host and a sampler program, and ends the program with all that it started when it has to end.

Usage: python -P -m rungmaster.sampler.guard --memory-bytes N --lifeline-fd DESCRIPTOR -- COMMAND…

The program has the host's pipes for itself. It is ended when the other end of the lifeline closes, which only its host
holds (so when that is killed, too), at SIGTERM, and when it uses more memory than it may. It ends with this process
(Linux). The exit code, or the signal, is passed on. Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from ..shared.descendants import LINUX, adopt_orphans, descendants, end_all

#: Seconds between two looks at the memory.
LOOK_EVERY_S = 1.0
_PR_SET_PDEATHSIG = 1
#: Where memory runs out, the kernel takes a sampler before it takes a master (its scale ends at 1000).
_FIRST_TO_GO = "500"
_GIB = 2**30


def main(arguments: Sequence[str]) -> None:
    """Runs the command that the arguments name, and ends as it ended; with 127 where it cannot be run."""
    arguments = [*arguments]
    # A command may have a -- of its own.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    parser = _parser()
    wanted, command = parser.parse_args(arguments[:end]), arguments[end + 1 :]
    if not command:
        parser.error("a command is needed, after --")
    adopt_orphans()
    guard = Guard(wanted.memory_bytes, wanted.lifeline_fd, wanted.nice)
    try:
        code = guard.run(command)
    except OSError as error:
        _say(f"cannot run {command[0]}: {error.strerror}")
        sys.exit(127)
    _end_as(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("guard", description="Runs the sampler program whose command stands after --.")
    parser.add_argument("--memory-bytes", type=int, required=True, metavar="N", help="the most that it may use")
    parser.add_argument("--lifeline-fd", type=int, required=True, metavar="DESCRIPTOR", help="a pipe of its host's")
    parser.add_argument("--nice", type=int, default=0, metavar="N", help="how much it stands back for others")
    return parser


class Guard:
    """One program and its descendants."""

    def __init__(self, memory_bytes: int, lifeline: int, nice: int = 0) -> None:
        self._memory = memory_bytes
        self._lifeline = lifeline
        self._nice = nice
        self._pid = 0
        #: As `subprocess` has it: negative for a signal; None while it runs.
        self._code: int | None = None
        self._told_to_end = False

    def run(self, command: Sequence[str]) -> int:
        """Its exit code; negative for a signal. Raises OSError where it cannot be run."""
        woken = _wake_up_by_signals(self._on_signal)
        process = subprocess.Popen(command, start_new_session=True, preexec_fn=_preparation(os.getpid(), self._nice))  # noqa: S603
        self._pid = process.pid
        _let_go_of_pipes()
        why = self._watch(woken)
        self._end_all()
        process.returncode = -signal.SIGKILL if self._code is None else self._code
        if why:
            _say(why)
        return process.returncode

    def _on_signal(self, number: int) -> None:
        self._told_to_end = self._told_to_end or number != signal.SIGCHLD

    def _watch(self, woken: int) -> str:
        """Returns when the program has ended, or has to; why, where its host does not know."""
        while True:
            ready, _, _ = select.select([self._lifeline, woken], [], [], LOOK_EVERY_S)
            if woken in ready:
                os.read(woken, 4096)
            self._bury()
            if self._code is not None or self._told_to_end or self._lifeline in ready:
                return ""
            if (used := _memory_used()) > self._memory:
                may = f"it may use {self._memory / _GIB:.3g} GiB (`memory` in the spec's sampler)"
                return f"the sampler was ended: it used {used / _GIB:.3g} GiB of memory, and {may}"

    def _end_all(self) -> None:
        if LINUX:
            end_all(bury=self._bury)
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
        self._bury()

    def _bury(self) -> None:
        """Takes the exit codes of all children that have ended: the program, and orphans that were adopted."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._pid:
                    self._code = os.waitstatus_to_exitcode(ended[1])


def _wake_up_by_signals(heard: Callable[[int], None]) -> int:
    """A descriptor that can be read after each signal that matters here; `heard` gets its number."""
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _: heard(got))
    return woken


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _preparation(guard: int, nice: int) -> Callable[[], None]:
    """What the program's process does before it becomes the program."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def prepare() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            with contextlib.suppress(OSError):
                Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
        if os.getppid() != guard:
            os._exit(1)
        os.nice(nice)
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

    return prepare


def _let_go_of_pipes() -> None:
    """The program alone holds them now: when it closes one, its host notices."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def _memory_used() -> int:
    """Bytes that all descendants have in memory together; what they share counts for each. 0 where nothing tells."""
    used = 0
    for process in descendants() if LINUX else []:
        with contextlib.suppress(OSError, IndexError):
            used += int(Path(f"/proc/{process.pid}/statm").read_bytes().split()[1])
    return used * resource.getpagesize()


def _say(line: str) -> None:
    """Tells it to people, if anybody hears it."""
    with contextlib.suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _end_as(code: int) -> NoReturn:
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with contextlib.suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(sys.argv[1:])
