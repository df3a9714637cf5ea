"""Locks that tell whether the master of a term still lives. They avoid fights; the term is what protects.

Each term has a lock of its own, held by its master from before anybody can see the term until its process ends: the
kernel, or the PostgreSQL server, lets go of it then, kill -9 included. Whoever gets the lock of the current term knows
that its master is gone.

Beside it a master tells which database it works on, by what is not lost with that database: a lock on the folder of the
file, or one of the PostgreSQL database that outlives its schema. So nobody becomes the master of a database that took
the place of one whose master still lives.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import sys
import zlib
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, exc, text

from ....shared.errors import DatabaseError, RungmasterError, Unavailable
from ..engine import Database, session_engine
from ..failures import explain
from ..files.presence import Presence, listen

T = TypeVar("T")

#: Any number will do, as long as every version of Rungmaster takes the same one.
_LOCK_CLASS = 7_264_912
#: The same, for the locks by which masters tell which database they work on.
_PRESENCE_CLASS = 7_264_913
_TAKE = text("SELECT pg_try_advisory_lock(:key)")
#: The two halves of the key of a session's lock on one number.
_HELD = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid::bigint = :class AND objid::bigint = :term"
)
#: Somebody else's lock that tells of another database than this.
_ELSEWHERE = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid::bigint = :class AND objid::bigint <> :mark AND pid <> pg_backend_pid()"
)
_ANNOUNCE = text("SELECT pg_advisory_lock_shared(:key)")
_WITHDRAW = text("SELECT pg_advisory_unlock_shared(:key)")
_RELEASE = text("SELECT pg_advisory_unlock(:key)")


class TermLock(Protocol):
    """The locks of the terms of one database, as one process holds them. Use it from one thread at a time.

    Raises Unavailable where the database is out of reach.
    """

    def take(self, term: int) -> bool:
        """Takes the lock of a term; False where another process holds it. Taken again it is still held once."""
        ...

    def release(self, term: int) -> None:
        """Gives the lock of a term back; nothing where it is not held."""
        ...

    def announce(self, term: int, database_id: str) -> None:
        """Tells others which database this process works on, under which term."""
        ...

    def withdraw(self) -> None:
        """Tells it no more."""
        ...

    def elsewhere(self, term: int | None = None, database_id: str = "") -> int | None:
        """The term of another process that works on a database which was here before; None where there is none.

        `term` and `database_id` are what stands in the one that is here: 0 and empty where there is none, and no term
        as long as nobody has looked. A process whose term is not known has 0.
        """
        ...

    def keep(self) -> None:
        """Takes again what a broken connection has lost, if it is still free."""
        ...

    def close(self) -> None:
        """Gives all of them back."""
        ...


def term_lock(database: Database) -> TermLock:
    """The locks that go with a database."""
    return FileLock(database) if database.kind == "sqlite" else SessionLock(database)


def is_held(database: Database, connection: Connection, term: int) -> bool:
    """Whether another process holds the lock of a term. Nothing is taken by the question.

    For processes that hold none of the locks themselves: closing the file lets go of all of theirs.
    """
    if database.kind == "postgresql":
        key = {"class": _LOCK_CLASS, "term": term & 0xFFFF_FFFF}
        return bool(connection.scalar(_HELD, key))
    if any(other.here and other.has(term) for other in listen(database.path)):
        return True
    try:
        file = os.open(FileLock(database).path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        answer = fcntl.fcntl(file, fcntl.F_GETLK, _question(term))
    finally:
        os.close(file)
    return _kind_of(answer) != fcntl.F_UNLCK


class FileLock:
    """For SQLite: the byte with the number of the term, in an empty file beside the database.

    Such locks are between processes; two masters in one process do not see each other's.
    """

    def __init__(self, database: Database) -> None:
        self.path = database.path.resolve().with_name(database.path.resolve().name + "-master")
        self._name = database.name
        self._file: int | None = None
        self._presence = Presence(database.path)

    def take(self, term: int) -> bool:
        """See TermLock. The file may have been deleted under whoever holds its byte, who is heard all the same."""
        if not self._take(term):
            return False
        if any(other.here and other.has(term) for other in self._presence.others()):
            self.release(term)
            return False
        return True

    def _take(self, term: int) -> bool:
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, term)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN) and self._file is not None:
                return False
            raise self._refusal(error) from error
        return True

    def _refusal(self, error: OSError) -> DatabaseError | Unavailable:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return DatabaseError(f"database {self._name}: its folder does not exist; create it, or correct the path")
        return Unavailable(f"database {self._name}: cannot lock {self.path} beside it ({error.strerror})")

    def release(self, term: int) -> None:
        """See TermLock."""
        if self._file is not None:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, term)

    def announce(self, term: int, database_id: str) -> None:  # noqa: ARG002 - the files tell databases apart
        """See TermLock."""
        self._presence.announce(term)

    def withdraw(self) -> None:
        """See TermLock."""
        self._presence.withdraw()

    def elsewhere(self, term: int | None = None, database_id: str = "") -> int | None:  # noqa: ARG002 - as above
        """See TermLock."""
        others = self._presence.others()
        strange = (other for other in others if not other.here or (term is not None and other.is_newer(term)))
        return next((other.term for other in strange), None)

    def keep(self) -> None:
        """Nothing to do: the kernel loses none."""

    def close(self) -> None:
        """See TermLock. The file stays: whoever removed it could remove one that another master has just locked."""
        self._presence.withdraw()
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SessionLock:
    """For PostgreSQL: advisory locks of a session that does nothing else."""

    def __init__(self, database: Database) -> None:
        self._name = database.name
        self._engine = session_engine(database)
        self._session: Connection | None = None
        self._held: set[int] = set()
        self._mark: int | None = None

    def take(self, term: int) -> bool:
        """See TermLock."""
        if term not in self._held and self._ask(lambda session: _take(session, term)):
            self._held.add(term)
        return term in self._held

    def release(self, term: int) -> None:
        """See TermLock."""
        if term in self._held:
            self._held.discard(term)
            self._ask(lambda session: session.scalar(_RELEASE, {"key": _key(term)}))

    def announce(self, term: int, database_id: str) -> None:  # noqa: ARG002 - its id tells it from others
        """See TermLock. The lock is one of the PostgreSQL database, and stays where only its schema is dropped."""
        self._ask(lambda session: _announce(session, _mark(database_id)))
        self._mark = _mark(database_id)

    def withdraw(self) -> None:
        """See TermLock."""
        mark, self._mark = self._mark, None
        if mark is not None:
            # A session that is broken tells nothing any more.
            with contextlib.suppress(RungmasterError):
                self._ask(lambda session: session.execute(_WITHDRAW, {"key": _key(mark, _PRESENCE_CLASS)}))

    def elsewhere(self, term: int | None = None, database_id: str = "") -> int | None:
        """See TermLock."""
        if term is None:
            return None
        found = {"class": _PRESENCE_CLASS, "mark": _mark(database_id) if database_id else -1}
        return 0 if self._ask(lambda session: session.scalar(_ELSEWHERE, found)) else None

    def keep(self) -> None:
        """See TermLock."""
        self._ask(lambda session: session.scalar(text("SELECT 1")))

    def close(self) -> None:
        """See TermLock."""
        self._drop()
        self._held.clear()
        self._mark = None
        self._engine.dispose()

    def _ask(self, question: Callable[[Connection], T]) -> T:
        """Asks the session, or a new one where it turns out to be broken."""
        try:
            if self._session is not None:
                return question(self._session)
        except exc.DBAPIError:
            self._drop()
        try:
            return question(self._open())
        except exc.DBAPIError as error:
            self._drop()
            raise explain(error, self._name) from error

    def _open(self) -> Connection:
        self._session = session = self._engine.connect()
        for term in sorted(self._held):
            if not _take(session, term):
                self._held.discard(term)
        if self._mark is not None:
            _announce(session, self._mark)
        return session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.invalidate()
            session.close()


def _question(term: int) -> bytes:
    """A `struct flock` that asks for an exclusive lock on the byte of a term; its fields stand otherwise on macOS."""
    if sys.platform == "darwin":
        return struct.pack("qqihh", term, 1, 0, fcntl.F_WRLCK, os.SEEK_SET)
    return struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, term, 1, 0)


def _kind_of(answer: bytes) -> int:
    return struct.unpack("qqihh", answer)[3] if sys.platform == "darwin" else struct.unpack("hhqqi", answer)[0]


def _take(session: Connection, term: int) -> bool:
    return bool(session.scalar(_TAKE, {"key": _key(term)}))


def _announce(session: Connection, mark: int) -> None:
    session.execute(_ANNOUNCE, {"key": _key(mark, _PRESENCE_CLASS)})


def _mark(database_id: str) -> int:
    return zlib.crc32(database_id.encode())


def _key(number: int, of: int = _LOCK_CLASS) -> int:
    return (of << 32) + (number & 0xFFFF_FFFF)
