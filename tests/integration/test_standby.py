"""A second master on the same database: it waits, takes over when the first ends or hangs, and the first is done."""

from __future__ import annotations

import itertools
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from e2e.cluster import QUALITY, Cluster, Process, free_port, toy_spec, wait_for
from e2e.test_search import assert_whole, reports_of, trained

from rungmaster.client import Client
from rungmaster.master.failpoints import VARIABLE
from rungmaster.master.ledger import ledger as ledger_module
from rungmaster.master.ledger.engine import parse_database, reading_engine, transaction
from rungmaster.master.ledger.leadership import candidate as candidate_module
from rungmaster.master.ledger.leadership.candidate import Candidate, Silence
from rungmaster.master.ledger.leadership.mastership import MastershipHolder, read_owner
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.shared.errors import DatabaseError, MastershipLost, Unavailable

from .locks import locked

MakeCandidate = Callable[[str], Candidate]


class Pair:
    """Two masters' addresses on one database."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.other = f"127.0.0.1:{free_port()}"

    @property
    def addresses(self) -> str:
        return f"{self.cluster.address},{self.other}"

    def second(self, *arguments: str) -> Process:
        return self.cluster.start("second", "master", "--listen", self.other, "--db", self.cluster.database, *arguments)

    def standby(self, *arguments: str) -> Process:
        process = self.second("--takeover-after", "4", *arguments)
        process.wait_for_line("rungmaster master waiting: ")
        return process


@pytest.fixture
def pair(tmp_path: Path, database_url: str) -> Iterator[Pair]:
    cluster = Cluster(tmp_path, database_url, lease_ttl_s=20.0)
    yield Pair(cluster)
    cluster.close()


@pytest.fixture
def sqlite_pair(tmp_path: Path, sqlite_url: str) -> Iterator[Pair]:
    """For what has nothing to do with the kind of database."""
    cluster = Cluster(tmp_path, sqlite_url)
    yield Pair(cluster)
    cluster.close()


@pytest.fixture
def make_candidate(database_url: str) -> Iterator[MakeCandidate]:
    made: list[Candidate] = []

    def make(holder: str) -> Candidate:
        made.append(Candidate(database_url, holder=holder, takeover_after_s=60.0))
        return made[-1]

    yield make
    for candidate in made:
        candidate.close()


def hang(master: Process, database: str) -> None:
    """SIGSTOP, but not in the middle of a transaction: on SQLite nobody writes before its holder wakes up then."""

    def stopped_between_transactions() -> bool:
        master.popen.send_signal(signal.SIGSTOP)
        if not database.startswith("sqlite"):
            return True
        try:
            with closing(sqlite3.connect(database.removeprefix("sqlite:///"), timeout=0)) as connection:
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            master.popen.send_signal(signal.SIGCONT)
            return False
        return True

    wait_for("a moment between two transactions", stopped_between_transactions)


def test_a_search_goes_on_at_the_standby_when_the_master_is_killed(pair: Pair, tmp_path: Path) -> None:
    first = pair.cluster.master()
    standby = pair.standby()
    pair.cluster.start("worker", "worker", "--master", pair.addresses, "--slots", "2")
    with Client(pair.addresses, timeout=60) as client:
        hparams = {"quality": QUALITY, "seconds_per_epoch": 0.05}
        experiment_id = client.submit(toy_spec(tmp_path / "checkpoints", hyperparameters=hparams)).experiment_id
        wait_for("progress", lambda: client.get(experiment_id).resource_spent >= 12)
        seen = reports_of(client, experiment_id)
        first.kill()
        killed = time.monotonic()
        standby.wait_for_line(f"ready on {pair.other} (term 2)", 10)
        assert time.monotonic() - killed < 10
        assert seen <= reports_of(client, experiment_id)
        client.wait(experiment_id)
        assert_whole(client, experiment_id)
        assert set(reports_of(client, experiment_id).values()) == {1}
        assert reports_of(client, experiment_id) == trained(pair.cluster)
        assert client.master_info().term == 2


def test_a_master_whose_recovery_takes_longer_than_a_standby_waits_is_not_replaced(pair: Pair) -> None:
    pair.cluster.environment[VARIABLE] = "recover.before:delay=8"
    first = pair.cluster.start("master", "master", "--listen", pair.cluster.address, "--db", pair.cluster.database)
    del pair.cluster.environment[VARIABLE]
    wait_for("its term", lambda: _term(pair.cluster.database) == 1)
    standby = pair.standby()
    first.wait_for_line("(term 1)")
    assert standby.popen.poll() is None
    assert _term(pair.cluster.database) == 1


def _term(database_url: str) -> int:
    database = parse_database(database_url)
    if database.kind == "sqlite" and not database.path.exists():
        return 0
    engine = reading_engine(database, 5)
    try:
        with transaction(engine, database) as connection:
            owner = read_owner(connection)
    finally:
        engine.dispose()
    return owner.term if owner else 0


def test_a_master_that_hangs_is_replaced_and_can_do_nothing_when_it_wakes_up(pair: Pair, tmp_path: Path) -> None:
    first = pair.cluster.master()
    with Client(pair.addresses, timeout=60) as client:
        hparams = {"quality": QUALITY, "seconds_per_epoch": 0.2}
        experiment_id = client.submit(toy_spec(tmp_path / "checkpoints", hyperparameters=hparams)).experiment_id
        standby = pair.standby()
        pair.cluster.start("worker", "worker", "--master", pair.addresses, "--slots", "2")
        wait_for("progress", lambda: client.get(experiment_id).resource_spent >= 3)
        hang(first, pair.cluster.database)
        standby.wait_for_line("(term 2)", 30)
        with Client(pair.other) as after:
            stood = after.get(experiment_id).resource_spent
            wait_for("the worker at the other master", lambda: after.get(experiment_id).resource_spent > stood)
            first.popen.send_signal(signal.SIGCONT)
            assert first.popen.wait(30) == 1
            assert [line for line in first.lines if line.startswith("Error")] == first.lines[-1:]
            assert "term 1 is over" in first.lines[-1]
            after.wait(experiment_id)
            assert_whole(after, experiment_id)
            assert reports_of(after, experiment_id) == trained(pair.cluster)
            assert after.master_info().term == 2


@contextmanager
def sending_rows(url: str) -> Iterator[None]:
    """A session that holds the row of the term, and is in the middle of a COPY."""
    with (
        suppress(psycopg.OperationalError),
        psycopg.connect(url, application_name="rungmaster") as stopped,
        stopped.cursor() as cursor,
    ):
        cursor.execute("SELECT term FROM mastership FOR UPDATE")
        with cursor.copy("COPY reports FROM STDIN"):
            yield


def test_a_master_that_was_stopped_while_it_sent_rows_keeps_no_successor_waiting(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "OPEN_TIMEOUT_S", 1.0)
    Ledger.open(postgresql_url, holder="stopped").close()
    candidate = Candidate(postgresql_url, holder="successor", takeover_after_s=60.0, at_once=True)
    with sending_rows(postgresql_url):
        ledger = candidate.attempt()
        assert isinstance(ledger, Ledger)
        assert ledger.term == 2
        ledger.close()
    candidate.close()


def test_a_standby_is_told_to_end_and_ends(sqlite_pair: Pair) -> None:
    sqlite_pair.cluster.master()
    assert sqlite_pair.standby().terminate() == 0


def test_the_standby_of_a_master_that_is_told_to_end_follows_at_once(sqlite_pair: Pair) -> None:
    first = sqlite_pair.cluster.master()
    standby = sqlite_pair.standby("--takeover-after", "600")
    assert first.terminate() == 0
    standby.wait_for_line("(term 2)", 10)


def test_where_waiting_is_not_wanted_a_second_master_says_who_owns_the_database(sqlite_pair: Pair) -> None:
    sqlite_pair.cluster.master()
    second = sqlite_pair.second("--no-standby")
    assert second.popen.wait(30) == 1
    wait_for("its error", lambda: second.lines and "owns the database (term 1)" in second.lines[-1])


def test_a_master_can_be_taken_over_from_at_once_even_at_its_own_address(sqlite_pair: Pair) -> None:
    first = sqlite_pair.cluster.master()
    sqlite_pair.other = sqlite_pair.cluster.address
    second = sqlite_pair.second("--take-over")
    second.wait_for_line(f"ready on {sqlite_pair.cluster.address} (term 2)")
    assert first.popen.wait(10) == 1


def test_an_address_that_is_not_this_machines_is_refused_before_waiting(sqlite_pair: Pair) -> None:
    sqlite_pair.cluster.master()
    sqlite_pair.other = "192.0.2.1:50051"
    second = sqlite_pair.second("--insecure")
    assert second.popen.wait(30) == 2
    wait_for("its error", lambda: second.lines and "cannot listen there" in second.lines[-1])


def elected(candidate: Candidate) -> Ledger:
    """Its ledger, once the server has noticed that the session of the master before is over."""

    def attempt() -> Ledger | None:
        found = candidate.attempt()
        return found if isinstance(found, Ledger) else None

    return wait_for("the lock of the term", attempt, 10)


def test_the_first_of_several_candidates_wins_and_the_others_wait_for_it(make_candidate: MakeCandidate) -> None:
    ledger = make_candidate("one").attempt()
    assert isinstance(ledger, Ledger)
    # In one process nobody is kept away by a lock of SQLite's kind, so that the term has to decide.
    late = make_candidate("two")
    ledger.close()
    following = elected(late)
    assert following.term == 2
    with closing(ledger.renewal()) as renewal, pytest.raises(MastershipLost):
        renewal.renew()
    ledger.close()
    following.close()


class HeldElsewhere:
    """The lock of a term whose master is another process, which one process cannot have two of on SQLite."""

    def take(self, term: int) -> bool:
        return term != 1

    def announce(self, term: int, database_id: str) -> None: ...

    def withdraw(self) -> None: ...

    def elsewhere(self, term: int | None = None, database_id: str = "") -> int | None: ...

    def release(self, term: int) -> None: ...

    def keep(self) -> None: ...

    def close(self) -> None: ...


def test_a_master_that_a_lock_keeps_silent_is_not_taken_for_one_that_hangs(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidate_module, "LOCK_PATIENCE_S", {"sqlite": 0.0, "postgresql": 0.2})
    monkeypatch.setattr(candidate_module, "term_lock", lambda _: HeldElsewhere())
    times = itertools.count(0.0, 2.0)
    master = Ledger.open(database_url, holder="one")
    standby = Candidate(database_url, holder="two", takeover_after_s=10.0, now=lambda: next(times))

    def look() -> str:
        try:
            found = standby.attempt()
        except Unavailable:
            return "Unavailable"
        if isinstance(found, Ledger):
            found.close()
        return type(found).__name__

    with closing(master), closing(standby):
        with locked(database_url):
            while_locked = [look() for _ in range(12)]
        afterwards = [look() for _ in range(6)]
    assert while_locked == [*["MastershipHolder"] * 5, "Unavailable"] * 2
    assert afterwards == [*["MastershipHolder"] * 5, "Ledger"]


@pytest.mark.postgresql
def test_a_broken_connection_costs_a_live_master_nothing(postgresql_url: str) -> None:
    import psycopg

    one = Candidate(postgresql_url, holder="one", takeover_after_s=60)
    ledger = one.attempt()
    assert isinstance(ledger, Ledger)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with closing(ledger.renewal()) as renewal:
        renewal.renew()
    two = Candidate(postgresql_url, holder="two", takeover_after_s=60)
    owner = two.attempt()
    assert isinstance(owner, MastershipHolder)
    assert (owner.term, owner.holder) == (1, "one")
    ledger.close()
    elected(two).close()
    one.close()
    two.close()


def test_a_standby_of_an_older_version_refuses_a_newer_database(
    make_candidate: MakeCandidate, database_url: str
) -> None:
    from sqlalchemy import text

    from rungmaster.master.ledger.engine import parse_database, writing_engine

    ledger = make_candidate("one").attempt()
    assert isinstance(ledger, Ledger)
    engine = writing_engine(parse_database(database_url), 5)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(DatabaseError, match="a newer version made it"):
        make_candidate("two").attempt()
    ledger.close()


class TestSilence:
    """Told by hand what time it is."""

    def looks(self, *looks: tuple[float, float]) -> list[bool]:
        """For each (time, sign of life): whether ten seconds of silence are over."""
        times = iter([time for time, _ in looks])
        silence = Silence(10.0, lambda: next(times))
        return [silence.too_long(MastershipHolder(1, "one", sign)) for _, sign in looks]

    def test_no_change_for_long_enough_is_silence(self) -> None:
        assert self.looks((0, 5), (4, 5), (8, 5), (10, 5)) == [False, False, False, True]

    def test_any_change_is_a_sign_of_life_even_where_the_clock_went_back(self) -> None:
        assert self.looks((0, 5), (4, 5), (8, 3), (12, 3), (16, 3), (18, 3)) == [False] * 5 + [True]

    def test_time_in_which_nobody_looked_does_not_count(self) -> None:
        assert self.looks((0, 5), (100, 5), (104, 5), (108, 5), (110, 5)) == [False] * 4 + [True]
