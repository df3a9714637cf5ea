"""Sweeping over a real database and a real store: what nothing can need goes, and nothing else does."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rungmaster.master.cli.db import command
from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.recovered import SessionParameters
from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.dispatcher.upkeep import sweeps
from rungmaster.master.dispatcher.upkeep.sweeps import Sweeper, in_database
from rungmaster.master.dispatcher.writer import Writer
from rungmaster.master.experiment.changes import Changes, ExperimentRow
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.checkpoints.leftovers import logged_experiments, remove_logs
from rungmaster.shared.checkpoints.storage import address_in
from rungmaster.shared.errors import Unavailable
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import (
    CheckpointSaved,
    FailedDeletion,
    Found,
    Hello,
    SessionRequest,
    SessionResponse,
    Swept,
)
from rungmaster.worker.checkpoints.remote_saves import BegunSave
from rungmaster.worker.checkpoints.store import CheckpointStore

from .ledger_rows import START, checkpoint, created, event, experiment, lease, trial, worker
from .worker_harness import until

DAY = 86_400.0
GONE, KNOWN, HELD, FRESH = "lost lease", "known", "held", "fresh"


class Store:
    """A store of checkpoints that were saved under all kinds of leases."""

    def __init__(self, folder: Path, database_id: str) -> None:
        self.folder, self.storage = folder, str(folder / "store")
        self.database_id = database_id
        self._trained = folder / "trained"
        self._trained.mkdir()
        (self._trained / "model.bin").write_bytes(b"weights")
        self.saved: dict[str, str] = {}

    def save(self, what: str, trial: int, token: int, experiment: int = 1, age: float = 2 * DAY) -> CheckpointSaved:
        """Saves one as a worker does, so long ago."""
        lease = LeaseRef(experiment, trial, token)
        saved = CheckpointStore(self.folder).save(self.storage, self.database_id, lease, 3, BegunSave(self._trained))
        folder, then = Path(self.storage, saved.path), time.time() - age
        for path in [folder, *folder.rglob("*")]:
            os.utime(path, (then, then))
        self.saved[what] = saved.path
        return saved

    def left(self) -> set[str]:
        """Which of them are still there."""
        return {what for what, path in self.saved.items() if Path(self.storage, path).exists()}


def saving_to(storage: str, number: int = 1) -> ExperimentRow:
    """An experiment that keeps its checkpoints there."""
    row = experiment(number)
    assert isinstance(row.spec, dict)
    return experiment(number, spec={**row.spec, "checkpoints": {"storage": storage}})


@pytest.fixture
def store(tmp_path: Path, ledger: Ledger) -> Store:
    """One checkpoint of each kind, in a database that knows some of them."""
    store = Store(tmp_path, ledger.database_id)
    batch = created(1)
    batch.new_experiments = [saving_to(store.storage)]
    batch.new_trials = [trial(0, token=2), trial(1, token=1)]
    batch.new_leases = [
        lease(0, 1, end_time=START + 1, outcome="expired"),
        lease(0, 2, end_time=START + 2, outcome="released"),
        lease(1, 1),
    ]
    saved = store.save(KNOWN, 0, 2)
    batch.new_checkpoints = [checkpoint(0, 1, token=2, uri=address_in(store.storage, saved.path))]
    for what, number, token, age in ((GONE, 0, 1, 2 * DAY), (HELD, 1, 1, 2 * DAY), (FRESH, 0, 1, 60.0)):
        store.save(what, number, token, age=age)
    ledger.commit(batch)
    return store


def swept(store: Store, url: str, *arguments: str) -> tuple[int, str]:
    """The exit code and the output of `rungmaster db sweep`."""
    options = ["sweep", "--db", url, "--directory", str(store.folder), *arguments]
    result = CliRunner().invoke(command, options, standalone_mode=False, catch_exceptions=False)
    return result.return_value, result.output


def test_the_orphans_go_and_nothing_that_is_known_held_or_fresh(store: Store, database_url: str) -> None:
    code, output = swept(store, database_url)
    assert code == 0
    assert store.left() == {KNOWN, HELD, FRESH}
    assert "1 checkpoint and the logs of 0 experiments are deleted" in output


def test_a_dry_run_lists_what_would_go_and_deletes_nothing(store: Store, database_url: str) -> None:
    code, output = swept(store, database_url, "--dry-run", "--json")
    assert code == 0
    (listed,) = json.loads(output)["checkpoints"]
    assert listed["uri"] == address_in(store.storage, store.saved[GONE])
    assert store.left() == {GONE, KNOWN, HELD, FRESH}


def test_people_choose_how_old_is_old_enough(store: Store, database_url: str) -> None:
    swept(store, database_url, "--older-than", "0")
    assert store.left() == {KNOWN, HELD}


def test_a_checkpoint_is_known_by_whatever_address_its_experiment_has_it(
    store: Store, ledger: Ledger, database_url: str
) -> None:
    """Two specs may name one folder in two ways, relative and not."""
    batch = created(2)
    batch.new_experiments = [saving_to("store", 2)]
    ledger.commit(batch)
    assert swept(store, database_url)[0] == 0
    assert store.left() == {KNOWN, HELD, FRESH}


def test_what_was_deleted_by_the_ledger_and_is_there_even_so_goes(
    store: Store, ledger: Ledger, database_url: str
) -> None:
    """As when the store's folder was empty for a while, since its disk was not mounted."""
    ledger.commit(Changes(unneeded_checkpoints={store.saved[KNOWN]: START}))
    swept(store, database_url)
    assert KNOWN in store.left(), "this one is still to be deleted by the master"
    ledger.commit(Changes(deleted_checkpoints=[address_in(store.storage, store.saved[KNOWN])]))
    swept(store, database_url)
    assert store.left() == {HELD, FRESH}


def test_of_what_the_database_never_heard_nothing_goes(store: Store, database_url: str) -> None:
    """It may be an old copy of the one that goes on."""
    ahead = {"later token": (0, 3, 1), "later trial": (9, 1, 1), "later experiment": (0, 1, 9)}
    for what, (number, token, experiment_id) in ahead.items():
        store.save(what, number, token, experiment_id)
    swept(store, database_url)
    assert store.left() == {KNOWN, HELD, FRESH, *ahead}


def test_what_is_left_of_a_deleted_experiment_goes_with_its_logs(
    store: Store, ledger: Ledger, database_url: str
) -> None:
    for number in (2, 3):
        ledger.commit(created(number))
        store.save(f"of experiment {number}", 0, 1, number)
        (store.folder / "logs" / store.database_id / str(number)).mkdir(parents=True)
    (store.folder / "logs" / "feedfeedfeedfeed" / "2").mkdir(parents=True)
    ledger.commit(Changes(deleted_experiments=[2], new_events=[event("experiment_deleted", 2)]))
    _, output = swept(store, database_url, "--logs", str(store.folder / "logs"))
    assert "logs of experiment 2, which was deleted" in output
    assert store.left() == {KNOWN, HELD, FRESH, "of experiment 3"}
    assert logged_experiments(store.folder / "logs", store.database_id) == (3,)
    assert logged_experiments(store.folder / "logs", "feedfeedfeedfeed") == (2,)


def test_a_store_that_is_away_is_told_and_the_others_are_swept(store: Store, ledger: Ledger, database_url: str) -> None:
    batch = created(2)
    away = str(store.folder / "not mounted" / "store")
    batch.new_experiments = [saving_to(away, 2)]
    ledger.commit(batch)
    code, output = swept(store, database_url)
    assert code == 1
    assert "is not there" in output
    assert store.left() == {KNOWN, HELD, FRESH}


class Colleague:
    """A connected worker that does what it is asked at once, with the real store, unless it is told to fail."""

    def __init__(self, writer: Writer, name: str, store: Store) -> None:
        self.writer, self.name, self.store = writer, name, store
        self.files = CheckpointStore(store.folder)
        self.logs = store.folder / f"logs of {name}"
        self.asked: list[SessionResponse] = []
        self.failing = False

    async def join(self) -> None:
        hello = Hello(self.name, self.name, 1)
        await self.writer.execute(lambda core, now: core.connect(hello, self, now))

    def send(self, response: SessionResponse) -> None:
        self.asked.append(response)
        answer = SessionRequest(
            deleted_checkpoints=tuple(uri for uri in response.delete_checkpoints if self._deletes(uri)),
            failed_deletions=tuple(FailedDeletion(uri, "away") for uri in response.delete_checkpoints if self.failing),
            swept=self._swept(response),
        )
        if answer != SessionRequest():
            self.writer.submit(lambda core, now: core.receive(self.name, self, answer, now))

    def close(self, reason: str) -> None:
        """Nothing more is sent."""

    def _deletes(self, uri: str) -> bool:
        if not self.failing:
            self.files.delete(uri)
        return not self.failing

    def _swept(self, response: SessionResponse) -> Swept | None:
        sweep = response.sweep
        if sweep is None:
            return None
        if not sweep.storage:
            remove_logs(self.logs, sweep.database_id, sweep.deleted_experiments)
            return Swept(sweep.request_id, logged_experiments=logged_experiments(self.logs, sweep.database_id))
        try:
            if self.failing:
                raise Unavailable("the store is away")
            portion = self.files.look_through(sweep)
        except Unavailable as error:
            return Swept(sweep.request_id, error=str(error))
        return Swept(sweep.request_id, tuple(portion.found), portion.after)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REST", "LOOK"):
        monkeypatch.setattr(sweeps, name, 0.01)


async def _look(writer: Writer) -> None:
    while True:
        await writer.execute(Core.look)
        await asyncio.sleep(0.05)


def with_sweeper(ledger: Ledger, reader: Reader, story: Callable[[Writer, Sweeper], Any]) -> None:
    """A writer with a sweeper that sweeps when it is told to."""

    async def run() -> None:
        with ThreadPoolExecutor(1) as thread:
            parameters = SessionParameters(ledger.term, 20.0, 1.0, "test", ledger.database_id)
            writer = Writer(LedgerStore(ledger), parameters, thread)
            await writer.start()
            tasks = [asyncio.create_task(work) for work in (writer.run(), _look(writer))]
            try:
                await asyncio.wait_for(story(writer, Sweeper(writer, ledger, reader, thread)), 40)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())


@pytest.mark.usefixtures("quick")
def test_a_master_has_the_idlest_worker_look_and_deletes_the_orphans(
    store: Store, ledger: Ledger, reader: Reader
) -> None:
    async def story(writer: Writer, sweeper: Sweeper) -> None:
        colleagues = [Colleague(writer, name, store) for name in ("busy", "idle")]
        for colleague in colleagues:
            await colleague.join()
        await writer.execute(lambda core, _: core.sessions["busy"].hold(LeaseRef(1, 1, 1), "request", 1))
        await sweeper.sweep()
        await until(lambda: store.left() == {KNOWN, FRESH})
        # The lease that was held has ended: its experiment has no searcher, so that the master has paused it.
        looked = {c.name for c in colleagues for r in c.asked if r.sweep is not None and r.sweep.storage}
        assert looked == {"idle"}

    with_sweeper(ledger, reader, story)


@pytest.mark.usefixtures("quick")
def test_a_store_that_one_worker_cannot_reach_is_looked_through_by_another(
    store: Store, ledger: Ledger, reader: Reader
) -> None:
    async def story(writer: Writer, sweeper: Sweeper) -> None:
        cut_off, other = Colleague(writer, "cut off", store), Colleague(writer, "other", store)
        cut_off.failing = True
        for colleague in (cut_off, other):
            await colleague.join()
        await sweeper.sweep()
        await until(lambda: store.left() == {KNOWN, FRESH})
        assert any(response.sweep and response.sweep.storage for response in cut_off.asked)

    with_sweeper(ledger, reader, story)


@pytest.mark.usefixtures("quick")
def test_a_master_sweeps_again_and_again_whatever_went_wrong_the_last_time(
    store: Store, ledger: Ledger, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_S", "INTERVAL_S"):
        monkeypatch.setattr(sweeps, name, 0.01)
    went_wrong: list[Exception] = [Unavailable("the database is locked"), ValueError("a bug")]
    storages = Reader.storages

    def failing(self: Reader) -> tuple[str, list[str]]:
        if went_wrong:
            raise went_wrong.pop()
        return storages(self)

    monkeypatch.setattr(Reader, "storages", failing)

    async def story(writer: Writer, sweeper: Sweeper) -> None:
        await Colleague(writer, "worker", store).join()
        sweeping = asyncio.create_task(sweeper.run())
        await until(lambda: store.left() == {KNOWN, FRESH})
        sweeping.cancel()

    with_sweeper(ledger, reader, story)


@pytest.mark.usefixtures("quick")
def test_where_nobody_can_look_nothing_is_deleted(store: Store, ledger: Ledger, reader: Reader) -> None:
    async def story(writer: Writer, sweeper: Sweeper) -> None:
        await sweeper.sweep()
        cut_off = Colleague(writer, "cut off", store)
        cut_off.failing = True
        await cut_off.join()
        await sweeper.sweep()
        assert store.left() == {GONE, KNOWN, HELD, FRESH}

    with_sweeper(ledger, reader, story)


@pytest.mark.usefixtures("quick")
def test_every_worker_deletes_its_logs_of_deleted_experiments(store: Store, ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(2))
    ledger.commit(Changes(deleted_experiments=[2], new_events=[event("experiment_deleted", 2)]))

    async def story(writer: Writer, sweeper: Sweeper) -> None:
        colleagues = [Colleague(writer, name, store) for name in ("a", "b")]
        for colleague in colleagues:
            await colleague.join()
            for number in (1, 2):
                (colleague.logs / store.database_id / str(number)).mkdir(parents=True)
        await sweeper.sweep()
        for colleague in colleagues:
            assert logged_experiments(colleague.logs, store.database_id) == (1,)

    with_sweeper(ledger, reader, story)


def test_rows_of_workers_that_left_long_ago_go_and_those_that_hold_something_stay(ledger: Ledger) -> None:
    sessions = ("left", "holds a lease", "here", "left lately")
    rows = {name: worker(name, hello_time=START + (name == "left lately") * 100 * DAY) for name in sessions}
    batch = created(1)
    batch.workers = rows
    batch.new_leases = [lease(0, session_id="holds a lease")]
    ledger.commit(batch)
    assert ledger.forget_workers(START + DAY, {"here"}, 100) == 1
    assert ledger.forget_workers(START + DAY, {"here"}, 100) == 0
    assert ledger.forget_workers(START + DAY, set(), 100) == 1


@pytest.mark.parametrize(
    "path",
    ["1/0/1-3-ab", "{other}/1/0/1-3-ab", "file:///home/{own}/1/0/1-3-ab", "../{own}/1/0/1-3-ab", "{own}/1/0/1-3-ab/"],
)
def test_what_a_worker_says_it_found_leads_nowhere_else(path: str) -> None:
    own, other = "0123456789abcdef", "fedcba9876543210"
    answer = Swept("r", (Found(path.format(own=own, other=other), 0.0), Found(f"{own}/1/0/1-3-cd", 0.0)))
    assert in_database(answer, own) == [f"{own}/1/0/1-3-cd"]
