"""Thinning and deleting over a real master: what stays, what people see, and that neither kill -9 nor time harms it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster import QUALITY, Cluster, Process, toy_spec, wait_for
from sqlalchemy import event as on_event

from rungmaster.client import Client
from rungmaster.master.dispatcher.recovered import SessionParameters
from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.dispatcher.upkeep import retention as upkeep_module
from rungmaster.master.dispatcher.upkeep.retention import Upkeep
from rungmaster.master.dispatcher.writer import Writer
from rungmaster.master.experiment.changes import Changes, ThinningRow
from rungmaster.master.experiment.life.retention import Span
from rungmaster.master.failpoints import EXIT_CODE, VARIABLE
from rungmaster.master.ledger.engine import parse_database
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.ledger.write.retention import ErasurePosition
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import FailedPrecondition, InvalidInput, NotFound
from rungmaster.shared.wire.model import Experiment, Report, TrialState

from .ledger_rows import START, created, experiment, lease, report, result
from .query_plans import sqlite_steps

#: Trials that train for long between their rungs: thinning them takes several steps.
LONG = {"name": "asha", "max_trials": 4, "max_resource": 1600, "divisor": 4}


@pytest.fixture
def cluster(tmp_path: Path, database_url: str) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, database_url, lease_ttl_s=20.0)
    yield cluster
    cluster.close()


def search(cluster: Cluster, client: Client, **changes: object) -> int:
    """An experiment that has ended."""
    number = client.submit(toy_spec(cluster.folder / "checkpoints", **changes)).experiment_id
    client.wait(number)
    return number


def reports_of(client: Client, number: int) -> dict[int, list[Report]]:
    return {trial.trial_id: list(client.metrics(number, trial.trial_id)) for trial in client.trials(number)}


def is_thinned(client: Client, number: int) -> bool:
    thinning = client.get(number).thinning
    return thinning is not None and thinning.end_time is not None


def should_stay(value: Experiment, reports: list[Report], keep_every: int) -> list[Report]:
    """The toy's error falls with every epoch, and it validates at each: it decides exactly where rungs are."""
    rungs = {rung.resource for bracket in value.brackets for rung in bracket.rungs}
    best = min(reports, key=lambda one: one.metrics["error"])
    return [
        one
        for one in reports
        if one.resource in rungs or one in (best, reports[-1]) or (keep_every and one.sequence % keep_every == 0)
    ]


def test_what_decided_stays_with_each_trials_best_and_last(cluster: Cluster) -> None:
    cluster.master()
    cluster.worker("worker", slots=2)
    with Client(cluster.address) as client:
        number = search(cluster, client, searcher={"name": "asha", "max_trials": 9, "max_resource": 27, "divisor": 3})
        whole, before = client.get(number), reports_of(client, number)
        for keep_every in (7, 0):
            assert client.thin(number, keep_every=keep_every).thinning is not None
            wait_for("the end of the thinning", lambda: is_thinned(client, number))
            now = client.get(number)
            stay = {trial: should_stay(whole, reports, keep_every) for trial, reports in before.items()}
            assert reports_of(client, number) == stay
            assert now.thinning is not None
            assert now.thinning.keep_every == keep_every
            assert now.thinning.reports_dropped == sum(map(len, before.values())) - sum(map(len, stay.values()))
            assert (now.best_trial, now.brackets, now.resource_spent, now.state) == (
                (whole.best_trial, whole.brackets, whole.resource_spent, whole.state)
            )
            assert check_database(cluster.database).violations == []
        assert client.thin(number, keep_every=3) == now
        told = [(event.kind, event.data["keep_every"]) for event in client.watch(number) if "thin" in event.kind]
        assert told == [("thinning", 7), ("thinned", 7), ("thinning", 0), ("thinned", 0)]
        assert client.get(search(cluster, client)).thinning is None


def test_what_was_not_thinned_away_is_missed(tmp_path: Path, sqlite_url: str) -> None:
    cluster = Cluster(tmp_path, sqlite_url, lease_ttl_s=20.0)
    cluster.master()
    cluster.worker("worker", slots=2)
    with Client(cluster.address) as client:
        number = search(cluster, client)
        client.thin(number)
        wait_for("the end of the thinning", lambda: is_thinned(client, number))
        dropped = client.get(number).thinning
    cluster.close()
    assert dropped is not None
    with closing(sqlite3.connect(parse_database(sqlite_url).path)) as connection:
        connection.execute("DELETE FROM reports WHERE trial_id = 3")
        gone = connection.total_changes
        connection.commit()
    told = check_database(sqlite_url).violations
    lost = f"{dropped.reports_dropped} reports were thinned away, and {dropped.reports_dropped + gone} are missing"
    assert told == [f"experiment {number}: {lost}"]


def test_only_what_has_ended_can_be_thinned(cluster: Cluster) -> None:
    cluster.master()
    with Client(cluster.address) as client:
        number = client.submit(toy_spec(cluster.folder / "checkpoints")).experiment_id
        with pytest.raises(FailedPrecondition, match="wait for its end, or cancel it first"):
            client.thin(number)
        with pytest.raises(NotFound, match="no experiment 7"):
            client.thin(7)
        client.cancel(number)
        for keep_every in (-1, 1_000_001):
            with pytest.raises(InvalidInput, match="keep_every: must be 0 to 1,000,000"):
                client.thin(number, keep_every=keep_every)
        client.thin(number)
        wait_for("the end of the thinning", lambda: is_thinned(client, number))
        assert check_database(cluster.database).violations == []


def test_people_are_told_that_reports_were_thinned(cluster: Cluster) -> None:
    cluster.master()
    cluster.worker("worker", slots=2)
    with Client(cluster.address) as client:
        number = search(cluster, client, searcher={"name": "asha", "max_trials": 3, "max_resource": 9, "divisor": 3})
        said(cluster, "thin", str(number), "--keep-every", "4")
        wait_for("the end of the thinning", lambda: is_thinned(client, number))
        dropped = client.get(number).thinning
        assert dropped is not None
        line = (
            f"thinned: {dropped.reports_dropped} reports dropped; kept: those that decided, each trial's best and last"
        )
        for arguments in (
            ("status", "1"),
            ("metrics", "1", "0"),
            ("trial", "1", "0"),
            ("thin", "1", "--keep-every", "4"),
        ):
            assert f"{line}, and every 4th" in said(cluster, *arguments)


def said(cluster: Cluster, *arguments: str) -> list[str]:
    """What a command prints."""
    process = cluster.start("command", *arguments, "--master", cluster.address)
    assert process.popen.wait(30) == 0, process.lines
    process.close()
    return process.lines


def test_a_master_thins_by_itself_only_what_it_is_told_to(cluster: Cluster) -> None:
    first = cluster.master()
    cluster.worker("worker", slots=2)
    with Client(cluster.address, timeout=60) as client:
        ended, asked = search(cluster, client), search(cluster, client)
        slow = {"quality": QUALITY, "seconds_per_epoch": 60.0}
        running = client.submit(toy_spec(cluster.folder / "checkpoints", hyperparameters=slow)).experiment_id
        wait_for("a running trial", lambda: client.get(running).trial_counts[TrialState.RUNNING])
        for days in (1, 0):
            first.kill()
            arguments = ("--listen", cluster.address, "--db", cluster.database, "--keep-reports", str(days))
            first = cluster.start("master", "master", *arguments)
            first.wait_for_line("ready on")
            # What the master chooses by itself it has chosen before it does what it was asked to.
            client.thin(asked)
            wait_for("the end of a thinning", lambda days=days: is_thinned(client, asked if days else ended))
            assert (client.get(ended).thinning is None) == bool(days)
        reason = [event.data["reason"] for event in client.watch(ended) if event.kind == "thinning"]
        assert reason == ["it ended more than 0 days ago"]
        assert client.get(running).thinning is None
    assert check_database(cluster.database).violations == []


def armed(cluster: Cluster, failpoint: str) -> Process:
    """A master that will die there."""
    cluster.environment[VARIABLE] = failpoint
    process = cluster.start("armed", "master", "--listen", cluster.address, "--db", cluster.database)
    del cluster.environment[VARIABLE]
    return process


@pytest.mark.timeout(240)
def test_thinning_and_deleting_go_on_after_kill_9_in_the_middle(cluster: Cluster) -> None:
    master = cluster.master()
    worker = cluster.worker("worker", slots=2)
    with Client(cluster.address, timeout=60) as client, closing(Reader(cluster.database)) as reader:
        thinned, deleted = (search(cluster, client, searcher=LONG) for _ in range(2))
        whole, before = client.get(thinned), reports_of(client, thinned)
        for ask in (lambda: client.thin(thinned), lambda: client.delete(deleted)):
            master.kill()
            for failpoint in ("chore.before:exit@2", "chore.before:exit", "chore.after:exit"):
                master = armed(cluster, failpoint)
                if failpoint == "chore.before:exit@2":
                    ask()
                assert master.popen.wait(60) == EXIT_CODE, failpoint
                assert check_database(cluster.database).violations == []
            master = cluster.master()
            wait_for("the end of what was begun", lambda: not reader.open_thinnings() and not reader.open_deletions())
            assert check_database(cluster.database).violations == []
        assert reports_of(client, thinned) == {n: should_stay(whole, own, 0) for n, own in before.items()}
        with pytest.raises(NotFound, match=f"no experiment {deleted}"):
            client.get(deleted)
        assert reader.measured(deleted, "error", (0, -1, -1), 10) == ([], {})
        wait_for("files of the other alone", lambda: len(manifests(cluster, deleted)) == 0)
        assert manifests(cluster, thinned)
        assert worker.popen.poll() is None


def manifests(cluster: Cluster, number: int) -> list[Path]:
    """Checkpoints of an experiment in the store."""
    return list((cluster.folder / "checkpoints").glob(f"*/{number}/**/manifest.json"))


def test_an_experiment_is_gone_at_once_and_its_request_id_is_free(cluster: Cluster) -> None:
    cluster.master()
    with Client(cluster.address) as client:
        spec = toy_spec(cluster.folder / "checkpoints")
        number = client.submit(spec, request_id="again").experiment_id
        client.cancel(number)
        client.delete(number)
        for ask in (client.get, client.delete, client.thin):
            with pytest.raises(NotFound, match=f"no experiment {number}"):
                ask(number)
        assert list(client.list()) == []
        assert client.submit(spec, request_id="again").experiment_id == number + 1


def test_a_step_of_a_thinning_that_was_begun_anew_drops_nothing(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    ledger.commit(Changes(new_leases=[lease(0)], new_reports=[report(0, n) for n in (1, 2, 3)]))
    first = ThinningRow(1, 10, 0, 0, START, None)
    ledger.commit(Changes(new_thinnings=[first]))
    assert ledger.thin(first, [Span(0, 1, 1, 1)], 0, finished=False)
    again = ThinningRow(1, 0, 0, 0, START + 1, None)
    ledger.commit(Changes(new_thinnings=[again]))
    assert not ledger.thin(first, [Span(0, 1, 2, 2)], 1, finished=True)
    assert reader.open_thinnings() == [ThinningRow(1, 0, 1, 0, START + 1, None)]
    assert [one.sequence for one in reader.list_reports(1, 0)[0]] == [2, 3]
    ledger.commit(Changes(deleted_experiments=[1]))
    assert not ledger.thin(again, [Span(0, 1, 2, 2)], 1, finished=True)
    ledger.commit(Changes(new_thinnings=[again]))
    assert reader.open_thinnings() == []


def test_a_step_reads_only_the_results_of_its_own_trials(sqlite_url: str) -> None:
    """Those of a million trials would be read again for each few thousand reports."""
    ledger, reader = Ledger.open(sqlite_url, holder="me"), Reader(sqlite_url)
    batch = created(trials=4)
    batch.new_results = [result(n, 0.5) for n in range(4)]
    batch.new_reports = [report(n, 3) for n in range(4)]
    ledger.commit(batch)
    steps = sqlite_steps(reader._engine)
    found, deciding = reader.measured(1, "loss", (0, 99, 0), 2)
    assert [one.trial_id for one in found] == [1, 2]
    assert deciding == {1: {3}, 2: {3}}
    of_results = [step for step in steps if "rung_results" in step]
    assert of_results
    assert all("trial_id>? AND trial_id<?" in step for step in of_results)
    ledger.close()
    reader.close()


@pytest.mark.postgresql
def test_postgresql_does_not_sort_all_that_is_left_for_each_step(postgresql_url: str) -> None:
    """Not even in a table that has just been filled, of which it knows nothing yet."""
    ledger, reader = Ledger.open(postgresql_url, holder="me"), Reader(postgresql_url)
    for batch in ended(1):
        ledger.commit(batch)
    plans: list[str] = []

    def explain(_c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "ORDER BY" in statement:
            with cursor.connection.cursor() as beside:
                beside.execute(f"EXPLAIN {statement}", parameters)
                plans.append("\n".join(row[0] for row in beside.fetchall()))

    on_event.listen(reader._engine, "before_cursor_execute", explain)
    on_event.listen(ledger._engine, "before_cursor_execute", explain)
    reader.measured(1, "loss", (5, 1, 0), 1000)
    ledger.erase(1, ErasurePosition(0, (5, 1, 0)), 1000)
    assert len(plans) == 2
    assert [plan for plan in plans if "Sort" in plan or "Index" not in plan] == []
    ledger.close()
    reader.close()


def with_upkeep(url: str, work: Callable[[Ledger, Writer, Upkeep], Awaitable[None]]) -> None:
    """Runs it beside a writer, with an upkeep that does its work when it is told to."""

    async def run() -> None:
        with ThreadPoolExecutor(1) as thread, closing(Ledger.open(url, holder="test")) as ledger:
            writer = Writer(LedgerStore(ledger), SessionParameters(ledger.term, 20.0, 1.0, "test"), thread)
            await writer.start()
            writing = asyncio.create_task(writer.run())
            with closing(Reader(url)) as reader:
                await work(ledger, writer, Upkeep(writer, ledger, reader, thread))
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    asyncio.run(run())


def ended(number: int) -> list[Changes]:
    """An experiment of 20 trials with 300 reports each, which takes half a megabyte or more."""
    batch = created(number, trials=20)
    batch.experiments = {number: experiment(number, state="completed", end_time=START)}
    reports = [report(trial, n, experiment_id=number) for trial in range(20) for n in range(1, 301)]
    return [batch, Changes(new_reports=reports)]


def pages(url: str) -> tuple[int, int]:
    """Pages of the file, and those in use."""
    with closing(sqlite3.connect(parse_database(url).path)) as connection:
        count = connection.execute("PRAGMA page_count").fetchone()[0]
        return count, count - connection.execute("PRAGMA freelist_count").fetchone()[0]


@pytest.mark.parametrize("what", ["thin", "delete"])
def test_the_file_stays_bounded_while_experiments_come_and_go(
    sqlite_url: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "ROWS", 1000)
    sizes: list[tuple[int, int]] = []

    async def come_and_go(ledger: Ledger, writer: Writer, upkeep: Upkeep) -> None:
        for number in range(1, 9):
            for batch in ended(number):
                ledger.commit(batch)
            if what == "thin":
                await writer.execute(lambda core, _, number=number: core.thin(number, 0, "a test"))
            else:
                await writer.execute(lambda core, _, number=number: core.delete(number))
            await upkeep.work_off()
            sizes.append(pages(sqlite_url))

    with_upkeep(sqlite_url, come_and_go)
    (first_count, first_used), (last_count, last_used) = sizes[0], sizes[-1]
    an_experiment = first_count - first_used
    assert an_experiment > 50
    grown = 3 if what == "thin" else 0.2
    assert last_used - first_used <= 7 * grown, sizes
    assert last_count - first_count <= 7 * grown + 5, sizes


def test_what_cannot_be_thinned_keeps_no_other_experiment_from_being_thinned(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def thin_both(ledger: Ledger, writer: Writer, upkeep: Upkeep) -> None:
        for number in (1, 2):
            for batch in ended(number):
                ledger.commit(batch)
            await writer.execute(lambda core, _, number=number: core.thin(number, 0, "a test"))
        with closing(sqlite3.connect(parse_database(sqlite_url).path)) as connection, connection:
            connection.execute("UPDATE reports SET metrics = '{' WHERE experiment_id = 1 AND trial_id = 3")
        for _ in range(3):
            await upkeep.work_off()

    with_upkeep(sqlite_url, thin_both)
    with closing(Reader(sqlite_url)) as reader:
        assert [thinning.experiment_id for thinning in reader.open_thinnings()] == [1]
    told = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.getMessage() for record in told] == ["thinning experiment 1 failed"]
