"""The signs of life of a master, on a connection of their own: they wait for no commit, no chore and no recovery.

On PostgreSQL nothing that the ledger holds keeps them waiting. SQLite has one lock for all who write, so there they
wait for the transaction that is under way, which is bounded.
"""

from __future__ import annotations

import time

from ...failpoints import hit
from ..engine import Database, losing, master_transaction, writing_engine
from ..files.database_files import DatabaseFiles
from .lock import TermLock
from .mastership import renew_term

#: Signs of life in a row whose outcome may be unknown.
_REMEMBERED = 1_000


class Renewal:
    """Signs of life under one term. Use it from one thread at a time, which may be another than the ledger's."""

    def __init__(
        self,
        database: Database,
        term: int,
        database_id: str,
        lock: TermLock | None,
        timeout_s: float,
        files: DatabaseFiles | None = None,
    ) -> None:
        """`lock` is the term's, which is kept alive too; `timeout_s` bounds the wait for other programs, in seconds."""
        self._database = database
        self._files = files
        self._engine = writing_engine(database, timeout_s, files)
        self._term = term
        self._id = database_id
        self._lock = lock
        #: Signs of life one of which is the last that the database has: of one that failed, nobody knows.
        self._given: list[float] = []

    def renew(self) -> None:
        """Gives a sign of life. Raises MastershipLost where another master took over or the database is gone,
        Unavailable after its wait."""
        now = time.time()
        with master_transaction(self._engine, self._database, self._files) as connection:
            renew_term(connection, self._term, self._id, now, self._given)
            if self._given:
                self._given = [*self._given, now] if len(self._given) < _REMEMBERED else []
            hit("renew.before")
        self._given = [now]
        hit("renew.after")
        if self._lock is not None:
            with losing():
                self._lock.keep()

    def look(self) -> None:
        """Raises DatabaseLost where the files of the database were deleted or replaced. Any thread may ask that."""
        if self._files is not None:
            self._files.check()

    def close(self) -> None:
        """Lets go of the connection; the lock stays with the ledger."""
        self._engine.dispose()
