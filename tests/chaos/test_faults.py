"""One fault at a time, and exactly what comes of it. Each ends with the same verdict as a storm does."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from e2e.cluster import wait_for
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.errors import RungmasterError
from rungmaster.shared.wire.model import ExperimentState, Lease, TrialOrder, WorkerState

from .databases import Postgresql, Sqlite, forbid_growth
from .specs import UNDRAWABLE, UNREADABLE, WAYS_TO_BE_DAMAGED, WAYS_TO_BE_WRONG, damageable, marathon, wrong
from .store import undeleted
from .verdict import Evidence, Verdict, judge
from .world import World

if TYPE_CHECKING:
    from ..conftest import PostgresqlServer

MakeWorld = Callable[..., World]

pytestmark = [pytest.mark.storm, pytest.mark.timeout(300)]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes worlds that are gone when the test is over; on SQLite where nothing else is said."""
    worlds: list[World] = []

    def make(database: Sqlite | Postgresql | None = None, **options: int) -> World:
        worlds.append(World(tmp_path, database or Sqlite(tmp_path), **{"workers": 1, **options}))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


class Search:
    """One search of a world, watched through its database."""

    def __init__(self, world: World, *, max_trials: int = 3, seconds_per_epoch: float = 0.3) -> None:
        self.world = world
        spec = marathon(world.storage, max_trials=max_trials, seconds_per_epoch=seconds_per_epoch, seed=1)
        self.id = world.submit(spec)

    def evidence(self) -> Evidence:
        return self.world.evidence()

    def acknowledged(self, kind: str = "measurement") -> list[dict[str, Any]]:
        return [entry for entry in self.evidence().acknowledged if entry["kind"] == kind]

    def wait_for_reports(self, count: int) -> None:
        wait_for(f"{count} acknowledged reports", lambda: len(self.acknowledged()) >= count)

    def leases(self, trial: int) -> list[Lease]:
        reader = Reader(self.world.database.url)
        try:
            return reader.get_trial(self.id, trial)[1]
        except RungmasterError:
            return []
        finally:
            reader.close()

    def running(self) -> int:
        """A trial that trains now."""
        return wait_for("a trial under a lease", lambda: self._held())[0]

    def _held(self) -> list[int]:
        reader = Reader(self.world.database.url)
        try:
            return [trial.trial_id for trial in reader.list_trials(self.id, order=TrialOrder.ID)[0] if trial.worker]
        finally:
            reader.close()

    def ends_well(self) -> Verdict:
        """The search completes, everything leaves in peace, and nothing was lost, doubled or made up."""
        wait_for("the end of the search", lambda: self.world.ended(self.id), 200)
        self.world.drain()
        verdict = judge(self.evidence())
        assert [*verdict.problems, *self.world.findings] == []
        return verdict


def health(world: World) -> int:
    with grpc.insecure_channel(f"127.0.0.1:{world.port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        # The published stubs of this package leave the methods out.
        check = stub.Check  # pyright: ignore[reportAttributeAccessIssue]
        return check(health_pb2.HealthCheckRequest(), timeout=10).status


def test_what_a_zombie_reports_after_its_lease_expired_changes_nothing(make_world: MakeWorld) -> None:
    world = make_world(workers=2, slots=1)
    search = Search(world, max_trials=1)
    trial = search.running()
    search.wait_for_reports(1)
    held = search.leases(trial)[-1]
    zombie, heir = sorted(world.workers, key=lambda name: name != held.worker)
    world.workers[zombie].signal(signal.SIGSTOP)
    wait_for("the heir's lease", lambda: search.leases(trial)[-1].worker == heir)
    ended = search.leases(trial)[held.token - 1]
    assert ended.outcome == "expired"
    world.workers[zombie].signal(signal.SIGCONT)
    wait_for("the zombie to learn of it", lambda: "is given up" in world.workers[zombie].log.read_text())
    search.ends_well()
    assert ended.end_time is not None
    late = [row for row in search.evidence().rows["reports"] if row.token == held.token]
    assert all(row.receive_time <= ended.end_time.timestamp() for row in late)


def test_a_training_process_that_is_killed_is_started_again_and_counted(make_world: MakeWorld) -> None:
    world = make_world(slots=1)
    search = Search(world, max_trials=1)
    search.wait_for_reports(1)
    wait_for("a checkpoint", lambda: search.acknowledged("checkpoint"))
    wait_for("a training process", lambda: world.workers["worker-1"].trainings())[0].kill()
    wait_for("the next lease", lambda: len(search.leases(0)) >= 2)
    first, second = search.leases(0)[:2]
    assert first.outcome == "failed"
    assert "SIGKILL" in first.error
    assert second.from_resource >= 1
    assert search.ends_well().leases["failed"] == 1
    assert search.evidence().rows["trials"][0].restarts == 1


@pytest.mark.parametrize("trouble", ["locked", "unwritable"])
def test_a_database_that_takes_nothing_stops_acknowledgements_and_nothing_else(
    make_world: MakeWorld, trouble: str
) -> None:
    world = make_world(slots=2)
    search = Search(world)
    search.wait_for_reports(2)
    seconds = 9.0
    assert isinstance(world.database, Sqlite)
    harm = threading.Thread(
        target=world.database.lock if trouble == "locked" else forbid_growth,
        args=(seconds,) if trouble == "locked" else (world.master.pid, seconds),
    )
    harm.start()
    acknowledged, told = set[int](), set[int]()
    while harm.is_alive():
        told.add(health(world))
        acknowledged.add(len(search.acknowledged()))
        harm.join(0.5)
    # What was on its way when the trouble began may still have arrived; after that nothing did until it was over.
    assert len(acknowledged) <= 3, "acknowledgements went on"
    assert health_pb2.HealthCheckResponse.NOT_SERVING in told
    wait_for("readiness", lambda: health(world) == health_pb2.HealthCheckResponse.SERVING)
    assert world.master.ends == []
    search.ends_well()


@pytest.mark.postgresql
def test_a_search_survives_a_restart_of_its_database_server(
    make_world: MakeWorld, postgresql_server: PostgresqlServer, postgresql_url: str
) -> None:
    database = Postgresql(postgresql_server, postgresql_url)
    world = make_world(database, slots=2)
    search = Search(world)
    search.wait_for_reports(2)
    database.restart(2.0)
    told = len(search.acknowledged())
    search.wait_for_reports(told + 2)
    database.crash()
    search.ends_well()
    assert world.master.ends[:-1] == [], "the master went on by itself"


def test_a_database_that_is_deleted_under_its_master_is_put_back_from_what_that_saved_and_nothing_is_lost(
    make_world: MakeWorld,
) -> None:
    world = make_world(slots=2)
    search = Search(world)
    search.wait_for_reports(2)
    assert isinstance(world.database, Sqlite)
    folder = world.database.folder
    for file in folder.glob("chaos.db*"):
        file.unlink()
    # It stops by itself; started again, it does not begin anew.
    wait_for("what it saved", lambda: world.master.ends and list(folder.glob("chaos.db-rescued-*")))
    wait_for("refusals to begin anew", lambda: len(world.master.ends) >= 3)
    (saved,) = folder.glob("chaos.db*")
    saved.rename(folder / "chaos.db")
    search.ends_well()


def test_a_connection_on_which_the_worker_is_not_heard_any_more_is_found_out_by_the_lease(
    make_world: MakeWorld,
) -> None:
    world = make_world(slots=1)
    search = Search(world, max_trials=1)
    search.wait_for_reports(1)
    world.proxies["worker-1"].lose("up")
    search.ends_well()
    assert "no sign of life" in world.workers["worker-1"].log.read_text()


def test_what_nobody_can_run_fails_soon_and_costs_the_search_beside_it_nothing(make_world: MakeWorld) -> None:
    world = make_world(workers=2, slots=2)
    search = Search(world, max_trials=6)
    search.wait_for_reports(1)
    numbers = {way: world.submit(wrong(world.storage, way)) for way in WAYS_TO_BE_WRONG}
    for way, number in numbers.items():
        ended = wait_for(f"the failure of a wrong {way}", lambda number=number: world.ended(number))
        assert ended is not None
        assert WAYS_TO_BE_WRONG[way][1] in ended.state_reason
        tried = [row for row in search.evidence().rows["leases"] if row.experiment_id == number]
        assert len(tried) <= 40, "of 400: five in a row, and what the other slots had begun meanwhile"
    with world.client() as client:
        assert {worker.state for worker in client.workers()} == {WorkerState.CONNECTED}
    verdict = search.ends_well()
    assert set(verdict.leases) == {"released"}
    assert verdict.wrong == len(WAYS_TO_BE_WRONG)


def test_a_store_that_is_away_keeps_its_checkpoints_until_it_is_back_and_then_they_are_deleted(
    make_world: MakeWorld,
) -> None:
    world = make_world(workers=2, slots=1)
    search = Search(world, max_trials=4, seconds_per_epoch=0.02)
    wait_for("the end of the search", lambda: world.ended(search.id), 200)
    wait_for("the deletion of what is not needed", lambda: not undeleted(search.evidence()))
    kept = [row.uri for row in search.evidence().rows["checkpoints"] if not row.deleted]
    assert kept
    away = world.storage.with_name("unmounted")
    world.storage.rename(away)
    with world.client() as client:
        client.delete(search.id)
        wait_for("workers that say why", lambda: str(client.workers()).count("cannot delete checkpoints in") == 2)
        assert sorted(undeleted(search.evidence())) == sorted(kept)
    away.rename(world.storage)
    wait_for("the deletion of all checkpoints", lambda: not list(world.storage.rglob("manifest.json")))
    wait_for("the end of their rows", lambda: not search.evidence().rows["checkpoints"])
    world.drain()
    assert world.findings == []


def test_a_checkpoint_store_that_is_away_costs_no_trial_anything(make_world: MakeWorld) -> None:
    world = make_world(workers=2, slots=1)
    search = Search(world, max_trials=4, seconds_per_epoch=0.1)
    wait_for("a checkpoint", lambda: search.acknowledged("checkpoint"))
    away = threading.Thread(target=world.take_storage_away, args=(8.0,))
    away.start()
    with world.client() as client:
        wait_for("a worker that says what it waits for", lambda: "does not answer since" in str(client.workers()))
    away.join()
    verdict = search.ends_well()
    # A trial that was to follow in a slot which still waits to save goes back, and counts against nobody.
    assert set(verdict.leases) <= {"released", "given_back"}


@pytest.mark.parametrize("way", ["cut short", "gone"])
def test_a_trial_goes_on_from_the_whole_checkpoint_beside_a_broken_one(make_world: MakeWorld, way: str) -> None:
    world = make_world(slots=1)
    search = Search(world, max_trials=1)
    wait_for("two checkpoints", lambda: len(search.acknowledged("checkpoint")) >= 2)
    # Nothing newer is saved from now on.
    world.workers["worker-1"].signal(signal.SIGSTOP)
    wait_until_still(search)
    kept = [row for row in search.evidence().rows["checkpoints"] if row.delete_time is None]
    newest = max(kept, key=lambda row: row.resource)
    assert world.break_checkpoints(Random(1), [way]) == [newest.uri]
    world.workers["worker-1"].signal(signal.SIGKILL)
    verdict = search.ends_well()
    with contextlib.closing(Reader(world.database.url)) as reader:
        events = reader.events_after(search.id, 0, 10_000)
    assert [event.data["uris"] for event in events if event.kind == "checkpoint_broken"] == [[newest.uri]]
    assert verdict.passed_over == 1
    assert set(verdict.leases) == {"expired", "released"}


def wait_until_still(search: Search) -> None:
    """What a worker that is stopped had sent already is in the database by now."""
    seen: list[int] = []

    def still() -> bool:
        rows = search.evidence().rows
        seen.append(len(rows["reports"]) + len(rows["checkpoints"]))
        return len(seen) > 10 and len({*seen[-10:]}) == 1

    wait_for("the end of what was sent", still)


@pytest.mark.parametrize("name", [UNREADABLE, UNDRAWABLE])
@pytest.mark.parametrize("which", [0, 1])
def test_what_becomes_of_a_damaged_spec_costs_the_search_beside_it_nothing(
    make_world: MakeWorld, name: str, which: int
) -> None:
    world = make_world(slots=2)
    search = Search(world, max_trials=6)
    search.wait_for_reports(2)
    number = world.submit(damageable(world.storage, name))
    wait_for("its training", lambda: (begun := world.experiment(number)) and begun.resource_spent > 0, 120)
    world.damage_spec(number, WAYS_TO_BE_DAMAGED[name][which])
    wait_for("its end", world.be_rid_of_damaged, 200)
    found = world.experiment(number)
    assert found is not None
    assert found.resource_spent > 0
    assert found.state is (ExperimentState.CANCELLED if name == UNREADABLE else ExperimentState.FAILED)
    assert search.ends_well().damaged == 1
