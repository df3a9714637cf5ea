"""A database is read without a master, beside one, and leads to the one that runs on it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from e2e.cluster import Cluster, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.client.local.database import DatabaseClient
from rungmaster.master.ledger.engine import parse_database
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.read_only import ReadOnly
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.errors import DatabaseError, FailedPrecondition, NotFound, Unavailable

from .ledger_rows import created
from .secure_cluster import ADMIN, SecureCluster
from .test_upgrades import old_database


def filled(url: str) -> str:
    """A database with an unfinished experiment, and no master."""
    ledger = Ledger.open(url, holder="me")
    ledger.commit(created())
    ledger.close()
    return url


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a database of the usual name in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNGMASTER_MASTER", raising=False)
    filled("rungmaster.db")
    return tmp_path


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A master on the usual database in the current folder, with an experiment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNGMASTER_MASTER", raising=False)
    cluster = started(Cluster(tmp_path, "rungmaster.db"))
    yield cluster
    cluster.close()


def started(cluster: Cluster) -> Cluster:
    """A cluster whose master serves, and has an experiment."""
    cluster.master()
    with Client(cluster.address) as client:
        client.submit(toy_spec(cluster.folder))
    return cluster


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_database_without_a_master_is_read(database_url: str) -> None:
    with DatabaseClient(filled(database_url)) as client:
        assert client.owner is None
        (listed,) = client.list()
        assert client.get(listed.experiment_id).name == "digits"
        assert [trial.trial_id for trial in client.trials(listed.experiment_id)] == [0, 1]


def test_an_error_brings_the_numbers_of_what_it_speaks_of_over_the_wire(folder: Path) -> None:
    with DatabaseClient() as client:
        with pytest.raises(NotFound) as no_experiment:
            client.get(99)
        assert no_experiment.value.ids == {"experiment_id": 99}
        with pytest.raises(NotFound) as no_trial:
            client.trial(1, 77)
        assert no_trial.value.ids == {"experiment_id": 1, "trial_id": 77}


def test_reading_makes_changes_and_leaves_nothing(folder: Path) -> None:
    before = files(folder)
    with DatabaseClient() as client:
        client.get(1)
        assert files(folder) == before
    assert files(folder) == before


def test_what_needs_a_master_is_refused_where_a_database_is_read(folder: Path) -> None:
    before = files(folder)
    with DatabaseClient() as client:
        for steer in (client.pause, client.cancel):
            with pytest.raises(FailedPrecondition, match=r"rungmaster.db is only read here: this needs a master"):
                steer(1)
        with pytest.raises(FailedPrecondition, match="only read here"):
            client.workers()
    assert files(folder) == before


@pytest.mark.parametrize("map_can_be_made", [True, False])
def test_everything_is_read_that_a_killed_master_left_in_its_log(tmp_path: Path, map_can_be_made: bool) -> None:
    """Without the map of the log, as after kill -9 and a copy, and on a file system that takes no map."""
    ledger = Ledger.open(str(tmp_path / "live.db"), holder="me")
    ledger.commit(created())
    for end in ("", "-wal"):
        shutil.copyfile(tmp_path / f"live.db{end}", tmp_path / f"left.db{end}")
    ledger.close()
    if not map_can_be_made:
        (tmp_path / "left.db-shm").mkdir()
    log = (tmp_path / "left.db-wal").read_bytes()
    with DatabaseClient(tmp_path / "left.db") as client:
        assert client.get(1).name == "digits"
    assert (tmp_path / "left.db-wal").read_bytes() == log


def test_what_a_master_writes_meanwhile_is_read_beside_it(folder: Path) -> None:
    ledger = Ledger.open("rungmaster.db", holder="me")
    with DatabaseClient() as client:
        assert [experiment.experiment_id for experiment in client.list()] == [1]
        ledger.commit(created(2))
        assert [experiment.experiment_id for experiment in client.list()] == [2, 1]
    ledger.close()


def test_a_file_that_changes_while_nobody_had_it_open_is_read_again(folder: Path) -> None:
    source = ReadOnly(parse_database("rungmaster.db"), 5)
    with source.unchanged():
        pass
    with pytest.raises(Unavailable, match="a master was started while it was read"), source.unchanged():
        Ledger.open("rungmaster.db", holder="me").close()
    source.engine.dispose()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.db", None, "there is no such file"),
        ("empty.db", b"", "the file is empty"),
        ("text.db", b"not a database at all, but a text" * 100, "is not an SQLite database"),
        ("short.db", b"abc", "is not an SQLite database"),
        (".", None, "Is a directory"),
    ],
)
def test_what_is_no_database_is_told_in_a_line(folder: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DatabaseError, match=f"^database {name}: .*{words}"):
        DatabaseClient(name)


def test_a_database_of_another_program_is_told(folder: Path) -> None:
    with closing(sqlite3.connect("other.db")) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    with pytest.raises(DatabaseError, match=r"other.db has no tables of Rungmaster"):
        DatabaseClient("other.db")


def test_a_database_that_was_damaged_is_told_in_its_own_words(folder: Path) -> None:
    with closing(sqlite3.connect("rungmaster.db")) as connection:
        connection.execute("DROP TABLE rungs")
    with DatabaseClient() as client, pytest.raises(DatabaseError, match=r"^database rungmaster.db refused a statement"):
        client.get(1)


def test_an_older_database_is_told_and_left_as_it_is(folder: Path) -> None:
    old = old_database(folder / "old.db")
    before = old.read_bytes()
    with pytest.raises(
        DatabaseError, match="older schema revision 0001; a master of this version brings it up to date"
    ):
        DatabaseClient(old)
    assert old.read_bytes() == before


def test_the_process_that_reads_ends_with_the_one_that_asked(folder: Path) -> None:
    program = (
        "import time; from rungmaster.client.local.database import DatabaseClient\n"
        "client = DatabaseClient(); print(client.get(1).name, flush=True); time.sleep(600)"
    )
    asking = subprocess.Popen([sys.executable, "-P", "-c", program], stdout=subprocess.PIPE, text=True)
    assert asking.stdout is not None
    assert asking.stdout.readline() == "digits\n"
    (reading,) = psutil.Process(asking.pid).children()
    asking.kill()
    asking.communicate()
    wait_for("the end of the reading process", lambda: not reading.is_running())


def test_a_database_leads_to_the_master_that_runs_on_it(database_url: str, tmp_path: Path) -> None:
    cluster = started(Cluster(tmp_path, database_url))
    with DatabaseClient(database_url) as reading, reading.master() as client:
        assert reading.owner is not None
        assert reading.owner.address == cluster.address
        assert client.pause(1).state == "paused"
        assert reading.get(1).state == "paused"
    cluster.processes[0].kill()
    with DatabaseClient(database_url) as reading:
        assert reading.owner is None
    cluster.close()


def test_a_copy_does_not_lead_to_the_master_of_the_original(cluster: Cluster) -> None:
    with closing(sqlite3.connect("rungmaster.db")) as source, closing(sqlite3.connect("copy.db")) as target:
        source.backup(target)
    with DatabaseClient("copy.db") as reading, pytest.raises(Unavailable, match=r"no master runs on copy.db"):
        reading.master()


def test_another_master_at_the_address_is_not_taken_for_the_one_of_the_database(cluster: Cluster) -> None:
    """As where the database is asked from another machine, on which the address leads elsewhere."""
    with closing(sqlite3.connect("rungmaster.db")) as connection:
        connection.execute("UPDATE mastership SET holder = 'somebody'")
        connection.commit()
    with DatabaseClient() as reading, pytest.raises(Unavailable, match="where another one answers"):
        reading.master()


def test_commands_find_the_database_of_their_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["status"]) == 0
    shown = capsys.readouterr()
    assert "experiment 1 (digits) active" in shown.out
    assert "no master runs on rungmaster.db, so nothing goes on in it" in shown.err
    assert execute(["trials", "1"]) == 0
    assert execute(["trial", "1", "0", "--db", str(folder / "rungmaster.db")]) == 0
    assert execute(["metrics", "1", "0"]) == 0
    assert execute(["list", "--json"]) == 0
    assert execute(["watch"]) == 0
    assert execute(["watch", "--events"]) == 0


def test_a_database_without_experiments_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Ledger.open("new.db", holder="me").close()
    assert execute(["best", "--db", "new.db"]) == 2
    assert capsys.readouterr().err == "Error: new.db has no experiments yet\n"


def test_steering_without_a_master_says_where_it_looked_and_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["pause", "1"], ["cancel", "1", "--db", "rungmaster.db"], ["workers"]):
        assert execute(command) == 1
        words = capsys.readouterr().err
        assert words.startswith("Error: no master runs on rungmaster.db, and this needs one: ")
        assert "--master HOST:PORT" in words
    (folder / "rungmaster.db").unlink()
    assert execute(["status", "--timeout", "0.1"]) == 1
    assert "nor is there a rungmaster.db in this folder" in capsys.readouterr().err


def test_steering_finds_the_master_through_the_database(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["pause", "1"]) == 0
    assert execute(["workers", "--db", "rungmaster.db"]) == 0
    assert "term 1" in capsys.readouterr().out
    assert execute(["cancel", "--db", "rungmaster.db"]) == 0
    with closing(Reader("rungmaster.db")) as reader:
        assert reader.get_experiment(1).state == "cancelled"


def test_a_master_and_a_database_are_not_both_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["status", "--master", "127.0.0.1:1", "--db", "rungmaster.db"]) == 2
    assert "--master and --db" in capsys.readouterr().err


def test_a_named_database_counts_more_than_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNGMASTER_MASTER", "127.0.0.1:1")
    assert execute(["status", "--db", "rungmaster.db"]) == 0
    assert execute(["status", "--timeout", "0.1"]) == 1
    assert "127.0.0.1:1" in capsys.readouterr().err


def test_a_master_with_tokens_that_was_found_asks_for_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = SecureCluster(tmp_path)
    cluster.secure_master()
    with Client(cluster.address, credentials=cluster.credentials(ADMIN)) as client:
        client.submit(toy_spec(tmp_path))
    database, shown = ["--db", cluster.database], cluster.options(ADMIN)[2:]
    assert execute(["pause", "1", *database]) == 1
    assert "speaks TLS" in capsys.readouterr().err
    assert execute(["pause", "1", *database, *shown[:2]]) == 1
    assert "asks for a token" in capsys.readouterr().err
    assert execute(["pause", "1", *database, *shown]) == 0
    assert execute(["status", "1", *database]) == 0
    cluster.close()
