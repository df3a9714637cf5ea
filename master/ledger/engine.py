"""From a database URL to connections: SQLite in WAL mode, or PostgreSQL through psycopg 3."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, exc, make_url, text

from ...shared.errors import DatabaseError, DatabaseLost, InvalidInput
from .failures import Gone, explain
from .files.database_files import DatabaseFiles
from .files.presence import check_alone

_FORMS = "use the path of a file, sqlite:///file.db, or postgresql://user@host/database"
#: How an engine that writes begins a transaction that only reads: on SQLite without the lock that others wait for.
READING = {"sqlite_begin": "BEGIN"}
#: Queries that one process may have under way at once.
READERS = 8


@dataclass(frozen=True, slots=True)
class Database:
    """A database by its address. `kind` is "sqlite" or "postgresql"; `name` is for messages and has no password."""

    kind: str
    name: str
    url: URL

    @property
    def path(self) -> Path:
        """The file of an SQLite database."""
        assert self.url.database is not None
        return Path(self.url.database)


def parse_database(url: str) -> Database:
    """The database that a person means by a URL or by the path of a file.

    Raises InvalidInput where the address makes no sense, DatabaseError where a driver is not installed.
    """
    if "://" not in url:
        return _sqlite(URL.create("sqlite", database=url))
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise InvalidInput(f"this is no database URL; {_FORMS}") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _sqlite(parsed)
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return _postgresql(parsed)
    raise InvalidInput(f"database URL of unknown kind {parsed.drivername!r}; {_FORMS}")


def _sqlite(url: URL) -> Database:
    if not url.database or url.database == ":memory:":
        raise InvalidInput(f"a database in memory would be lost with the master; {_FORMS}")
    if url.query or url.host:
        raise InvalidInput(f"an SQLite URL takes a path and nothing else; {_FORMS}")
    return Database("sqlite", url.database, url)


def _postgresql(url: URL) -> Database:
    try:
        import psycopg  # noqa: F401 - asks whether it is installed
    except ImportError as error:
        raise DatabaseError(f"PostgreSQL needs its driver: pip install 'rungmaster[postgresql]' ({error})") from error
    url = url.set(drivername="postgresql+psycopg")
    shown = url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
    return Database("postgresql", shown, url)


def writing_engine(database: Database, timeout_s: float, files: DatabaseFiles | None = None) -> Engine:
    """The one connection that writes; on SQLite its transactions start with the write lock. `timeout_s` is in seconds.

    With the `files` of an SQLite database it is connected to the file that is known there and to no other.
    """
    if database.kind == "sqlite":
        setup = (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "PRAGMA cache_size=-65536",
            "PRAGMA journal_size_limit=67108864",
        )
        return _sqlite_engine(database, 1, timeout_s, "rwc", "BEGIN IMMEDIATE", setup, files)
    milliseconds = int(timeout_s * 1000)
    setup = (
        f"SET lock_timeout = {milliseconds}",
        # The lock of a master that was stopped in mid-transaction must not keep its successor waiting for ever.
        "SET idle_in_transaction_session_timeout = 15000",
        *_looking_for_the_client(),
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    )
    return _postgresql_engine(database, 1, timeout_s, setup, {})


def reading_engine(database: Database, timeout_s: float, files: DatabaseFiles | None = None) -> Engine:
    """Connections that only read, each transaction from one snapshot; waits are bounded by `timeout_s` (seconds)."""
    if database.kind == "sqlite":
        return _sqlite_engine(database, READERS, timeout_s, "rw", "BEGIN", ("PRAGMA query_only=ON",), files)
    setup = (
        f"SET statement_timeout = {int(timeout_s * 1000)}",
        "SET default_transaction_read_only = on",
        *_looking_for_the_client(),
    )
    return _postgresql_engine(database, READERS, timeout_s, setup, {"isolation_level": "REPEATABLE READ"})


def _execute_patiently(connection: sqlite3.Connection, statement: str, timeout_s: float) -> None:
    """SQLite itself does not wait where another program is just turning the write-ahead log on."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(0.01)


def _sqlite_engine(
    database: Database,
    size: int,
    timeout_s: float,
    mode: str,
    begin: str,
    setup: tuple[str, ...],
    files: DatabaseFiles | None,
) -> Engine:
    address = f"file:{quote(str(database.path.absolute()))}?mode="

    def connect() -> sqlite3.Connection:
        known = files is not None and files.noted
        if not known:
            check_alone(database.path)
        # Without isolation level the driver leaves it to us when transactions begin.
        connection = sqlite3.connect(
            address + ("rw" if known else mode),
            uri=True,
            timeout=timeout_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            if files is not None:
                files.opened()
            for statement in setup:
                _execute_patiently(connection, statement, timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection

    options = {"pool_size": size, "max_overflow": 0, "pool_timeout": timeout_s, "hide_parameters": True}
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, **options)

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", begin))

    event.listen(engine, "begin", start)
    return engine


def _postgresql_engine(
    database: Database, size: int, timeout_s: float, setup: tuple[str, ...], options: dict[str, Any]
) -> Engine:
    pool = {"pool_size": size, "max_overflow": 0, "pool_timeout": timeout_s, "pool_pre_ping": True}
    engine = create_engine(_network(database, timeout_s), **pool, hide_parameters=True, **options)
    _prepare(engine, setup)
    return engine


def session_engine(database: Database) -> Engine:
    """PostgreSQL sessions that hold locks: the server ends them soon after the host at the other end has vanished."""
    setup = (
        *_looking_for_the_client(idle_s=5, interval_s=3),
        "SET statement_timeout = 5000",
    )
    options = {"poolclass": NullPool, "isolation_level": "AUTOCOMMIT", "hide_parameters": True}
    engine = create_engine(_network(database, 5), **options)
    _prepare(engine, setup)
    return engine


def _looking_for_the_client(idle_s: int = 10, interval_s: int = 5) -> tuple[str, ...]:
    """Has the PostgreSQL server end a session soon after the host at its other end has vanished: without it such
    sessions stay for hours, and those of a few lost hosts are all that a server takes. Old servers lack the last
    setting."""
    return (
        f"SET tcp_keepalives_idle = {idle_s}",
        f"SET tcp_keepalives_interval = {interval_s}",
        "SET tcp_keepalives_count = 3",
        "SELECT set_config(name, '15000', false) FROM pg_settings WHERE name = 'tcp_user_timeout'",
    )


def _network(database: Database, timeout_s: float) -> URL:
    """The address with limits: without them a server that vanished is noticed only after many minutes.

    The URL may say otherwise.
    """
    limits = {
        "connect_timeout": str(max(2, int(timeout_s))),
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "15000",
        "application_name": "rungmaster",
    }
    return database.url.set(query={**limits, **database.url.query})


def _prepare(engine: Engine, setup: tuple[str, ...]) -> None:
    def prepare(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            for statement in setup:
                cursor.execute(statement)
        connection.commit()

    event.listen(engine, "connect", prepare)


@contextmanager
def transaction(engine: Engine, database: Database) -> Iterator[Connection]:
    """One transaction: committed at the end, rolled back on any error.

    Raises Unavailable or DatabaseError for what the database says; other errors pass through.
    """
    driver_error = engine.dialect.loaded_dbapi.Error
    try:
        with engine.begin() as connection:
            yield connection
    except (exc.DBAPIError, exc.TimeoutError, driver_error) as error:
        raise explain(error, database.name) from error


@contextmanager
def master_transaction(engine: Engine, database: Database, files: DatabaseFiles | None) -> Iterator[Connection]:
    """A transaction of the database's master, which is told at its end, before anybody hears of it, whether the
    database is still there: DatabaseLost is raised where it is not."""
    with losing(), transaction(engine, database) as connection:
        yield connection
    if files is not None:
        files.check()


@contextmanager
def losing() -> Iterator[None]:
    """For the database's master, which had it: where it is not there, or has not our tables, it is lost."""
    try:
        yield
    except Gone as error:
        raise DatabaseLost(f"{error} under its master, which stops: put a backup in its place") from error


def read_in_order(connection: Connection) -> None:
    """For a transaction that goes through a table by its keys, a page at a time.

    PostgreSQL guesses badly how many rows follow a key, of a table that has just been filled the more so, and would
    read and sort all that is left for each page.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL enable_sort = off"))
