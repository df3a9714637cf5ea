"""Giving the room of deleted rows back to the file system, which SQLite does only when it writes its file anew."""

from __future__ import annotations

from typing import NamedTuple

from ...shared.errors import DatabaseError, InvalidInput
from ..ledger.engine import parse_database
from ..ledger.leadership.candidate import sole_ledger


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
    with sole_ledger(url, "compact") as ledger:
        ledger.compact()
    return Sizes(before, database.path.stat().st_size)
