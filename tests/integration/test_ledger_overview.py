"""A database in numbers, on SQLite and PostgreSQL: what a scrape of the master's metrics reads."""

from __future__ import annotations

from contextlib import closing

from rungmaster.master.experiment.changes import Changes, EventRow
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.queries.overview import ExperimentTotals
from rungmaster.master.ledger.read.reader import Reader

from .ledger_rows import START, created, event, experiment
from .query_plans import sqlite_steps


def ended(outcome: str, error: str = "") -> EventRow:
    return EventRow(1, 0, START, "lease_ended", {"token": 1, "worker": 'a "b"', "outcome": outcome, "error": error})


def test_experiments_that_go_on_are_told_one_by_one_and_all_by_state(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(trials=3))
    searching = experiment(2, counts={"running": 3, "pending": 2}, resource_spent=6)
    others = [experiment(3, state="completed"), experiment(4, state="failed"), experiment(5, state="paused")]
    ledger.commit(Changes(new_experiments=[searching, *others]))
    found = reader.overview(0)
    assert found.experiments == {"active": 2, "completed": 1, "failed": 1, "paused": 1}
    assert [each.experiment_id for each in found.unfinished] == [5, 2, 1]
    assert found.unfinished[1] == ExperimentTotals(2, "digits", {"running": 3, "pending": 2}, 6)


def test_the_journal_is_counted_by_what_happened_from_where_the_last_look_ended(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(
        Changes(new_events=[event("trial_created"), ended("expired"), ended("failed", '"outcome":"expired"')])
    )
    ledger.commit(Changes(new_events=[EventRow(1, 0, START, "decision", {"action": "pause", "rank": 1})]))
    found = reader.overview(0)
    leases = {("lease_ended", "expired"): 1, ("lease_ended", "failed"): 1}
    assert found.events == leases | {("decision", "pause"): 1, ("trial_created", ""): 1}
    assert reader.last_event_id() == found.last_event_id
    again = reader.overview(found.last_event_id)
    assert (again.events, again.last_event_id) == ({}, found.last_event_id)


def test_an_empty_database_has_nothing_to_tell(reader: Reader) -> None:
    found = reader.overview(reader.last_event_id())
    assert (found.experiments, found.unfinished, found.events, found.last_event_id) == ({}, (), {}, 0)


def test_what_was_counted_of_the_journal_is_not_read_again(sqlite_url: str) -> None:
    with closing(Ledger.open(sqlite_url, holder="master")), closing(Reader(sqlite_url)) as reader:
        steps = sqlite_steps(reader._engine)
        reader.overview(7)
    assert "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)" in steps
    assert not [step for step in steps if step.startswith("SCAN events")]
