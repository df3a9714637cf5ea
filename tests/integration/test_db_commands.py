"""`rungmaster db`: check finds what is wrong and nothing else; backup and restore lose and repeat nothing."""

from __future__ import annotations

import json
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from e2e.cluster import QUALITY, Cluster, toy_spec, wait_for
from e2e.test_search import assert_whole, reports_of
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from rungmaster.client import Client
from rungmaster.master.experiment.checking.audit import TOKEN_STEP
from rungmaster.master.ledger.files.backup import EXPERIMENT_STEP, TERM_STEP, back_up
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import DatabaseError

SLOW = {"quality": QUALITY, "seconds_per_epoch": 0.05}

THIRD = "experiment_id = 1 AND trial_id = 3"
#: What somebody does to the first search's rows, and what has to be said of it.
DAMAGE = [
    ("UPDATE experiments SET resource_spent = 7 WHERE experiment_id = 1", "resource_spent is 7"),
    ("UPDATE experiments SET counts = '{}' WHERE experiment_id = 1", "its counts say {}"),
    ("UPDATE experiments SET state = 'active' WHERE experiment_id = 1", "it is active with end_time"),
    ("UPDATE experiments SET spec = '{}' WHERE experiment_id = 1", "its spec is refused"),
    ("UPDATE brackets SET trials_created = 3 WHERE experiment_id = 1", "counts 3 and may have"),
    ("UPDATE rungs SET resource = 4 WHERE experiment_id = 1 AND resource = 3", "its rungs are"),
    ("UPDATE rungs SET entered = entered + 1 WHERE experiment_id = 1 AND rung_id = 0", "of bracket 0 counts"),
    ("UPDATE rungs SET best_metric = -1.0 WHERE experiment_id = 1 AND rung_id = 1", "best metric"),
    (f"UPDATE trials SET metric = 0.5 WHERE {THIRD}", "trial 3 says"),
    (f"UPDATE trials SET token = token + 1 WHERE {THIRD}", "trial 3 has token"),
    (f"UPDATE trials SET state = 'running' WHERE {THIRD}", "trial 3 is running without a lease"),
    (f"UPDATE trials SET end_time = NULL WHERE {THIRD}", "with end_time None"),
    (f"DELETE FROM trials WHERE {THIRD}", "trial 3, which does not exist"),
    (f"DELETE FROM leases WHERE {THIRD} AND token = 1", "lease 1 of trial 3, which does not exist"),
    (f"UPDATE leases SET end_time = NULL WHERE {THIRD} AND token = 1", "leases of its trials [3] are held"),
    (f"UPDATE leases SET last_sequence = 9 WHERE {THIRD} AND token = 1", "ended released with last_sequence 9"),
    (f"UPDATE leases SET outcome = 'odd' WHERE {THIRD} AND token = 1", "unknown outcome 'odd'"),
    (f"DELETE FROM reports WHERE {THIRD} AND token = 1 AND sequence = 1", "with sequence numbers from 2"),
    (f"UPDATE reports SET sequence = 2 WHERE {THIRD} AND sequence = 1", "both a report's and a checkpoint's"),
    (f"UPDATE reports SET experiment_id = 77 WHERE {THIRD}", "table reports has rows of experiments"),
    (f"UPDATE rung_results SET metric = metric + 1 WHERE {THIRD}", "its journal tells"),
    (f"UPDATE rung_results SET promoted = NOT promoted WHERE {THIRD}", "promoted, its journal tells otherwise"),
    (f"DELETE FROM rung_results WHERE {THIRD} AND rung_id = 0", "by its journal, and is not stored there"),
    (
        "UPDATE events SET data = replace(data, '\"pause\"', '\"stop\"') WHERE kind = 'decision'",
        "the searcher decides SearchDecision(",
    ),
    (f"DELETE FROM events WHERE {THIRD} AND kind = 'trial_created'", "its journal has"),
    (f"UPDATE checkpoints SET deleted = 1, delete_time = NULL WHERE {THIRD}", "are gone, and it is needed"),
    ("DELETE FROM mastership", "the mastership table has 0 rows"),
]


def rungmaster(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one search that has ended, and a half-done one that holds leases."""
    folder = tmp_path_factory.mktemp("searched")
    cluster = Cluster(folder, str(folder / "search.db"), lease_ttl_s=20.0)
    cluster.master()
    worker = cluster.worker("worker", slots=2)
    with Client(cluster.address) as client:
        client.wait(client.submit(toy_spec(folder / "checkpoints")).experiment_id)
        second = client.submit(toy_spec(folder / "checkpoints", hyperparameters=SLOW)).experiment_id
        wait_for("progress", lambda: client.get(second).resource_spent >= 12)
        worker.kill()
    cluster.close()
    return folder / "search.db"


@pytest.fixture
def database(searched: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    path = tmp_path / "copy.db"
    with closing(sqlite3.connect(searched)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    return path


def change(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute(statement).rowcount > 0, "the statement changes nothing"
        connection.commit()


class TestCheck:
    def test_a_sound_database_is_whole(self, searched: Path) -> None:
        checked = rungmaster("db", "check", "--db", str(searched))
        assert checked.returncode == 0, checked.stdout
        assert checked.stdout.startswith(f"{searched}: whole (2 experiments, ")
        document = json.loads(rungmaster("db", "check", "--json", "--db", str(searched)).stdout)
        assert document["violations"] == []
        assert document["experiments"] == 2

    @pytest.mark.parametrize(("statement", "violation"), DAMAGE)
    def test_what_is_wrong_is_found(self, database: Path, statement: str, violation: str) -> None:
        change(database, statement)
        assert violation in "\n".join(check_database(str(database)).violations)

    def test_each_violation_is_a_line_and_the_last_line_counts_them(self, database: Path) -> None:
        change(database, "UPDATE experiments SET resource_full = 7")
        checked = rungmaster("db", "check", "--db", str(database))
        assert checked.returncode == 1
        *lines, last = checked.stdout.splitlines()
        assert [line.split(",")[0] for line in lines] == [f"experiment {n}: resource_full is 7" for n in (1, 2)]
        assert last.startswith(f"{database}: 2 violations (2 experiments, ")

    def test_a_database_that_is_not_there_is_no_database(self, tmp_path: Path) -> None:
        checked = rungmaster("db", "check", "--db", str(tmp_path / "none.db"))
        assert (checked.returncode, checked.stdout) == (1, "")
        assert "there is no such file" in checked.stderr
        assert not (tmp_path / "none.db").exists()


@pytest.fixture
def cluster(tmp_path: Path, sqlite_url: str) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, sqlite_url, lease_ttl_s=5.0)
    yield cluster
    cluster.close()


def test_check_and_backup_run_beside_a_busy_master(cluster: Cluster, tmp_path: Path) -> None:
    cluster.master()
    cluster.worker("worker", slots=2)
    with Client(cluster.address) as client:
        experiment_id = client.submit(toy_spec(tmp_path / "checkpoints", hyperparameters=SLOW)).experiment_id
        wait_for("progress", lambda: client.get(experiment_id).resource_spent >= 3)
        for number in range(5):
            copy = tmp_path / f"copy-{number}.db"
            assert check_database(cluster.database).violations == []
            back_up(cluster.database, copy)
            assert check_database(str(copy)).violations == []
        again = rungmaster("db", "backup", "--db", cluster.database, str(tmp_path / "copy-0.db"))
        assert again.returncode == 2
        assert "exists already" in again.stderr


def test_nothing_is_taken_for_restored_where_there_is_nothing(database_url: str) -> None:
    """After a pg_restore that failed, say."""
    refused = rungmaster("db", "restore", "--db", database_url)
    assert refused.returncode == 2
    assert "has no tables of Rungmaster yet: " in refused.stderr
    with pytest.raises(DatabaseError):
        check_database(database_url)


def test_a_restored_backup_goes_on_and_gives_no_number_again(cluster: Cluster, tmp_path: Path) -> None:
    """The worker has gone on since: it holds leases, and knows a term, of a time that is undone."""
    master = cluster.master()
    cluster.worker("worker", slots=2)
    path, backup = Path(cluster.database.removeprefix("sqlite:///")), tmp_path / "backup.db"
    with Client(cluster.address, timeout=60) as client:
        experiment_id = client.submit(toy_spec(tmp_path / "checkpoints", hyperparameters=SLOW)).experiment_id
        wait_for("progress", lambda: client.get(experiment_id).resource_spent >= 8)
        assert rungmaster("db", "backup", "--db", cluster.database, str(backup)).returncode == 0
        lost = client.submit(toy_spec(tmp_path / "checkpoints", name="lost")).experiment_id
        wait_for("more progress", lambda: client.get(experiment_id).resource_spent >= 16)
        refused = rungmaster("db", "restore", "--db", cluster.database)
        assert (refused.returncode, "end that master first" in refused.stderr) == (1, True)
        master.kill()
        refused = rungmaster("db", "restore", "--db", cluster.database, str(backup))
        assert (refused.returncode, "exists already" in refused.stderr) == (2, True)
        for left in path.parent.glob(path.name + "*"):
            left.unlink()
        restored = rungmaster("db", "restore", "--db", cluster.database, str(backup))
        assert restored.returncode == 0, restored.stderr
        assert check_database(cluster.database).violations == []
        cluster.master()
        client.wait(experiment_id)
        assert_whole(client, experiment_id)
        assert reports_of(client, experiment_id)
        assert client.master_info().term > TERM_STEP
        details = [client.trial(experiment_id, trial.trial_id) for trial in client.trials(experiment_id)]
        assert max(lease.token for trial in details for lease in trial.leases) > TOKEN_STEP
        new = client.submit(toy_spec(tmp_path / "checkpoints", name="new")).experiment_id
        assert new > lost + EXPERIMENT_STEP - 2
        client.wait(new)
    assert check_database(cluster.database).violations == []


def test_a_database_is_compacted_only_without_its_master(cluster: Cluster, tmp_path: Path) -> None:
    master = cluster.master()
    path = Path(cluster.database.removeprefix("sqlite:///"))
    with Client(cluster.address, timeout=60) as client:
        number = client.submit(toy_spec(tmp_path / "checkpoints")).experiment_id
        refused = rungmaster("db", "compact", "--db", cluster.database)
        assert (refused.returncode, "end that master first" in refused.stderr) == (1, True)
        master.terminate()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE large AS SELECT randomblob(5000000) AS content")
            connection.execute("DROP TABLE large")
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = path.stat().st_size
        compacted = rungmaster("db", "compact", "--db", cluster.database)
        assert compacted.returncode == 0, compacted.stderr
        after = path.stat().st_size
        assert after < before - 4_900_000
        assert compacted.stdout == f"{path} has {after:,} bytes now, {before - after:,} less\n"
        assert check_database(cluster.database).violations == []
        cluster.master()
        assert client.get(number).state.value == "active"


@pytest.mark.postgresql
def test_for_postgresql_compact_names_what_does_it(postgresql_url: str) -> None:
    advice = rungmaster("db", "compact", "--db", postgresql_url)
    assert (advice.returncode, "VACUUM FULL" in advice.stderr) == (2, True)


@pytest.mark.postgresql
def test_for_postgresql_backup_names_the_right_tool_with_the_whole_address(postgresql_url: str, tmp_path: Path) -> None:
    url = (
        make_url(postgresql_url)
        .set(username="me", password="p+w")
        .update_query_dict(
            {"sslmode": "prefer", "port": "6543", "application_name": "one two+", "sslpassword": "s3cret"}
        )
    )
    advice = rungmaster("db", "backup", "--db", url.render_as_string(hide_password=False), str(tmp_path / "copy"))
    assert advice.returncode == 2
    tool, *options, address = shlex.split(advice.stderr.rpartition("master: ")[2])
    assert (tool, options) == ("pg_dump", ["--format=custom", f"--file={tmp_path / 'copy'}"])
    read = conninfo_to_dict(address)
    assert read == {**conninfo_to_dict(postgresql_url), "user": "me", "sslmode": "prefer", "port": "6543"} | {
        "application_name": "one two+"
    }


def test_a_damaged_file_is_not_backed_up_silently(database: Path, tmp_path: Path) -> None:
    with database.open("r+b") as file:
        file.seek(8192)
        file.write(b"\0" * 16384)
    backed_up = rungmaster("db", "backup", "--db", str(database), str(tmp_path / "backup.db"))
    assert backed_up.returncode == 1
    assert "damaged" in backed_up.stderr
    assert list(tmp_path.glob("backup.db*")) == []
