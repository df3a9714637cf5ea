"""Reading a database from outside: nothing is made, changed or locked, with a master beside it or without one.

SQLite keeps what a master wrote last in a write-ahead log (`-wal`), and beside it a map of the log in memory (`-shm`).
While there is a log, a reader needs that map, and makes it where it is missing. Where there is none, nobody has the
file open, and it can be read as one that never changes: no file beside it is needed or made.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, NullPool, create_engine, event

from ....shared.errors import DatabaseError, Unavailable
from ..engine import Database, reading_engine, transaction
from ..files.presence import check_alone
from ..schema.revisions import check_current

_MAGIC = b"SQLite format 3\0"
#: What SQLite says where the map of the log is needed and can be neither found nor made.
_NO_MAP = ("SQLITE_CANTOPEN", "SQLITE_READONLY")


class ReadOnly:
    """Snapshots of a database for one process that only reads it. It may be used from several threads at once."""

    def __init__(self, database: Database, timeout_s: float) -> None:
        """Raises DatabaseError where there is no such file, or it is no database. `timeout_s` is in seconds."""
        self._database = database
        if database.kind == "sqlite":
            _check_file(database)
            opener = _Opener(database, timeout_s)
            self.engine, self._tidy = _file_engine(opener), opener.close
        else:
            self.engine, self._tidy = reading_engine(database, timeout_s), _nothing

    def close(self) -> None:
        """Closes the connections that are not in use, and removes what was copied."""
        self.engine.dispose()
        self._tidy()

    def check_schema(self) -> None:
        """Raises DatabaseError where the schema is not the one of this version, and closes then."""
        try:
            with self.unchanged(), transaction(self.engine, self._database) as connection:
                check_current(connection, self._database.name)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Raises Unavailable at the end where a master has begun to write to a file that nobody had open before."""
        before = self._state()
        yield
        if before is not None and self._state() != before:
            raise Unavailable(f"database {self._database.name}: a master was started while it was read; read it again")

    def _state(self) -> tuple[int, ...] | None:
        """What differs once the file was changed; None while there is a log, which is what keeps readers from harm."""
        if self._database.kind != "sqlite" or _log_of(self._database.path).exists():
            return None
        try:
            found = self._database.path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _check_file(database: Database) -> None:
    try:
        with database.path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        what = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise DatabaseError(f"database {database.name}: {what}") from error
    if not start:
        raise DatabaseError(f"database {database.name}: the file is empty; no master has ever used it")
    if start != _MAGIC:
        raise DatabaseError(f"database {database.name}: the file is not an SQLite database; give another path")


def _nothing() -> None:
    pass


def _file_engine(opener: _Opener) -> Engine:
    """A connection for each transaction: which way the file is to be read may change between two of them."""
    engine = create_engine("sqlite://", creator=opener.open, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


class _Opener:
    """Opens connections to a file that it never changes."""

    def __init__(self, database: Database, timeout_s: float) -> None:
        self._path = database.path.absolute()
        self._timeout_s = timeout_s
        self._copy: Path | None = None

    def open(self) -> sqlite3.Connection:
        """A connection that can read everything that was ever committed."""
        if self._copy is not None:
            return self._connect(self._copy, "mode=rw")
        check_alone(self._path)
        if not _log_of(self._path).exists():
            return self._connect(self._path, "mode=ro&immutable=1")
        try:
            return self._connect(self._path, "mode=ro")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith(_NO_MAP):
                raise
        self._copy = self._copied()
        return self._connect(self._copy, "mode=rw")

    def close(self) -> None:
        """Removes the copy, where one was needed."""
        if self._copy is not None:
            shutil.rmtree(self._copy.parent, ignore_errors=True)

    def _connect(self, path: Path, how: str) -> sqlite3.Connection:
        # Without isolation level the driver leaves it to us when transactions begin.
        address = f"file:{quote(str(path))}?{how}"
        connection = sqlite3.connect(
            address, uri=True, timeout=self._timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _copied(self) -> Path:
        """A copy of the file and its log: where the folder takes no map, nobody writes to it, and a copy stays true."""
        folder = Path(tempfile.mkdtemp(prefix="rungmaster-"))
        for source in (self._path, _log_of(self._path)):
            shutil.copyfile(source, folder / source.name)
        return folder / self._path.name
