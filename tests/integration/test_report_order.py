"""Reports have one order, that of the commits that stored them, and can be read from any of them on."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from sqlalchemy import text

from rungmaster.master.experiment.changes import Changes, ReportRow, ThinningRow
from rungmaster.master.experiment.life.retention import Span
from rungmaster.master.ledger.engine import parse_database
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.errors import InvalidInput, NotFound
from rungmaster.shared.wire.model import Report
from rungmaster.shared.wire.positions import ReportPosition

from .ledger_rows import START, created, report
from .query_plans import sqlite_steps

Key = tuple[int, int, int]
BEGIN = ReportPosition()


def key(row: ReportRow | Report) -> Key:
    return row.trial_id, row.token, row.sequence


def pages(reader: Reader, limit: int, after: ReportPosition = BEGIN, number: int = 1) -> Iterator[Report]:
    """All reports of an experiment after a position, a page at a time."""
    while found := reader.reported(number, after, limit)[0]:
        assert len(found) <= limit
        yield from found
        after = found[-1].position


def batches(seed: int) -> list[list[ReportRow]]:
    """What ten commits store of two experiments: interleaved reports of a few trials, under one lease or the next."""
    rng, next_of, told = random.Random(seed), dict[tuple[int, int, int], int](), list[list[ReportRow]]()
    for _ in range(10):
        rows = []
        for _ in range(rng.randint(1, 12)):
            lease = (rng.randint(1, 2), rng.randint(0, 3), rng.randint(1, 2))
            next_of[lease] = next_of.get(lease, 0) + 1
            rows.append(report(lease[1], next_of[lease], lease[2], lease[0]))
        told.append(rows)
    return told


def stored(ledger: Ledger, told: list[list[ReportRow]]) -> dict[int, list[Key]]:
    """Commits each batch; the order in which each experiment's reports have to come."""
    expected: dict[int, list[Key]] = {1: [], 2: []}
    for rows in told:
        ledger.commit(Changes(new_reports=rows))
        for number, order in expected.items():
            order += sorted(key(row) for row in rows if row.experiment_id == number)
    return expected


@pytest.mark.parametrize("seed", range(4))
def test_reports_come_in_the_order_of_their_commits_each_once_from_wherever_one_goes_on(
    ledger: Ledger, reader: Reader, seed: int
) -> None:
    ledger.commit(created(1, trials=4))
    ledger.commit(created(2, trials=4))
    for number, order in stored(ledger, batches(seed)).items():
        whole = list(pages(reader, 1000, number=number))
        assert list(map(key, whole)) == order
        for limit in (1, 2, 3, 7):
            assert list(pages(reader, limit, number=number)) == whole
        for n, one in enumerate(whole, 1):
            assert list(pages(reader, 5, ReportPosition.parse(str(one.position)), number)) == whole[n:]


def test_the_order_goes_on_under_the_next_master_and_after_a_backup_was_put_back(
    open_ledger: Callable[[], Ledger], reader: Reader
) -> None:
    first = open_ledger()
    first.commit(created())
    first.commit(Changes(new_reports=[report(1, 1)]))
    second = open_ledger()
    second.commit(Changes(new_reports=[report(0, 1)]))
    # As `db restore` does: whatever was stored after the backup was made may be known to whoever watched.
    second.restored(Changes())
    third = open_ledger()
    third.commit(Changes(new_reports=[report(0, 2)]))
    found = list(pages(reader, 10))
    assert list(map(key, found)) == [(1, 1, 1), (0, 1, 1), (0, 1, 2)]
    commits = [one.commit_id for one in found]
    assert commits == sorted(set(commits))
    assert commits[2] - commits[1] > 1_000_000 * (commits[1] - commits[0]) / 2


def test_what_was_not_committed_leaves_a_gap_and_its_number_is_not_used_again(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    ledger.commit(Changes(new_reports=[report(1, 1)]))
    with pytest.raises(Exception, match=r"(?i)unique"):
        ledger.commit(Changes(new_reports=[report(1, 1)]))
    ledger.commit(Changes(new_reports=[report(0, 1)]))
    first, second = pages(reader, 10)
    assert second.commit_id == first.commit_id + 2


def test_positions_stay_good_where_reports_are_thinned_away(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    for n in range(1, 6):
        ledger.commit(Changes(new_reports=[report(trial, n) for trial in (0, 1)]))
    whole = list(pages(reader, 10))
    thinning = ThinningRow(1, 0, 0, 0, START, None)
    ledger.commit(Changes(new_thinnings=[thinning]))
    assert ledger.thin(thinning, [Span(0, 1, 2, 4), Span(1, 1, 1, 3)], 2, finished=True)
    kept = [one for one in whole if (one.trial_id, one.sequence) in {(0, 1), (0, 5), (1, 4), (1, 5)}]
    for one in whole:
        assert list(pages(reader, 2, one.position)) == [other for other in kept if other.position > one.position]


def test_what_an_older_version_stored_comes_first_trial_by_trial(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    for n in (1, 2, 3):
        ledger.commit(Changes(new_reports=[report(1, n), report(0, n)]))
    with ledger._transaction() as connection:
        connection.execute(text("UPDATE reports SET commit_id = 0"))
    for n in (4, 5):
        ledger.commit(Changes(new_reports=[report(1, n), report(0, n)]))
    whole = list(pages(reader, 100))
    old = [(trial, 1, n) for trial in (0, 1) for n in (1, 2, 3)]
    assert list(map(key, whole)) == old + [(trial, 1, n) for n in (4, 5) for trial in (0, 1)]
    for n, one in enumerate(whole, 1):
        for limit in (1, 2, 4, 100):
            assert list(pages(reader, limit, one.position)) == whole[n:]


def test_reports_of_no_experiment_are_not_there(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    with pytest.raises(NotFound):
        reader.reported(2, ReportPosition(), 1)


@pytest.mark.parametrize(
    "wrong", ["1", "1.2.3", "1.2.3.4.5", "-1.2.3.4", "a.b.c.d", "1.2.3.99999999999999999999", "1..2.3"]
)
def test_what_is_no_position_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput, match="no position of a report"):
        ReportPosition.parse(wrong)
    assert ReportPosition.parse("") == ReportPosition()


def test_no_page_of_reports_reads_what_is_before_it(sqlite_url: str) -> None:
    """By what SQLite says that it does: it begins in an index at the position, and sorts nothing."""
    with closing(Ledger.open(sqlite_url, holder="me")) as ledger, closing(Reader(sqlite_url)) as reader:
        ledger.commit(created())
        for n in (1, 2):
            ledger.commit(Changes(new_reports=[report(0, n), report(1, n)]))
        with closing(sqlite3.connect(parse_database(sqlite_url).path)) as connection:
            connection.execute("UPDATE reports SET commit_id = 0 WHERE sequence = 1")
            connection.commit()
        first, second, third, _ = pages(reader, 10)
        steps = sqlite_steps(reader._engine)
        for after in (ReportPosition(), first.position, second.position, third.position):
            reader.reported(1, after, 2)
        of_reports = [step for step in steps if "reports" in step or "TEMP" in step]
        assert all("SEARCH reports USING" in step for step in of_reports), of_reports
        assert any("PRIMARY KEY (experiment_id=? AND (trial_id,token,sequence)>(?,?,?))" in step for step in of_reports)
        assert any("experiment_id=? AND (commit_id,trial_id,token,sequence)>(?,?,?,?)" in step for step in of_reports)


def test_a_page_of_reports_is_read_by_the_order_of_commits_on_postgresql(postgresql_url: str) -> None:
    """By its plan: nothing but one commit is sorted, however many reports there are."""
    with closing(Ledger.open(postgresql_url, holder="me")) as ledger, closing(Reader(postgresql_url)) as reader:
        ledger.commit(created())
        for n in range(1, 50):
            rows = [report(trial, n) for trial in range(200)]
            ledger.commit(Changes(new_reports=rows))
        third = list(pages(reader, 3))[2]
        plans = postgresql_plans(reader)
        reader.reported(1, third.position, 10)
        reader.reported(1, ReportPosition(), 10)
        paged = [plan for plan in plans if "LIMIT" in plan.upper() and "Sort Key" in plan]
        assert paged
        assert all("Incremental Sort" in plan and "ix_reports_commit" in plan for plan in paged), paged


def postgresql_plans(reader: Reader) -> list[str]:
    """The plan of every query about reports that the reader executes from now on, as they come."""
    from sqlalchemy import event

    plans: list[str] = []

    def explain(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "FROM reports" in statement:
            other = cursor.connection.cursor()  # pyright: ignore[reportAttributeAccessIssue]
            plans.append("\n".join(row[0] for row in other.execute(f"EXPLAIN {statement}", parameters).fetchall()))

    event.listen(reader._engine, "before_cursor_execute", explain)
    return plans
