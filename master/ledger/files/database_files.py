"""The files that a master works on: whether they are still those to which the path of its database leads.

SQLite goes on writing to a file that was deleted or replaced, and to a log that was, and says nothing; all of it is
lost with the process. So a master looks by path after each commit, before anybody hears of it. It never opens what it
finds there: whoever opens another file beside the log of this one writes the log into it.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ....shared.errors import DatabaseLost, Unavailable

#: What SQLite keeps beside the file while somebody has it open: the write-ahead log, and a map of it.
LOG, MAP = "-wal", "-shm"
#: Looks at a file that seems to be another one before a master stops for it, and seconds between two of them.
LOOKS, BETWEEN_LOOKS = 4, 0.02
#: Opens a file for questions alone. Closing any other descriptor would let go of SQLite's locks on the file.
_ASKING = getattr(os, "O_PATH", 0)
_HOUR_NS = 3_600_000_000_000


@dataclass(slots=True)
class _File:
    """A file as it was when SQLite had just opened it. `held` is a descriptor of it, where the system has such."""

    path: Path
    what: str
    number: tuple[int, int]
    held: int | None

    def is_there(self) -> bool:
        """Whether its path leads to it; Unavailable is raised where the system does not say."""
        found = _look(self.path)
        if found is None:
            return False
        if (found.st_dev, found.st_ino) == self.number:
            # What a database begins with is never taken from it.
            return found.st_size > 0 or self.path.name.endswith((LOG, MAP))
        if self.held is None or not _same(self.held, self.path):
            return False
        # There are file systems whose numbers change.
        self.number = found.st_dev, found.st_ino
        return True

    @property
    def whereabouts(self) -> Path | None:
        """Where it lies now; None where it was deleted, or the system does not say."""
        try:
            path = Path(f"/proc/self/fd/{self.held}").readlink()
            return path if self.held is not None and os.path.samestat(path.stat(), os.fstat(self.held)) else None
        except OSError:
            return None


class DatabaseFiles:
    """The files of one SQLite database that one process has open. It may be used from several threads at once."""

    def __init__(self, name: str, path: Path) -> None:
        """`name` is the database's, for messages."""
        self._name = name
        self._path = path.absolute()
        self._lock = threading.Lock()
        self._files: list[_File] = []
        self._main, self._numbers = str(self._path), list[tuple[str, tuple[int, int]]]()
        self._lost = ""

    @property
    def noted(self) -> bool:
        """Whether it is known which file is the right one; it exists then, and none is to be made."""
        return bool(self._files)

    @property
    def lost(self) -> bool:
        """Whether the master was told to stop."""
        return bool(self._lost)

    def opened(self) -> None:
        """To be called when a connection was opened, before it is used: the first one decides which file it is.

        Raises DatabaseLost where a later one has opened another.
        """
        if self.noted:
            self.check()
        else:
            self._note(self._path, "its file")

    def logged(self) -> None:
        """To be called within the first transaction, when the log is there."""
        log, map_ = _beside(self._path)
        self._note(log, f"its write-ahead log {log}")
        self._note(map_, f"the map of its write-ahead log, {map_},")

    def check(self) -> None:
        """Raises DatabaseLost, now and for ever, where one of the files was deleted or replaced.

        Raises Unavailable where the file system does not say.
        """
        if self._seem_there():
            return
        for _ in range(LOOKS):
            if self._lost:
                break
            if all(file.is_there() for file in self._files):
                self._numbers = [(str(file.path), file.number) for file in self._files]
                return
            time.sleep(BETWEEN_LOOKS)
        with self._lock:
            self._lost = self._lost or f"database {self._name}: {self._loss()} under its master, which stops"
        raise DatabaseLost(self._lost)

    def _seem_there(self) -> bool:
        """The same in 6 microseconds, for each commit; False proves nothing."""
        try:
            for path, number in self._numbers:
                found = os.stat(path)  # noqa: PTH116 - a third of the time
                if found.st_ino != number[1] or found.st_dev != number[0] or (not found.st_size and path == self._main):
                    return False
        except OSError:
            return False
        return not self._lost

    def _loss(self) -> str:
        file = next((file for file in self._files if not file.is_there()), self._files[0])
        found = _look(file.path)
        if found is not None and (found.st_dev, found.st_ino) == file.number:
            return f"{file.what} was emptied"
        if file.whereabouts and found is None:
            return f"{file.what} was moved to {file.whereabouts}"
        return f"{file.what} was {'deleted' if found is None else 'replaced by another'}"

    @property
    def place(self) -> Path | None:
        """Where the database's file lies, wherever that is; None where no path leads to it, as far as one can know."""
        file = self._files[0]
        return self._path if file.is_there() else file.whereabouts

    @property
    def log_is_ours(self) -> bool:
        """Whether nobody can have written another log for our file: what is in ours may go into the file then."""
        found = _look(_beside(self._path)[0])
        return found is None or not found.st_size or (found.st_dev, found.st_ino) == self._files[1].number

    def close(self) -> None:
        """Lets go of the files."""
        files, self._files = self._files, []
        for file in files:
            if file.held is not None:
                os.close(file.held)

    def _note(self, path: Path, what: str) -> None:
        try:
            held = os.open(path, _ASKING | os.O_CLOEXEC) if _ASKING else None
            found = os.fstat(held) if held is not None else path.stat()
        except OSError as error:
            raise Unavailable(f"database {self._name}: {what} is not there ({error.strerror}); try again") from error
        self._numbers.append((str(path), (found.st_dev, found.st_ino)))
        self._files.append(_File(path, what, (found.st_dev, found.st_ino), held))


def identity(path: Path) -> tuple[int, ...] | None:
    """What tells the files at a database's path from all others; None where there is no database."""
    found = [_look(file) for file in (path, *_beside(path))]
    return tuple(file.st_ino if file else 0 for file in found) if found[0] else None


def drop_log(path: Path) -> None:
    """Deletes the log of a database that is gone: it would be written into whatever is put in the database's place."""
    for file in _beside(path):
        file.unlink(missing_ok=True)


def _beside(path: Path) -> list[Path]:
    """The log of a database and its map: SQLite has them beside the file itself, not beside a link to it."""
    real = path.resolve()
    return [real.with_name(real.name + end) for end in (LOG, MAP)]


def _look(path: Path) -> os.stat_result | None:
    """What a path leads to; None where that is nothing."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unavailable(f"{path} cannot be looked at ({error.strerror}); check the disk") from error


def _same(held: int, path: Path) -> bool:
    """Whether a path leads to a held file though its numbers are others: a mark on the one is seen on the other.

    The mark is the time of its last change; any two files have the same twice in a row by no accident.
    """
    try:
        for _ in range(2):
            mark = time.time_ns() - secrets.randbelow(_HOUR_NS)
            os.utime(f"/proc/self/fd/{held}", ns=(mark, mark))
            if path.stat().st_mtime_ns != os.fstat(held).st_mtime_ns:
                return False
        os.utime(path)
    except OSError:
        return False
    return True
