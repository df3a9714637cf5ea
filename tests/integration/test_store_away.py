"""A checkpoint store that is out of reach holds trials up, and ends none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rungmaster.shared.wire.session import Assignment, Decision, DecisionKind, Exit, ExitOutcome, SessionResponse

from . import scripted_master
from .scripted_master import ScriptedMaster, ScriptedTrial, pause, reference, stop
from .worker_harness import COUNTING, Scene, scene, until

DATABASE = "0123456789abcdef"
LONG = """
    import time
    def train(trial):
        for step in trial.steps(lambda f: (f / "at").write_text(str(trial.resource)), lambda f: None):
            time.sleep(0.01)
            trial.report(loss=1.0)
"""


def assignment(trial_id: int = 1, token: int = 1, **changes: Any) -> Assignment:
    """An assignment of a master that names its database."""
    return scripted_master.assignment(trial_id, token, database_id=DATABASE, **changes)


class Store:
    """The folder of a store, which can be made unreachable and be given back."""

    def __init__(self, directory: Path, leave: Callable[[Path], object]) -> None:
        self._folder, self._away, self._leave = directory / "store", directory / "away", leave

    def go(self) -> None:
        self._folder.rename(self._away)
        self._leave(self._folder)

    def come_back(self) -> None:
        if self._folder.is_symlink() or self._folder.is_file():
            self._folder.unlink()
        elif self._folder.is_dir():
            self._folder.rmdir()
        self._away.rename(self._folder)


WAYS: dict[str, Callable[[Path], object]] = {
    "a handle that is stale": lambda folder: folder.symlink_to(folder),
    "a folder that is gone": lambda folder: None,
    "a disk that is not mounted": lambda folder: folder.mkdir(),
    "a file in its place": lambda folder: folder.write_text("no folder"),
}


@pytest.fixture(params=list(WAYS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(tmp_path, WAYS[request.param])


@pytest.fixture
def stale(tmp_path: Path) -> Store:
    return Store(tmp_path, WAYS["a handle that is stale"])


def waiting(it: Scene) -> str:
    """What the worker told last that it waits for."""
    return next((each.waiting for each in reversed(it.master.received) if each.waiting is not None), "")


async def saved_at_one(it: Scene) -> Assignment:
    """A trial that was paused at 1, to be trained on to 3."""
    it.master.decide = pause
    record = it.master.give(assignment(target=1))
    await until(lambda: record.exit)
    (saved,) = record.saved
    it.master.decide = stop
    return assignment(token=2, target=3, checkpoints=(reference(saved),))


async def held_up(it: Scene, store: Store) -> ScriptedTrial:
    """A trial whose checkpoint cannot be loaded, since its store has gone."""
    promoted = await saved_at_one(it)
    store.go()
    record = it.master.give(promoted)
    await until(lambda: "does not answer since" in waiting(it))
    assert record.events == []
    return record


def test_a_checkpoint_is_loaded_once_its_store_is_back_and_people_see_what_is_waited_for(
    tmp_path: Path, store: Store
) -> None:
    async def story() -> None:
        async with scene(tmp_path) as it:
            record = await held_up(it, store)
            told = waiting(it)
            await until(lambda: waiting(it) != told, "the time goes on")
            store.come_back()
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.RELEASED)
            assert record.resources == [2, 3], "it went on where it was saved"
            await until(lambda: waiting(it) == "")

    asyncio.run(story())


def test_a_checkpoint_is_saved_once_its_store_is_back(tmp_path: Path, store: Store) -> None:
    async def story() -> None:
        async with scene(tmp_path) as it:
            await saved_at_one(it)
            store.go()
            it.master.decide = pause
            record = it.master.give(assignment(trial_id=2))
            await until(lambda: "does not answer since" in waiting(it))
            assert record.resources == [1, 2, 3]
            assert record.exit is None
            store.come_back()
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.RELEASED)
            assert [saved.resource for saved in record.saved] == [3]

    asyncio.run(story())


def test_what_waits_for_the_store_makes_progress(tmp_path: Path, stale: Store) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause, heartbeat=0.05)) as it:
            await saved_at_one(it)
            it.master.decide = pause
            stale.go()
            record = it.master.give(assignment(trial_id=2, checkpoint_interval_s=0.0, progress_timeout_s=0.3))
            await until(lambda: record.resources == [1, 2, 3] and waiting(it))
            beats = len(it.master.received)
            await until(lambda: len(it.master.received) > beats + 20)
            assert record.exit is None
            stale.come_back()
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.RELEASED)
            assert record.saved[-1].resource == 3

    asyncio.run(story())


def test_a_drain_does_not_wait_for_what_is_only_to_be_loaded(tmp_path: Path, stale: Store) -> None:
    async def story() -> None:
        async with scene(tmp_path, grace_s=3600.0) as it:
            record = await held_up(it, stale)
            assert await it.drained() == 0
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.GIVEN_BACK
            assert "does not answer since" in record.exit.error

    asyncio.run(story())


def test_a_drain_waits_its_grace_for_the_store_and_gives_back_what_was_saved(tmp_path: Path, stale: Store) -> None:
    async def story() -> None:
        async with scene(tmp_path, LONG, grace_s=0.5) as it:
            record = it.master.give(assignment(target=10**6, checkpoint_interval_s=0.0))
            await until(lambda: record.saved)
            stale.go()
            await until(lambda: waiting(it))
            assert await it.drained() == 0
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.GIVEN_BACK
            assert "does not answer since" in record.exit.error

    asyncio.run(story())


@pytest.mark.parametrize("kind", [DecisionKind.PAUSE, DecisionKind.STOP])
def test_a_trial_that_is_not_wanted_any_more_does_not_wait_for_its_checkpoint(
    tmp_path: Path, stale: Store, kind: DecisionKind
) -> None:
    async def story() -> None:
        async with scene(tmp_path) as it:
            record = await held_up(it, stale)
            it.master.tell(SessionResponse(decisions=(Decision(record.assignment.lease, 0, kind),)))
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.GIVEN_BACK
            await until(lambda: waiting(it) == "")

    asyncio.run(story())


def test_a_trial_that_is_stopped_for_good_saves_no_more(tmp_path: Path, stale: Store) -> None:
    async def story() -> None:
        async with scene(tmp_path, LONG) as it:
            record = it.master.give(assignment(target=10**6, checkpoint_interval_s=0.0))
            await until(lambda: record.saved)
            stale.go()
            await until(lambda: waiting(it))
            it.master.tell(SessionResponse(decisions=(Decision(record.assignment.lease, 0, DecisionKind.STOP),)))
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.GIVEN_BACK)

    asyncio.run(story())


def test_a_lease_that_is_lost_waits_for_nothing(tmp_path: Path, stale: Store) -> None:
    async def story() -> None:
        async with scene(tmp_path) as it:
            record = await held_up(it, stale)
            it.master.lose(record.assignment.lease)
            await until(lambda: waiting(it) == "")

    asyncio.run(story())


def test_a_new_session_is_told_again_what_is_waited_for(tmp_path: Path, stale: Store) -> None:
    async def story() -> None:
        async with scene(tmp_path, COUNTING) as it:
            await held_up(it, stale)
            it.master.hang_up()
            it.master.received.clear()
            await until(lambda: "does not answer since" in waiting(it))

    asyncio.run(story())


@pytest.mark.parametrize("gone", ["store", f"store/{DATABASE}"])
def test_a_worker_that_is_started_on_a_disk_that_is_not_mounted_saves_nothing_there(tmp_path: Path, gone: str) -> None:
    """It has never seen the store, and its first trial is a new one; others have saved, and the master says so."""

    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            (tmp_path / "store" / DATABASE).mkdir(parents=True)
            (tmp_path / "store").rename(tmp_path / "disk")
            if gone != "store":
                (tmp_path / "store").mkdir()
            refused = it.master.give(assignment(storage_used=True))
            await until(lambda: refused.exit)
            assert refused.exit is not None
            assert refused.exit.outcome is ExitOutcome.ENVIRONMENT
            assert f"saved in {tmp_path / 'store' / DATABASE}, and here is no such folder" in refused.exit.error
            assert not (tmp_path / gone).exists()
            if gone != "store":
                (tmp_path / "store").rmdir()
            (tmp_path / "disk").rename(tmp_path / "store")
            trained = it.master.give(assignment(token=2, storage_used=True))
            await until(lambda: trained.exit)
            assert trained.exit == Exit(ExitOutcome.RELEASED)
            assert (tmp_path / reference(trained.saved[0]).uri).is_dir()

    asyncio.run(story())
