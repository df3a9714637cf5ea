"""All processes that come from this one, and their end: daemons and those in sessions of their own as well.

On Linux a process that adopts orphans becomes the parent of every descendant whose own parent has ended, whatever
session, name or environment that has made for itself, so that it can always be found in /proc. Elsewhere nobody
adopts, and only process groups can be ended whole.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import NamedTuple

#: Whether descendants can be found: on Linux, where /proc is mounted.
LINUX = sys.platform == "linux" and os.path.exists("/proc/self/stat")  # noqa: PTH110
#: Seconds after which a process that was killed and does not end is let be: the kernel does not let go of it.
PATIENCE_S = 10.0

_PR_SET_CHILD_SUBREAPER = 36
_PROCESSES = Path("/proc")
#: Seconds between two looks at what is left, at first and at most.
_SHORTEST_S, _LONGEST_S = 0.001, 0.05
#: How often children are killed between two looks at all descendants.
_BURST = 20
#: Places in /proc/<pid>/stat, counted after the name.
_STATE, _PARENT, _BEGAN = 0, 1, 19


class KnownProcess(NamedTuple):
    """A process, and what tells it from a later one with the same id: when it began, in ticks since boot."""

    pid: int
    parent: int
    began: int
    over: bool


def adopt_orphans() -> None:
    """From now on descendants whose parents end become children of this process."""
    if LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def look_at(pid: int) -> KnownProcess | None:
    """The process that has this id now; None where there is none."""
    try:
        stat = (_PROCESSES / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()
    return KnownProcess(pid, int(fields[_PARENT]), int(fields[_BEGAN]), fields[_STATE] in (b"Z", b"X"))


def descendants(kept: Collection[int] = ()) -> list[KnownProcess]:
    """Those of this process that /proc knows, parents before their children, without the families of `kept`."""
    children: dict[int, list[KnownProcess]] = {}
    for entry in _PROCESSES.iterdir():
        if entry.name.isdigit() and (known := look_at(int(entry.name))) is not None:
            children.setdefault(known.parent, []).append(known)
    found = [child for child in children.get(os.getpid(), []) if child.pid not in kept]
    for each in found:
        found += children.get(each.pid, [])
    return found


def tell(process: KnownProcess, number: signal.Signals) -> None:
    """Signals this process, not one that has got its id since."""
    now = look_at(process.pid)
    if now is not None and now.began == process.began:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def tell_all(number: signal.Signals, kept: Collection[int] = ()) -> None:
    """Signals all descendants, without the families of `kept`."""
    for process in descendants(kept):
        tell(process, number)


def end_all(
    kept: Collection[int] = (), *, bury: Callable[[], object] | None = None, patience_s: float = PATIENCE_S
) -> list[int]:
    """Kills all descendants, and what they start meanwhile, without the families of `kept`.

    `bury` takes the exit codes of children that have ended; by default nobody wants them. Returns the ids of those that
    are still there after so many seconds: the kernel waits for a device or a file server, and lets nobody end them.
    """
    deadline, pause_s = time.monotonic() + patience_s, _SHORTEST_S
    while True:
        _kill_children(kept)
        found = descendants(kept)
        (bury or partial(_bury, found))()
        living = [each for each in found if not each.over]
        # What forks on and on may have slipped through the look at all, but is soon a child of this process.
        if (not living and not _children(kept)) or time.monotonic() > deadline:
            return [each.pid for each in living]
        for each in living:
            tell(each, signal.SIGKILL)
        time.sleep(pause_s if living else 0)
        pause_s = min(_LONGEST_S, 2 * pause_s)


def _children(kept: Collection[int]) -> list[int]:
    """The children of this process, which has one thread; none where the kernel has no such list."""
    try:
        listed = (_PROCESSES / "self" / "task" / str(os.getpid()) / "children").read_bytes()
    except OSError:
        return []
    return [pid for pid in map(int, listed.split()) if pid not in kept]


def _kill_children(kept: Collection[int]) -> None:
    """Faster than what forks its successor and ends: such a one is caught before it has forked again."""
    for _ in range(_BURST):
        for pid in _children(kept):
            # A child that nobody has buried keeps its id.
            with contextlib.suppress(PermissionError):
                os.kill(pid, signal.SIGKILL)


def _bury(found: list[KnownProcess]) -> None:
    for each in found:
        if each.over and each.parent == os.getpid():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(each.pid, os.WNOHANG)
