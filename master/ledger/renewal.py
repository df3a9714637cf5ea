"""The signs of life of a master, on a connection of their own: they wait for no commit, no chore and no recovery.

On PostgreSQL nothing that the ledger holds keeps them waiting. SQLite has one lock for all who write, so there they
wait for the transaction that is under way, which is bounded.
"""

from __future__ import annotations

from ..failpoints import hit
from .engine import Database, transaction, writing_engine
from .lock import TermLock
from .mastership import renew_term


class Renewal:
    """Signs of life under one term. Use it from one thread at a time, which may be another than the ledger's."""

    def __init__(self, database: Database, term: int, lock: TermLock | None, timeout: float) -> None:
        """`lock` is the term's, which is kept alive too; `timeout` bounds the wait for other programs, in seconds."""
        self._database = database
        self._engine = writing_engine(database, timeout)
        self._term = term
        self._lock = lock

    def renew(self) -> None:
        """Gives a sign of life. Raises MastershipLost where another master took over, Unavailable after its wait."""
        with transaction(self._engine, self._database) as connection:
            renew_term(connection, self._term)
            hit("renew.before")
        hit("renew.after")
        if self._lock is not None:
            self._lock.keep()

    def close(self) -> None:
        """Lets go of the connection; the lock stays with the ledger."""
        self._engine.dispose()
