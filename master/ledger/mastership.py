"""The one row that says who may write. Its term only grows, and every transaction that writes checks it first."""

from __future__ import annotations

import time

from sqlalchemy import Connection, select, update

from ...shared.errors import DatabaseError, MastershipLost
from .tables import mastership

_current = select(mastership.c.term, mastership.c.holder).with_for_update()
_next = update(mastership).values(term=mastership.c.term + 1).returning(mastership.c.term)


def take_term(connection: Connection, holder: str) -> int:
    """Makes `holder` the master and returns its term, larger than any before."""
    term = connection.execute(_next.values(holder=holder, start_time=time.time())).scalar_one_or_none()
    if term is None:
        raise DatabaseError("the mastership table is empty: the database was changed by hand; restore it from a backup")
    return term


def check_term(connection: Connection, term: int) -> None:
    """Locks the row until the transaction ends. Raises MastershipLost where another master has a later term."""
    row = connection.execute(_current).one_or_none()
    if row is None or row.term != term:
        now = f"{row.holder} with term {row.term}" if row else "nobody"
        raise MastershipLost(f"this master's term {term} is over: the database belongs to {now} now")
