"""One writer at a time: the term that only grows, and what happens to a master whose term is over."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.engine import parse_database, transaction, writing_engine
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.errors import MastershipLost, Unavailable

from .ledger_rows import created, event, report


def test_each_master_takes_a_larger_term(open_ledger: Callable[[], Ledger]) -> None:
    assert [open_ledger().term for _ in range(3)] == [1, 2, 3]


def test_masters_that_open_a_new_database_at_once_all_get_a_term_of_their_own(database_url: str) -> None:
    def term(number: int) -> int:
        ledger = Ledger.open(database_url, holder=f"master-{number}", timeout_s=30)
        ledger.close()
        return ledger.term

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(term, range(8))) == list(range(1, 9))


def test_a_master_whose_term_is_over_writes_nothing(open_ledger: Callable[[], Ledger], database_url: str) -> None:
    old = open_ledger()
    old.commit(created())
    new = open_ledger()
    with pytest.raises(MastershipLost, match=r"term 1 is over.*master-2 with term 2"):
        old.commit(Changes(new_reports=[report(0, 1)], new_events=[event("stale")]))
    reader = Reader(database_url)
    assert [entry.kind for entry in reader.events_after(1, 0, 10)] == ["experiment_created"]
    assert reader.list_reports(1, 0) == ([], "")
    new.commit(Changes(new_reports=[report(0, 1)]))
    reader.close()


def test_a_master_whose_term_is_over_reads_nothing_either(open_ledger: Callable[[], Ledger]) -> None:
    old = open_ledger()
    open_ledger()
    for call in (old.load, lambda: old.hparams([(1, 1)]), lambda: old.commit(Changes()), old.unneeded_checkpoints):
        with pytest.raises(MastershipLost):
            call()


def test_nobody_takes_over_between_a_masters_check_and_its_commit(ledger: Ledger, database_url: str) -> None:
    """Otherwise a batch of the old master could land after the new one has read the database."""
    database = parse_database(database_url)
    rival = writing_engine(database, 0.3)

    def take_over() -> None:
        with transaction(rival, database) as connection:
            connection.execute(text("UPDATE mastership SET term = term + 1"))

    with ledger._transaction(), pytest.raises(Unavailable, match="lock for too long"):
        take_over()
    take_over()
    with pytest.raises(MastershipLost):
        ledger.commit(Changes())
    rival.dispose()


def test_it_never_gets_its_turn_back(open_ledger: Callable[[], Ledger]) -> None:
    old, new = open_ledger(), open_ledger()
    new.close()
    for _ in range(2):
        with pytest.raises(MastershipLost):
            old.commit(Changes())


def test_losing_the_mastership_is_no_reason_to_try_again_on_the_same_ledger() -> None:
    # Whoever handles Unavailable by trying again must ask for this one first.
    assert issubclass(MastershipLost, Unavailable)


def test_two_masters_that_both_write_never_mix(open_ledger: Callable[[], Ledger], reader: Reader) -> None:
    """Many batches from two masters: once the second has its term, not one more row of the first appears."""
    old = open_ledger()
    old.commit(created())

    def write(ledger: Ledger, kind: str) -> int:
        done = 0
        try:
            for _ in range(30):
                ledger.commit(Changes(new_events=[event(kind)]))
                done += 1
        except MastershipLost:
            pass
        return done

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(write, old, "old")
        new = open_ledger()
        second = threads.submit(write, new, "new")
    kinds = [entry.kind for entry in reader.events_after(1, 0, 100)][1:]
    assert kinds == ["old"] * first.result() + ["new"] * second.result()
    assert second.result() == 30


@pytest.mark.postgresql
def test_a_sign_of_life_does_not_wait_for_a_transaction_that_holds_the_term(postgresql_url: str) -> None:
    import psycopg

    ledger = Ledger.open(postgresql_url, holder="busy")
    with closing(ledger), closing(ledger.renewal(timeout_s=0.2)) as renewal, psycopg.connect(postgresql_url) as commit:
        before = commit.execute("SELECT renew_time FROM renewals").fetchone()
        # What each commit begins with, and holds until its end.
        commit.execute("SELECT term FROM mastership FOR UPDATE")
        renewal.renew()
        assert commit.execute("SELECT renew_time FROM renewals").fetchone() != before


def test_a_database_keeps_its_id_and_shares_it_with_no_other(open_ledger: Callable[[], Ledger], tmp_path: Path) -> None:
    with closing(Ledger.open(str(tmp_path / "other.db"), holder="me")) as other:
        ids = {open_ledger().database_id, open_ledger().database_id}
        assert len(ids) == 1
        assert ids != {other.database_id}
