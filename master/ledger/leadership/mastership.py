"""The one row that says who may write. Its term only grows, and every transaction that writes checks it first."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, exists, inspect, select, text, update

from ....shared.errors import DatabaseError, DatabaseLost, MastershipLost
from ..schema.tables import mastership, renewals

_current = select(mastership.c.term, mastership.c.holder).with_for_update()
_whole = _current.add_columns(mastership.c.database_id)
_next = update(mastership).values(term=mastership.c.term + 1).returning(mastership.c.term)
#: Without a lock on the term: a sign of life too many does no harm, and one that waited for a commit would.
_renew = (
    update(renewals)
    .where(exists().where(mastership.c.term == bindparam("mine"), mastership.c.database_id == bindparam("id")))
    .values(renew_time=bindparam("at"))
)
_renew_after = _renew.where(renewals.c.renew_time.in_(bindparam("before", expanding=True)))
#: Whoever writes holds one of these on a table until its transaction ends; whoever reads does not.
_end_writers = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'relation' AND relation IN (to_regclass('mastership'), to_regclass('renewals')) "
    "AND datname = current_database() "
    "AND mode IN ('RowShareLock', 'RowExclusiveLock') AND pid <> pg_backend_pid() "
    "AND application_name = 'rungmaster' AND usename = current_user "
    "AND (SELECT term FROM mastership) = :term"
)
_EMPTY = "the mastership table is empty: the database was changed by hand; restore it from a backup"


@dataclass(frozen=True, slots=True)
class MastershipHolder:
    """The master of a database. `renew_time` changes every few seconds while it works.

    `address` is where it serves, as host:port; empty while it does not.
    """

    term: int
    holder: str
    renew_time: float
    address: str = ""
    database_id: str = ""


def take_term(
    connection: Connection, holder: str, succeeds: int | None = None, silent_since: float | None = None
) -> int:
    """Makes `holder` the master and returns its term, larger than any before.

    With `succeeds`, only where the term is still that one, and with `silent_since` only where that is still the
    `renew_time` of its master; raises MastershipLost where it is not.
    """
    if succeeds is not None:
        check_term(connection, succeeds)
    if silent_since is not None and connection.scalar(select(renewals.c.renew_time)) != silent_since:
        raise MastershipLost(f"the master of term {succeeds} works: it has shown a sign of life")
    now = time.time()
    taken = connection.execute(_next.values(holder=holder, start_time=now, address="")).scalar_one_or_none()
    if taken is None:
        raise DatabaseError(_EMPTY)
    connection.execute(update(renewals).values(renew_time=now))
    return taken


def check_term(connection: Connection, term: int, database_id: str | None = None) -> None:
    """Locks the row until the transaction ends. Raises MastershipLost where another master has a later term.

    With a `database_id`, raises DatabaseLost where the database is another one now.
    """
    row = connection.execute(_current if database_id is None else _whole).one_or_none()
    if row is not None and database_id is not None and row.database_id != database_id:
        raise DatabaseLost(
            f"the database of this master (term {term}, id {database_id}) was replaced by another one "
            f"(id {row.database_id}) under it, and it stops: start it again on that one, or put a backup in its place"
        )
    if row is None or row.term != term:
        now = f"{row.holder} with term {row.term}" if row else "nobody"
        raise MastershipLost(f"this master's term {term} is over: the database belongs to {now} now")


def end_writers(connection: Connection, term: int) -> None:
    """Ends the sessions of the master of this term that are in mid-transaction. PostgreSQL only.

    One that was stopped there would keep its successor waiting: the server has a time limit for sessions that are idle
    in a transaction, and none for a COPY whose data does not come. Other programs' sessions are let be.
    """
    connection.execute(_end_writers, {"term": term})


def renew_term(connection: Connection, term: int, database_id: str, at: float, before: Collection[float] = ()) -> None:
    """Shows whoever waits that the master of this term works, by the time `at`; raises MastershipLost where it is over.

    Raises DatabaseLost where the database is another one, or has another sign of life than one of those that its
    master gave last (`before`; not looked at where there is none): it was put back to an earlier state then.
    """
    sign = {"mine": term, "id": database_id, "at": at}
    if before:
        renewed = connection.execute(_renew_after, sign | {"before": list(before)}).rowcount
    else:
        renewed = connection.execute(_renew, sign).rowcount
    if renewed:
        return
    check_term(connection, term, database_id)
    raise DatabaseLost(
        f"the database was put back to an earlier state under its master (term {term}), which stops: "
        "run `rungmaster db restore` on it before a master is started"
    )


def announce_address(connection: Connection, address: str) -> None:
    """Tells whoever finds the database where its master serves."""
    connection.execute(update(mastership).values(address=address))


def read_owner(connection: Connection) -> MastershipHolder | None:
    """Who is the master, by a schema of any version; None for a database that had none yet."""
    there = set(inspect(connection).get_table_names())
    if mastership.name not in there:
        return None
    row = connection.execute(text("SELECT * FROM mastership")).mappings().one_or_none()
    if row is None:
        raise DatabaseError(_EMPTY)
    if not row["term"]:
        return None
    renewed = connection.scalar(select(renewals.c.renew_time)) if renewals.name in there else row.get("renew_time")
    return MastershipHolder(
        row["term"], row["holder"], renewed or 0.0, row.get("address", ""), row.get("database_id", "")
    )


def read_database_id(connection: Connection) -> str:
    """What tells this database from every other, also from one that was begun anew in its place."""
    return connection.scalars(select(mastership.c.database_id)).one()
