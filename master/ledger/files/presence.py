"""Tells other processes which files of a database this one works on, by what no deletion of those files undoes.

That is a lock on the folder: on one byte far behind its end, whose number is made from the name of the database, its
files and the term. Such locks keep nobody away (all are read locks), vanish with their process, kill -9 included, and
anybody may ask for them. They belong to what was opened, not to the process, so that whoever else lists the folder
does not lose them. Linux has such locks, on local file systems; elsewhere nothing is told and nobody is found.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ....shared.errors import Unavailable
from .database_files import identity

#: Bits of the parts of a byte's number; together they stay below what a file's length may be.
_NAME, _FILES, _TERM = 20, 18, 24
_SET, _ASK = getattr(fcntl, "F_OFD_SETLK", None), getattr(fcntl, "F_OFD_GETLK", None)
_LAYOUT = "hhqqi"


@dataclass(frozen=True, slots=True)
class Other:
    """A process that works on a database of this name; `here` where it is on the files that are here now."""

    term: int
    here: bool

    def has(self, term: int) -> bool:
        """Whether it works under this term."""
        return self.term == term % (1 << _TERM)

    def is_newer(self, term: int) -> bool:
        """Whether it has a later term than that of the files that are here, which then lack what it wrote."""
        return 0 < (self.term - term) % (1 << _TERM) < 1 << (_TERM - 1)


class Presence:
    """What one process tells of a database, and hears. Use it from one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._held: list[tuple[int, str]] = []

    def announce(self, term: int) -> None:
        """Tells that this process works under this term on the files that are there now, where that can be told."""
        self.withdraw()
        self._held = _opened(self._path)
        for folder, name in self._held:
            if _SET is not None:
                _lock(folder, _SET, fcntl.F_RDLCK, _start(name, _mark(self._path), term), 1)

    def withdraw(self) -> None:
        """Tells nothing any more."""
        held, self._held = self._held, []
        for folder, _ in held:
            os.close(folder)

    def others(self) -> list[Other]:
        """The other processes that work on a database of this path."""
        return _others(self._held, self._path) if self._held else listen(self._path)


def listen(path: Path) -> list[Other]:
    """The processes that work on a database of this path, for a process that does not."""
    opened = _opened(path)
    try:
        return _others(opened, path)
    finally:
        for folder, _ in opened:
            os.close(folder)


def check_alone(path: Path) -> None:
    """Raises Unavailable where a process works on files of this database that were deleted or replaced.

    Then nothing may be opened here: its log may lie beside a file that is not its own, and would be written into it.
    """
    if strange := next((other for other in listen(path) if not other.here), None):
        raise Unavailable(
            f"database {path}: its master (term {strange.term}) works on files that were deleted, moved or replaced; "
            "it stops within seconds: try again, or end it"
        )


def _opened(path: Path) -> list[tuple[int, str]]:
    """The folder of a database and its name there, and where it is a link also those of what it leads to."""
    real = path.resolve()
    places = {(path.parent.resolve(), path.name), (real.parent, real.name)}
    opened: list[tuple[int, str]] = []
    for folder, name in sorted(places):
        # A folder that is not there, or that nobody may look into, has nothing to tell.
        with contextlib.suppress(OSError):
            opened.append((os.open(folder, os.O_RDONLY | os.O_CLOEXEC), name))
    return opened


def _others(opened: list[tuple[int, str]], path: Path) -> list[Other]:
    found: list[Other] = []
    for folder, name in opened:
        first = _start(name, 0, 0)
        for number in _locked(folder, first, first + (1 << (_FILES + _TERM))):
            files = number >> _TERM & ((1 << _FILES) - 1)
            found.append(Other(number & ((1 << _TERM) - 1), files == _mark(path)))
    return found


def _locked(descriptor: int, first: int, end: int) -> Iterator[int]:
    """The bytes from `first` to before `end` that others hold."""
    if _ASK is None or first >= end:
        return
    kind, start, length = _lock(descriptor, _ASK, fcntl.F_WRLCK, first, end - first)
    if kind == fcntl.F_UNLCK:
        return
    yield start
    yield from _locked(descriptor, first, start)
    yield from _locked(descriptor, start + length, end)


def _lock(descriptor: int, command: int, kind: int, start: int, length: int) -> tuple[int, int, int]:
    """Kind, start and length of the lock that is in the way, of kind F_UNLCK where none is or nobody can know."""
    try:
        answer = fcntl.fcntl(descriptor, command, struct.pack(_LAYOUT, kind, os.SEEK_SET, start, length, 0))
    except OSError:
        return fcntl.F_UNLCK, start, length
    kind, _, start, length, _ = struct.unpack(_LAYOUT, answer)
    return kind, start, length


def _start(name: str, mark: int, term: int) -> int:
    return ((_digest(name, _NAME) << _FILES) + mark << _TERM) + term % (1 << _TERM)


def _mark(path: Path) -> int:
    return _digest(repr(identity(path)), _FILES)


def _digest(text: str, bits: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogateescape")).digest()[:8]) >> (64 - bits)
