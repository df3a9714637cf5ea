"""Giving the room of deleted rows back to the file system, which SQLite does only when it writes its file anew."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from ..shared.errors import DatabaseError, FailedPrecondition, InvalidInput
from .ledger.candidate import Candidate
from .ledger.engine import parse_database
from .ledger.ledger import Ledger


class Sizes(NamedTuple):
    """Bytes of a database's file before and after."""

    before: int
    after: int


def compact(url: str) -> Sizes:
    """Writes an SQLite database anew without its free pages, in one transaction.

    Raises InvalidInput for PostgreSQL, DatabaseError or Unavailable where it cannot be done, FailedPrecondition where a
    master runs on it.
    """
    database = parse_database(url)
    if database.kind != "sqlite":
        raise InvalidInput(
            f"{database.name}: on PostgreSQL autovacuum makes room for new rows; VACUUM FULL in psql gives it back to "
            "the file system, while no master runs"
        )
    if not database.path.is_file():
        raise DatabaseError(f"database {database.name}: there is no such file")
    before = database.path.stat().st_size
    candidate = Candidate(url, holder=f"compact-{socket.gethostname()}-{os.getpid()}", takeover_after=60)
    try:
        ledger = candidate.attempt()
        if not isinstance(ledger, Ledger):
            raise FailedPrecondition(f"{ledger.holder} owns the database (term {ledger.term}); end that master first")
        try:
            ledger.compact()
        finally:
            ledger.close()
    finally:
        candidate.close()
    return Sizes(before, database.path.stat().st_size)
