"""Databases that are locked, full, gone, damaged, foreign or from the future."""

from __future__ import annotations

import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url, text

from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.engine import parse_database, writing_engine
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.ledger.write.writes import write
from rungmaster.shared.errors import DatabaseError, InvalidInput, NotFound, Unavailable

from .ledger_rows import created, event, report, trial
from .locks import locked

if TYPE_CHECKING:
    from ..conftest import PostgresqlServer


def change(database_url: str, statement: str) -> None:
    engine = writing_engine(parse_database(database_url), 5)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_locked_database_is_unavailable_after_a_bounded_wait(ledger: Ledger, database_url: str) -> None:
    ledger.commit(created())
    with locked(database_url):
        start = time.monotonic()
        with pytest.raises(Unavailable, match="lock for too long"):
            ledger.commit(Changes(new_reports=[report(0, 1)]))
        assert time.monotonic() - start < 10
    ledger.commit(Changes(new_reports=[report(0, 1)]))


def test_a_master_that_finds_the_database_locked_says_so(sqlite_url: str) -> None:
    Ledger.open(sqlite_url, holder="one").close()
    with locked(sqlite_url), pytest.raises(Unavailable, match="end that program"):
        Ledger.open(sqlite_url, holder="two", timeout_s=0.2)


def test_readers_do_not_wait_for_a_writer(ledger: Ledger, reader: Reader, database_url: str) -> None:
    ledger.commit(created())
    with locked(database_url):
        assert reader.get_experiment(1).name == "digits"


def test_a_full_database_takes_nothing_and_goes_on_once_there_is_room(sqlite_url: str) -> None:
    ledger = Ledger.open(sqlite_url, holder="me")
    ledger.commit(created())

    def limit(pages: int) -> None:
        # The limit belongs to the connection: the ledger has one, and keeps it.
        with ledger._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    limit(1)
    batch = Changes(new_trials=[trial(n, hparams={"x": "y" * 1000}) for n in range(2, 500)], new_events=[event("big")])
    with pytest.raises(Unavailable, match="no room left"):
        ledger.commit(batch)
    assert len(ledger.load().experiments[0].trials) == 2
    limit(1_000_000)
    ledger.commit(batch)
    assert len(ledger.load().experiments[0].trials) == 500
    ledger.close()


@pytest.mark.postgresql
def test_a_server_that_went_away_is_unavailable_until_it_is_back(
    postgresql_url: str, postgresql_server: PostgresqlServer
) -> None:
    ledger = Ledger.open(postgresql_url, holder="me")
    reader = Reader(postgresql_url)
    ledger.commit(created())
    assert reader.get_experiment(1).name == "digits"
    postgresql_server.stop()
    try:
        with pytest.raises(Unavailable, match="check the server"):
            ledger.commit(Changes(new_reports=[report(0, 1)]))
        with pytest.raises(Unavailable, match="check the server"):
            reader.get_experiment(1)
        with pytest.raises(Unavailable, match="check the server"):
            Ledger.open(postgresql_url, holder="other")
    finally:
        postgresql_server.start()
    ledger.commit(Changes(new_reports=[report(0, 1)]))
    assert len(reader.list_reports(1, 0)[0]) == 1
    ledger.close()
    reader.close()


def test_a_server_that_does_not_say_a_word_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/postgres?connect_timeout=2"
        with pytest.raises(Unavailable, match="is out of reach: check the server and the network"):
            Ledger.open(url, holder="me")


@pytest.mark.postgresql
@pytest.mark.parametrize("batch", [Changes(new_reports=[report(0, 1)]), Changes(trials={(1, 0): trial(0)})])
def test_a_connection_that_breaks_in_mid_transaction_writes_nothing(
    postgresql_url: str, postgresql_server: PostgresqlServer, batch: Changes
) -> None:
    ledger = Ledger.open(postgresql_url, holder="me")
    ledger.commit(created())

    def commit_on_a_breaking_connection() -> None:
        with ledger._transaction() as connection:
            session = connection.scalar(text("SELECT pg_backend_pid()"))
            postgresql_server.execute(f"SELECT pg_terminate_backend({session}, 5000)")
            write(connection, batch, 1)

    with pytest.raises(Unavailable):
        commit_on_a_breaking_connection()
    before = ledger.load()
    ledger.commit(batch)
    assert before.experiments[0].row == ledger.load().experiments[0].row
    ledger.close()


@pytest.mark.postgresql
def test_a_master_that_stopped_in_mid_transaction_does_not_keep_its_successor_waiting(postgresql_url: str) -> None:
    old = Ledger.open(postgresql_url, holder="old")
    terms = []

    def stop_in_mid_transaction() -> None:
        with old._transaction() as connection:
            connection.execute(text("SET idle_in_transaction_session_timeout = 300"))
            new = Ledger.open(postgresql_url, holder="new")
            terms.append(new.term)
            new.close()
            connection.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        stop_in_mid_transaction()
    assert terms == [2]
    old.close()


def test_a_database_from_the_future_is_refused(database_url: str) -> None:
    Ledger.open(database_url, holder="me").close()
    change(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match=r"revision 9999.*newer version"):
        Ledger.open(database_url, holder="me")


def test_a_database_with_other_tables_of_our_names_is_refused(database_url: str) -> None:
    change(database_url, "CREATE TABLE trials (note VARCHAR(10))")
    with pytest.raises(DatabaseError, match=r"tables of other origin.*trials"):
        Ledger.open(database_url, holder="me")


def test_a_refused_database_is_left_as_it_was(database_url: str) -> None:
    change(database_url, "CREATE TABLE trials (note VARCHAR(10))")
    with pytest.raises(DatabaseError):
        Ledger.open(database_url, holder="me")
    change(database_url, "DROP TABLE trials")
    ledger = Ledger.open(database_url, holder="me")
    assert ledger.term == 1
    ledger.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 100)
    with pytest.raises(DatabaseError, match="not an SQLite database"):
        Ledger.open(str(path), holder="me")
    assert path.read_text().startswith("not a database")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="folder does not exist"):
        Ledger.open(str(tmp_path / "nowhere" / "search.db"), holder="me")


def test_a_reader_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be opened"):
        Reader(str(tmp_path / "search.db")).get_experiment(1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://host/db", "unknown kind 'mysql'"),
        ("sqlite://", "in memory"),
        (":memory:", "in memory"),
        ("sqlite:///file.db?mode=ro", "a path and nothing else"),
        ("sqlite://host/file.db", "a path and nothing else"),
        ("postgresql+psycopg2://host/db", "unknown kind"),
        ("://", "no database URL"),
        ("", "in memory"),
    ],
)
def test_a_wrong_url_is_refused_with_the_right_forms(url: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        Ledger.open(url, holder="me")
    assert "sqlite:///file.db" in str(refused.value)


@pytest.mark.postgresql
def test_a_password_is_never_shown(postgresql_url: str) -> None:
    hidden = postgresql_url.replace("postgres:@", "postgres:secret@").replace("/postgresql", "/x")
    assert "secret" in hidden
    assert "secret" not in parse_database(hidden).name


@pytest.mark.postgresql
def test_a_database_that_does_not_exist_is_named(postgresql_server: PostgresqlServer) -> None:
    with pytest.raises(DatabaseError, match="create it, or correct the URL"):
        Ledger.open(postgresql_server.url("nowhere"), holder="me")


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite+pysqlite:///{}"])
def test_a_path_and_a_url_name_the_same_file(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a name with %41 ? & # in it.db"
    url = form.format(path) if form == "{}" else form.format(tmp_path / "plain.db")
    ledger = Ledger.open(url, holder="me")
    assert ledger.database == "sqlite"
    assert (path if form == "{}" else tmp_path / "plain.db").exists()
    ledger.close()


def test_sqlite_commits_reach_the_disk_and_readers_cannot_write(sqlite_url: str) -> None:
    ledger, reader = Ledger.open(sqlite_url, holder="me"), Reader(sqlite_url)
    with pytest.raises(NotFound):
        reader.get_experiment(1)
    with ledger._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    with reader._engine.connect() as connection, pytest.raises(Exception, match="readonly") as refused:
        connection.exec_driver_sql("DELETE FROM trials")
    assert isinstance(getattr(refused.value, "orig", None), sqlite3.OperationalError)
    ledger.close()
    reader.close()


def test_a_closed_ledger_leaves_one_file(sqlite_url: str, tmp_path: Path) -> None:
    ledger = Ledger.open(sqlite_url, holder="me")
    ledger.commit(created())
    ledger.close()
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://nobody@/postgres", "the server has no user (role) of that name"),
        ("postgresql://guest:wrong@/postgres", "the server refused the password of this user"),
        ("postgresql://guest@/postgres", "the server asks for a password"),
        ("postgresql://stranger@/postgres", "the server lets this user in neither from this host nor in this way"),
        ("postgresql://guest:right@/nowhere", "the server has no database of that name"),
        ("postgresql://guest:right@/closed", "the user may not connect to it"),
        ("postgresql://guest:right@/postgres", "the user may not do this; grant it the rights"),
    ],
)
def test_who_is_not_let_in_is_told_why(rooms: str, address: str, told: str) -> None:
    with pytest.raises(DatabaseError, match=re.escape(f": {told}")):
        Ledger.open(f"{address}?host={rooms}", holder="me")


@pytest.mark.parametrize("address", ["127.0.0.1:1/postgres", "nowhere.invalid/postgres", "/postgres?host=/nowhere"])
def test_a_server_that_is_not_there_is_out_of_reach(address: str) -> None:
    with pytest.raises(Unavailable, match="is out of reach: check the server and the network"):
        Ledger.open(f"postgresql://me@{address}", holder="me", timeout_s=1)


@pytest.fixture
def rooms(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The socket's folder of a server that asks `guest` for the password `right`, and does not let `stranger` in."""
    host = make_url(postgresql_server.url("postgres")).query["host"]
    (file,) = postgresql_server.execute("SHOW hba_file")[0]
    before = Path(file).read_text()
    Path(file).write_text(f"local all guest scram-sha-256\nlocal all stranger reject\n{before}")
    postgresql_server.execute("SELECT pg_reload_conf()")
    postgresql_server.execute("CREATE ROLE guest LOGIN PASSWORD 'right'")
    postgresql_server.execute("CREATE ROLE stranger LOGIN")
    postgresql_server.execute("CREATE DATABASE closed")
    postgresql_server.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
    yield str(host)
    Path(file).write_text(before)
    postgresql_server.execute("SELECT pg_reload_conf()")
    postgresql_server.execute("DROP DATABASE closed")
    postgresql_server.execute("DROP ROLE guest")
    postgresql_server.execute("DROP ROLE stranger")
