"""The files of a database are deleted, moved or replaced under its master: it stops, and tells where they are."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from e2e.cluster import QUALITY, Cluster, Process, free_port, toy_spec, wait_for
from e2e.test_search import assert_whole, reports_of
from sqlalchemy import text

from rungmaster.client import Client
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.engine import parse_database, transaction, writing_engine
from rungmaster.master.ledger.files import database_files
from rungmaster.master.ledger.files.backup import back_up
from rungmaster.master.ledger.files.database_files import DatabaseFiles
from rungmaster.master.ledger.leadership.candidate import BEFORE, Candidate
from rungmaster.master.ledger.leadership.mastership import MastershipHolder
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import DatabaseError, DatabaseLost, Unavailable

from .ledger_rows import created, event

if TYPE_CHECKING:
    from ..conftest import PostgresqlServer

SLOW = {"quality": QUALITY, "seconds_per_epoch": 0.05}


def beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for file in path.parent.glob(path.name + "*"):
        file.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def replace(path: Path) -> None:
    other = path.with_name("other.db")
    Ledger.open(str(other), holder="other").close()
    other.rename(path)


def put_back(path: Path) -> None:
    """What `cp` and `mv` do with a backup."""
    backup = path.with_name("backup.db")
    back_up(str(path), backup)
    backup.rename(path)


def delete_log(path: Path) -> None:
    beside(path, "-wal").unlink()


def delete_map(path: Path) -> None:
    beside(path, "-shm").unlink()


def delete_both(path: Path) -> None:
    delete_log(path)
    delete_map(path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


#: What is done to the files, and what the master says of it.
HARMS: list[tuple[Callable[[Path], None], str]] = [
    (delete, "its file was deleted"),
    (delete_all, "its file was deleted"),
    (move, "its file was moved to {folder}/moved.db"),
    (move_folder, "its file was moved to {root}/elsewhere/search.db"),
    (replace, "its file was replaced by another"),
    (put_back, "its file was replaced by another"),
    (delete_log, "its write-ahead log {folder}/search.db-wal was deleted"),
    (delete_map, "the map of its write-ahead log, {folder}/search.db-shm, was deleted"),
    (delete_both, "its write-ahead log {folder}/search.db-wal was deleted"),
    (empty, "its file was emptied"),
]
any_harm = pytest.mark.parametrize(("harm", "told"), HARMS, ids=[harm.__name__ for harm, _ in HARMS])


def where_it_is_now(said: str) -> Path:
    """The file that has what a master held, as its last line says it."""
    words = said.replace(";", " ").split()
    if "the file;" in said:
        return Path(words[words.index("database") + 1].rstrip(":"))
    return Path(
        next(word for word in words if word.endswith("/moved.db") or "/elsewhere/" in word or "-rescued-" in word)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "search.db"


@pytest.fixture
def cluster(tmp_path: Path, path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, str(path), lease_ttl_s=20.0)
    yield cluster
    cluster.close()


def names_in(path: Path) -> list[str]:
    reader = Reader(str(path), from_outside=True)
    with closing(reader):
        return [experiment.name for experiment in reader.list_experiments()[0]]


@any_harm
def test_nothing_that_is_written_to_lost_files_is_acknowledged_or_read(
    path: Path, harm: Callable[[Path], None], told: str
) -> None:
    ledger = Ledger.open(str(path), holder="me")
    reader = Reader(str(path), files=ledger.files)
    with closing(ledger), closing(reader), closing(ledger.renewal()) as renewal:
        ledger.commit(created())
        renewal.renew()
        assert len(reader.list_experiments()[0]) == 1
        harm(path)
        told = told.format(folder=path.parent, root=path.parent.parent)
        for call in (
            lambda: ledger.commit(Changes()),
            renewal.renew,
            renewal.look,
            reader.list_experiments,
            ledger.load,
        ):
            with pytest.raises(DatabaseLost, match="under its master, which stops") as error:
                call()
            assert told in str(error.value)


@any_harm
def test_a_master_whose_files_are_lost_ends_though_nobody_asks_it_anything_and_says_where_its_content_is(
    cluster: Cluster, path: Path, tmp_path: Path, harm: Callable[[Path], None], told: str
) -> None:
    master = cluster.master()
    with Client(cluster.address) as client:
        client.submit(toy_spec(tmp_path / "checkpoints", name="kept"))
    harm(path)
    assert master.popen.wait(30) == 1
    wait_for("its last words", lambda: "Error" in master.lines[-1])
    assert [line for line in master.lines if line.startswith("Error")] == master.lines[-1:]
    assert told.format(folder=path.parent, root=tmp_path) in master.lines[-1]
    assert any(" ERROR " in line and "under its master, which stops" in line for line in master.lines)
    assert names_in(where_it_is_now(master.lines[-1])) == ["kept"]
    if harm in (replace, put_back):
        assert check_database(str(path)).violations == []
        assert names_in(path) == (["kept"] if harm is put_back else []), "nothing of the log got into the other file"


def acknowledged(acknowledgement_log: Path) -> Counter[tuple[int, int, int]]:
    entries = (
        [json.loads(line) for line in acknowledgement_log.read_text().splitlines()]
        if acknowledgement_log.exists()
        else []
    )
    return Counter((e["trial"], e["token"], e["sequence"]) for e in entries if e["kind"] == "measurement")


def stored(path: Path) -> set[tuple[int, int, int]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return set(connection.execute("SELECT trial_id, token, sequence FROM reports"))


def test_a_search_whose_database_is_deleted_goes_on_from_what_its_master_saved(
    cluster: Cluster, path: Path, tmp_path: Path
) -> None:
    acknowledgement_log = tmp_path / "acknowledged"
    cluster.environment["RUNGMASTER_ACKNOWLEDGED"] = str(acknowledgement_log)
    master = cluster.master()
    cluster.worker("worker", slots=2)
    with Client(cluster.address, timeout=60) as client:
        number = client.submit(toy_spec(tmp_path / "checkpoints", hyperparameters=SLOW)).experiment_id
        wait_for("progress", lambda: len(acknowledged(acknowledgement_log)) >= 10)
        delete_all(path)
        assert master.popen.wait(30) == 1
        wait_for("its last words", lambda: "-rescued-" in master.lines[-1])
        saved = where_it_is_now(master.lines[-1])
        assert set(acknowledged(acknowledgement_log)) <= stored(saved), "of what was acknowledged nothing is lost"
        # Started again by a supervisor that knows of nothing, it does not begin anew.
        again = cluster.start("again", "master", "--listen", cluster.address, "--db", cluster.database)
        assert again.popen.wait(30) == 1
        wait_for("its last words", lambda: f"mv {saved} {path}" in again.lines[-1])
        saved.rename(path)
        cluster.master()
        client.wait(number)
        assert_whole(client, number)
        assert set(reports_of(client, number).values()) == {1}
    assert check_database(str(path)).violations == []


def second(cluster: Cluster, *arguments: str) -> Process:
    address = f"127.0.0.1:{free_port()}"
    return cluster.start("second", "master", "--listen", address, "--db", cluster.database, *arguments)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("harm", [delete, delete_all, replace, delete_both], ids=lambda harm: harm.__name__)
def test_nobody_becomes_the_master_beside_one_that_works_on_what_was_here_before(
    cluster: Cluster, path: Path, harm: Callable[[Path], None]
) -> None:
    first = cluster.master()
    first.popen.send_signal(signal.SIGSTOP)
    harm(path)
    waiting = second(cluster)
    for process in (waiting, second(cluster, "--take-over")):
        process.wait_for_line(f"waiting: {BEFORE} owns the database (term 1)")
    cluster.processes[-1].kill()
    # Whoever reads meanwhile is told the truth, and leaves no trace.
    if path.exists():
        copy = path.with_name("copy.db")
        for look in (
            lambda: Reader(str(path), from_outside=True),
            lambda: check_database(str(path)),
            lambda: back_up(str(path), copy),
        ):
            with pytest.raises(Unavailable, match="works on files that were deleted, moved or replaced"):
                look()
    first.kill()
    waiting.wait_for_line("ready on")
    assert check_database(str(path)).violations == []


def test_a_master_is_not_followed_because_the_file_of_its_lock_was_deleted(cluster: Cluster, path: Path) -> None:
    first = cluster.master()
    beside(path, "-master").unlink()
    waiting = second(cluster)
    waiting.wait_for_line("waiting: ")
    with closing(Reader(str(path), from_outside=True)) as reader:
        owner = reader.owner()
        assert owner is not None
        assert owner.term == 1
    first.kill()
    waiting.wait_for_line("(term 2)")


def test_masters_of_two_databases_in_one_folder_do_not_mind_each_other(path: Path) -> None:
    opened = [Candidate(str(path.with_name(name)), holder=name, takeover_after_s=60) for name in ("a.db", "b.db")]
    ledgers = [candidate.attempt() for candidate in opened]
    for candidate, ledger in zip(opened, ledgers, strict=True):
        assert isinstance(ledger, Ledger)
        ledger.commit(created())
        ledger.close()
        candidate.close()


def test_a_database_may_be_known_by_a_link_and_is_lost_when_that_leads_elsewhere(path: Path) -> None:
    link, other = path.with_name("link.db"), path.with_name("other.db")
    link.symlink_to(path.name)
    mine, by_name, by_link = (Candidate(str(p), holder="me", takeover_after_s=60) for p in (link, path, link))
    ledger = mine.attempt()
    assert isinstance(ledger, Ledger)
    ledger.commit(created())
    # By the other name it is the same database, whose master lives.
    assert isinstance(by_name.attempt(), MastershipHolder)
    Ledger.open(str(other), holder="other").close()
    link.unlink()
    link.symlink_to(other.name)
    with pytest.raises(DatabaseLost, match="was replaced by another"):
        ledger.commit(Changes())
    found = by_link.attempt()
    assert isinstance(found, MastershipHolder)
    assert found.holder == BEFORE
    ledger.close()
    for candidate in (mine, by_name, by_link):
        candidate.close()
    assert names_in(path) == ["digits"]


class TestDatabaseFiles:
    """What a file system says, and what it means."""

    @pytest.fixture
    def files(self, path: Path) -> Iterator[DatabaseFiles]:
        path.write_bytes(b"content")
        files = DatabaseFiles("search.db", path)
        files.opened()
        yield files
        files.close()

    def test_numbers_that_change_stop_nobody_as_long_as_it_is_the_same_file(
        self, files: DatabaseFiles, path: Path
    ) -> None:
        # As if the file system had said so when it was opened.
        files._files[0].number, files._numbers = (1, 1), [(str(path), (1, 1))]
        files.check()
        assert files._files[0].number == (path.stat().st_dev, path.stat().st_ino)

    def test_a_copy_with_the_same_content_and_times_is_another_file(self, files: DatabaseFiles, path: Path) -> None:
        copy = path.with_name("copy")
        shutil.copy2(path, copy)
        copy.rename(path)
        with pytest.raises(DatabaseLost):
            files.check()

    def test_what_was_lost_stays_lost(self, files: DatabaseFiles, path: Path) -> None:
        away = path.rename(path.with_name("away"))
        with pytest.raises(DatabaseLost):
            files.check()
        away.rename(path)
        with pytest.raises(DatabaseLost):
            files.check()

    def test_a_file_system_that_does_not_answer_proves_nothing(
        self, files: DatabaseFiles, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(path: Path) -> None:
            raise Unavailable(f"{path} cannot be looked at (Input/output error); check the disk")

        with monkeypatch.context() as patched:
            patched.setattr(database_files, "_look", broken)
            patched.setattr(files, "_numbers", [(str(path / "beyond"), (1, 1))])
            with pytest.raises(Unavailable, match="cannot be looked at") as error:
                files.check()
            assert not isinstance(error.value, DatabaseLost)
        files.check()


def test_a_database_that_was_put_back_to_an_earlier_state_under_its_master_ends_it(
    ledger: Ledger, database_url: str
) -> None:
    """Term and id are those of before; what it was last told is not there."""
    with closing(ledger.renewal()) as renewal:
        renewal.renew()
        renewal.renew()
        database = parse_database(database_url)
        engine = writing_engine(database, 5)
        with transaction(engine, database) as connection:
            connection.execute(text("UPDATE renewals SET renew_time = renew_time - 2"))
        engine.dispose()
        with pytest.raises(DatabaseLost, match="put back to an earlier state"):
            renewal.renew()


@pytest.mark.parametrize("change", ["UPDATE mastership SET database_id = 'another'", "DROP TABLE mastership"])
def test_a_database_that_is_another_one_by_its_tables_ends_its_master(
    ledger: Ledger, database_url: str, change: str
) -> None:
    ledger.commit(created())
    database = parse_database(database_url)
    engine = writing_engine(database, 5)
    with transaction(engine, database) as connection:
        connection.execute(text(change))
    engine.dispose()
    with closing(ledger.renewal()) as renewal:
        for call in (lambda: ledger.commit(Changes(new_events=[event("late")])), ledger.load, renewal.renew):
            with pytest.raises(DatabaseLost, match="under it"):
                call()


def drop_schema(server: PostgresqlServer, name: str) -> None:
    server.execute("DROP SCHEMA public CASCADE", name)
    server.execute("CREATE SCHEMA public", name)


def drop_database(server: PostgresqlServer, name: str) -> None:
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.execute(f"CREATE DATABASE {name}")


@pytest.mark.postgresql
@pytest.mark.parametrize("harm", [drop_schema, drop_database], ids=lambda harm: harm.__name__)
def test_a_master_whose_postgresql_database_was_made_anew_ends_and_says_why(
    postgresql_server: PostgresqlServer, postgresql_url: str, tmp_path: Path, harm: Callable[..., None]
) -> None:
    cluster = Cluster(tmp_path, postgresql_url)
    try:
        master = cluster.master()
        harm(postgresql_server, urlsplit(postgresql_url).path.removeprefix("/"))
        assert master.popen.wait(30) == 1
        wait_for("its last words", lambda: master.lines[-1].startswith("Error"))
        assert "under its master, which stops" in master.lines[-1]
        assert "Traceback" not in "\n".join(master.lines)
        cluster.start("next", "master", "--listen", cluster.address, "--db", postgresql_url).wait_for_line("(term 1)")
    finally:
        cluster.close()


@pytest.mark.postgresql
def test_a_master_of_the_same_term_in_a_database_made_anew_is_not_taken_for_oneself(
    postgresql_server: PostgresqlServer, postgresql_url: str
) -> None:
    first, late = (Candidate(postgresql_url, holder=name, takeover_after_s=60) for name in ("first", "late"))
    ledger = first.attempt()
    assert isinstance(ledger, Ledger)
    drop_schema(postgresql_server, urlsplit(postgresql_url).path.removeprefix("/"))
    found = late.attempt()
    assert isinstance(found, MastershipHolder)
    assert found.holder == BEFORE
    # One that does not ask becomes its master.
    with closing(Ledger.open(postgresql_url, holder="careless")) as careless:
        assert careless.term == ledger.term
        with pytest.raises(DatabaseLost, match="was replaced by another one"):
            ledger.commit(created())
    ledger.close()
    following = wait_for("its turn", lambda: found if isinstance(found := late.attempt(), Ledger) else None)
    assert following.term == 2
    following.close()
    for candidate in (first, late):
        candidate.close()


def test_what_is_left_of_a_deleted_databases_log_does_not_get_into_a_backup_that_is_restored(
    cluster: Cluster, path: Path, tmp_path: Path
) -> None:
    master = cluster.master()
    with Client(cluster.address) as client:
        client.submit(toy_spec(tmp_path / "checkpoints", name="old"))
        back_up(str(path), tmp_path / "backup.db")
        client.submit(toy_spec(tmp_path / "checkpoints", name="lost"))
    master.kill()
    path.unlink()
    assert beside(path, "-wal").stat().st_size
    restored = command("db", "restore", "--db", str(path), str(tmp_path / "backup.db"))
    assert restored.returncode == 0, restored.stderr
    assert names_in(path) == ["old"]
    assert check_database(str(path)).violations == []


def test_a_saved_database_keeps_another_from_being_begun_in_its_place(path: Path) -> None:
    saved = beside(path, "-rescued-20260101-000000")
    saved.write_bytes(b"")
    with pytest.raises(DatabaseError, match=f"mv {saved} {path}"):
        Ledger.open(str(path), holder="me")
    saved.unlink()
    Ledger.open(str(path), holder="me").close()
