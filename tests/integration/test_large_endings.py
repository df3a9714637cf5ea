"""A large experiment that ends while its master is killed: the next one goes on, and the rows are right at any time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster import Cluster, wait_for
from sqlalchemy import text
from sqlalchemy.event import listen

from large_search import Master, Workers
from rungmaster.client import Client
from rungmaster.master.dispatcher.recovered import SessionParameters
from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.dispatcher.upkeep import cleanup
from rungmaster.master.dispatcher.writer import Writer
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.failpoints import EXIT_CODE, VARIABLE
from rungmaster.master.ledger.engine import parse_database, reading_engine, transaction
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import Unavailable
from rungmaster.shared.wire.model import ExperimentState, TrialState

from .ledger_rows import checkpoint, created

WORKERS, ROUNDS = 200, 8


@pytest.fixture
def large(database_url: str) -> str:
    """The database of a search with more than a thousand live trials, 200 of them in training."""
    with closing(Ledger.open(database_url, holder="test")) as ledger:
        master = Master(ledger)
        master.create(max_trials=10_000)
        workers = Workers(master, WORKERS, random.Random(1))
        for _ in range(ROUNDS):
            workers.round()
    return database_url


@pytest.fixture
def cluster(large: str, tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, large, lease_ttl_s=20.0)
    yield cluster
    cluster.close()


def left(database_url: str) -> tuple[str, int, int]:
    """The experiment's state, its trials that have not ended, and the endings that go on."""
    database = parse_database(database_url)
    engine = reading_engine(database, 5)
    with transaction(engine, database) as connection:
        state = connection.scalar(text("SELECT state FROM experiments")) or ""
        live = connection.scalar(text("SELECT count(*) FROM trials WHERE end_time IS NULL")) or 0
        endings = connection.scalar(text("SELECT count(*) FROM endings")) or 0
    engine.dispose()
    return state, live, endings


@pytest.mark.parametrize(
    "place", ["ending.before:exit@2", "ending.after:exit"], ids=["before its second portion", "after its first portion"]
)
def test_a_master_that_is_killed_in_the_middle_of_an_ending_is_followed_by_one_that_goes_on(
    cluster: Cluster, place: str
) -> None:
    cluster.environment[VARIABLE] = place
    armed = cluster.master()
    del cluster.environment[VARIABLE]
    # The answer may be lost with the master.
    with Client(cluster.address, timeout=1) as client, suppress(Unavailable):
        client.cancel(1)
    wait_for("the end in the middle", lambda: armed.popen.poll() is not None)
    assert armed.popen.returncode == EXIT_CODE
    state, live, endings = left(cluster.database)
    assert (state, endings) == ("cancelled", 1)
    assert live > 0
    assert check_database(cluster.database).violations == []
    cluster.master()
    wait_for("the end of the ending", lambda: left(cluster.database) == ("cancelled", 0, 0))
    assert check_database(cluster.database).violations == []


def test_who_waits_for_its_end_is_told_once_its_counts_are_final(cluster: Cluster) -> None:
    cluster.master()
    with Client(cluster.address) as client:
        cancelled = client.cancel(1)
        assert cancelled.state is ExperimentState.CANCELLED
        assert cancelled.ending or sum(cancelled.trial_counts.values()) == cancelled.trial_counts[TrialState.CANCELLED]
        ended = client.wait(1)
        assert not ended.ending
        assert [state for state, count in ended.trial_counts.items() if count and not state.ended] == []
        assert left(cluster.database) == ("cancelled", 0, 0)


class Store(LedgerStore):
    """Fails the second portion of an ending once, before or after it was written."""

    def __init__(self, ledger: Ledger, where: str) -> None:
        super().__init__(ledger)
        self._where = where
        self._portions = 0

    def commit(self, changes: Changes) -> None:
        self._portions += bool(changes.endings)
        fails = bool(changes.endings) and self._portions == 2
        if not (fails and self._where == "before"):
            super().commit(changes)
        if fails:
            raise Unavailable(f"a test, {self._where} the commit")


@pytest.mark.parametrize("where", ["before", "after"])
def test_an_ending_goes_on_after_a_commit_that_failed(large: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "TROUBLE_PAUSE_S", 0.01)

    async def story(ledger: Ledger, thread: ThreadPoolExecutor) -> None:
        writer = Writer(Store(ledger, where), SessionParameters(ledger.term, 20.0, 1.0, "test"), thread)
        await writer.start()
        working = [asyncio.create_task(writer.run()), asyncio.create_task(cleanup.go_on_in_portions(writer))]
        await writer.execute(lambda core, _: core.cancel(1))
        await asyncio.to_thread(wait_for, "the end of the ending", lambda: left(large)[1:] == (0, 0))
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    with ThreadPoolExecutor(1) as thread, closing(Ledger.open(large, holder="test")) as ledger:
        asyncio.run(asyncio.wait_for(story(ledger, thread), 60))
    assert check_database(large).violations == []


@pytest.mark.postgresql
def test_postgresql_finds_each_checkpoint_by_its_uri_in_a_table_that_has_just_been_filled(postgresql_url: str) -> None:
    """Otherwise it goes through all that are needed, for each that is not needed any more."""
    plans: list[str] = []

    def explain(_c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("UPDATE checkpoints"):
            with cursor.connection.cursor() as beside:
                beside.execute(f"EXPLAIN {statement}", parameters[0])
                plans.append("\n".join(row[0] for row in beside.fetchall()))

    with closing(Ledger.open(postgresql_url, holder="test")) as ledger:
        needed = [checkpoint(number, 1) for number in range(10_000)]
        ledger.commit(replace(created(trials=0), new_checkpoints=needed))
        listen(ledger._engine, "before_cursor_execute", explain)
        ledger.commit(Changes(unneeded_checkpoints={row.uri: 1.8e9 for row in needed}))
    assert len(plans) == 1
    assert "ix_checkpoints_uri" in plans[0]
    assert "ix_checkpoints_needed" not in plans[0]
