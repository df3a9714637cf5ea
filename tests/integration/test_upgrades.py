"""A database that an earlier version made goes on under this one; one from the future is refused.

`databases/schema_0001.sql` was made by a real master of the first schema, killed in the middle of its second search;
`databases/schema_0005.sql` and the checkpoints beside it by one of commit fd8e6c3, killed with a search under
way, another whose ending was, and three that had ended: one thinned, one failed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from e2e.cluster import Cluster, wait_for
from e2e.test_search import assert_whole
from sqlalchemy import Connection, create_engine, inspect, text

from rungmaster.client import Client
from rungmaster.master.ledger.engine import parse_database, transaction, writing_engine
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.queries.acts import ActFilter
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import DatabaseError
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.positions import ReportPosition

DATABASES = Path(__file__).parent / "databases"


def old_database(path: Path, revision: str = "0001") -> Path:
    """A database as it was when it had that schema."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DATABASES / f"schema_{revision}.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode=WAL")
    return path


def old_postgresql(url: str, folder: Path, revision: str = "0001") -> None:
    """The same rows in PostgreSQL, in tables that the migrations up to that one made there."""
    from alembic import command

    from rungmaster.master.ledger.schema.migrate import config_for

    engine = create_engine(parse_database(url).url)
    with engine.begin() as connection, closing(sqlite3.connect(old_database(folder / "old.db", revision))) as source:
        command.upgrade(config_for(connection), revision)
        for table in inspect(connection).get_table_names():
            if table != "alembic_version":
                connection.execute(text(f"DELETE FROM {table}"))
                _copy_rows(source, connection, table)
        connection.execute(text("SELECT setval('events_event_id_seq', (SELECT max(event_id) FROM events))"))
    engine.dispose()


def _copy_rows(source: sqlite3.Connection, target: Connection, table: str) -> None:
    kinds = {column["name"]: column["type"] for column in inspect(target).get_columns(table)}
    booleans = {name for name, kind in kinds.items() if "BOOL" in str(kind)}
    cursor = source.execute(f"SELECT {', '.join(kinds)} FROM {table}")
    for row in cursor.fetchall():
        values = {name: bool(value) if name in booleans else value for name, value in zip(kinds, row, strict=True)}
        names = ", ".join(f":{name}" for name in kinds)
        target.execute(text(f"INSERT INTO {table} ({', '.join(kinds)}) VALUES ({names})"), values)


@pytest.fixture(params=["0001", "0002", "0003", "0007", "0011"])
def revision(request: pytest.FixtureRequest) -> str:
    """The schema of an old database."""
    return request.param


@pytest.fixture
def old_url(database_url: str, tmp_path: Path, revision: str) -> str:
    """An old database of each kind and each schema before this one."""
    from alembic import command

    from rungmaster.master.ledger.schema.migrate import config_for

    if database_url.startswith("sqlite"):
        old_database(parse_database(database_url).path)
    else:
        old_postgresql(database_url, tmp_path)
    database = parse_database(database_url)
    engine = writing_engine(database, 5)
    with transaction(engine, database) as connection:
        command.upgrade(config_for(connection), revision)
    engine.dispose()
    return database_url


@pytest.fixture
def cluster(old_url: str, tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, old_url, lease_ttl_s=2.0)
    yield cluster
    cluster.close()


def test_a_search_that_an_older_version_began_goes_on_to_its_end(cluster: Cluster) -> None:
    cluster.master()
    cluster.start("worker", "worker", "--master", cluster.address, "--slots", "2")
    with Client(cluster.address) as client:
        streamed = list(client.watch_reports(2))
        assert client.wait(2).state.ended
        assert [report.position for report in streamed] == sorted({report.position for report in streamed})
        assert (streamed[0].commit_id, streamed[-1].commit_id > 0) == (0, True), "what was stored before comes first"
        assert len(streamed) == sum(len(list(client.metrics(2, trial.trial_id))) for trial in client.trials(2))
        assert_whole(client, 1)
        assert_whole(client, 2)
        assert client.master_info().term == 2
        assert client.thin(1).thinning is not None
        client.delete(2)
        with closing(Reader(cluster.database)) as reader:
            wait_for("the end of the upkeep", lambda: not reader.open_thinnings() and not reader.open_deletions())
    assert check_database(cluster.database).violations == []


def test_a_database_and_checkpoints_of_the_fifth_schema_go_on_to_their_end(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if database_url.startswith("sqlite"):
        old_database(parse_database(database_url).path, "0005")
    else:
        old_postgresql(database_url, tmp_path, "0005")
    for place, content in json.loads((DATABASES / "checkpoints_0005.json").read_text(encoding="utf-8")).items():
        path = tmp_path / "checkpoints" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    with closing(Cluster(tmp_path, database_url, lease_ttl_s=2.0)) as cluster, Client(cluster.address) as client:
        cluster.master()
        before = {trial.trial_id: trial.resource for trial in client.trials(5) if trial.state is TrialState.PAUSED}
        cluster.worker("three", slots=4)
        assert client.wait(5).state is ExperimentState.COMPLETED
        assert_whole(client, 5)
        epochs = [map(int, line.split()) for line in (tmp_path / "epochs.log").read_text().splitlines()]
        again = [(trial, epoch) for trial, epoch in epochs if epoch <= before.get(trial, 0)]
        assert {1, 3} <= set(before.values())
        assert again == [], "what a checkpoint of then has is not trained again"
        wait_for("the end of the cancelled one", lambda: client.get(4).trial_counts[TrialState.CANCELLED] == 5)
        states = [client.get(number).state.value for number in (1, 2, 3, 4)]
        assert states == ["completed", "completed", "failed", "cancelled"]
        assert len(list(client.trials(3, states=[TrialState.FAILED]))) == 3
        model = tmp_path / "model"
        client.fetch_checkpoint(1, to=model)
        assert json.loads((model / "state.json").read_text()) == {"epochs": 9}
        assert client.master_info().term == 3
        client.thin(5)
        client.delete(4)
        with closing(Reader(cluster.database)) as reader:
            wait_for("the end of the upkeep", lambda: not reader.open_thinnings() and not reader.open_deletions())
    assert check_database(database_url).violations == []


def test_the_rows_are_those_of_before(old_url: str) -> None:
    Ledger.open(old_url, holder="new").close()
    with closing(Reader(old_url)) as reader:
        experiments = reader.list_experiments()[0]
        assert [experiment.name for experiment in experiments] == ["toy", "done"]
        assert [experiment.owner_known_by for experiment in experiments] == ["", ""], "only admins may steer them"
        assert reader.list_acts(ActFilter()) == ([], ""), "of what was done before nobody knows who did it"
        best = reader.get_experiment(1).best_trial
        assert best is not None
        assert (best.trial_id, best.metric_resource) == (2, 9)
        for trial in reader.list_trials(1)[0]:
            reports = reader.list_reports(1, trial.trial_id)[0]
            results = [(report.metrics["error"], report.resource) for report in reports]
            assert (trial.best_metric, trial.best_resource) == min(results), "read from the reports"
            assert trial.origin == "random"
        assert len(reader.list_reports(1, 2)[0]) == 9
        streamed = reader.reported(1, ReportPosition(), 1_000)[0]
        trials = reader.list_trials(1)[0]
        by_trial = [report for trial in trials for report in reader.list_reports(1, trial.trial_id)[0]]
        assert streamed == by_trial, "of their order nothing is known, so they come trial by trial"
        kinds = [[event.kind for event in reader.events_after(number, 0, 10_000)] for number in (1, 2)]
        assert [each.count("rules_changed") for each in kinds] == [0, 1], "only what has not ended goes on by new rules"
    assert check_database(old_url).violations == []


def test_hyperparameters_of_what_began_before_are_drawn_by_the_rules_of_then(old_url: str) -> None:
    with closing(Ledger.open(old_url, holder="new")) as ledger:
        assert [stored_rows.row.draw_rules for stored_rows in ledger.load().experiments] == [1]


def test_a_check_does_not_touch_an_older_database(old_url: str, revision: str) -> None:
    with pytest.raises(DatabaseError, match=f"older schema revision {revision}; a master of this version brings it up"):
        check_database(old_url)


def test_a_database_from_the_future_is_refused_by_every_command(sqlite_url: str, tmp_path: Path) -> None:
    Ledger.open(sqlite_url, holder="me").close()
    path = parse_database(sqlite_url).path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    cluster = Cluster(tmp_path, sqlite_url)
    for arguments in (("master", "--listen", "127.0.0.1:0"), ("db", "check")):
        process = cluster.start("command", *arguments, "--db", str(path))
        assert process.popen.wait(30) == 1
        process.wait_for_line("schema revision 9999, which this version of Rungmaster does not know")
    cluster.close()
