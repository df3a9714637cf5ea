"""A worker does what its master decides."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from rungmaster.shared.wire.model import Gpu, LeaseRef
from rungmaster.shared.wire.session import (
    CheckpointSaved,
    Decision,
    DecisionKind,
    Exit,
    ExitOutcome,
    Measurement,
    SessionResponse,
    Sweep,
)
from rungmaster.worker.assignment import ending
from rungmaster.worker.checkpoints.store import CheckpointStore
from rungmaster.worker.slots.gpus import Device
from rungmaster.worker.trial.seeds import trial_seed

from .scripted_master import ScriptedMaster, ScriptedTrial, assignment, pause, reference, stop
from .worker_harness import Scene, scene, until


def metrics_of(record: ScriptedTrial, name: str) -> list[float]:
    return [event.metrics[name] for event in record.events if isinstance(event, Measurement)]


def assert_released(record: ScriptedTrial, outcome: ExitOutcome = ExitOutcome.RELEASED) -> None:
    assert record.exit is not None
    assert record.exit.outcome is outcome, record.exit.error


def in_store(folder: Path, saved: CheckpointSaved) -> bool:
    return (folder / reference(saved).uri).exists()


async def finish(it: Scene, **fields: Any) -> ScriptedTrial:
    """Trains one assignment until it ends."""
    record = it.master.give(assignment(**fields))
    await until(lambda: record.exit)
    return record


def test_a_trial_is_trained_to_its_target_and_stopped_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path) as it:
            record = await finish(it, target=3)
            assert record.resources == [1, 2, 3]
            assert record.saved == []
            assert_released(record)

    asyncio.run(story())


def test_a_paused_trial_is_saved_and_goes_on_from_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            first = await finish(it, target=3)
            assert_released(first)
            (saved,) = first.saved
            assert saved.resource == 3
            assert first.events.index(saved) == len(first.events) - 2, "the checkpoint is told before the exit"
            second = await finish(it, token=2, target=5, checkpoints=(reference(saved),))
            assert second.resources == [4, 5]
            assert metrics_of(second, "counted") == [4, 5]

    asyncio.run(story())


def test_a_promoted_trial_goes_on_in_the_same_process(tmp_path: Path) -> None:
    code = """
        import os
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1.0, pid=os.getpid())
    """

    def promote_until_nine(lease: LeaseRef, resource: int) -> Decision:
        return Decision(lease, 0, DecisionKind.CONTINUE, resource * 3) if resource < 9 else stop(lease, resource)

    async def story() -> None:
        async with scene(tmp_path, code, master=ScriptedMaster(decide=promote_until_nine)) as it:
            record = await finish(it, target=1)
            assert record.resources == list(range(1, 10))
            assert len(set(metrics_of(record, "pid"))) == 1
            assert_released(record)

    asyncio.run(story())


ENDLESS = """
    import time
    def train(trial):
        def save(folder):
            (folder / "at").write_text(str(trial.resource))
        for step in trial.steps(save, lambda folder: None):
            time.sleep(0.01)
            trial.report(loss=1.0)
"""


def test_a_pause_between_two_targets_saves_the_trial_where_it_stands(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, ENDLESS) as it:
            record = it.master.give(assignment(target=1_000_000))
            await until(lambda: len(record.resources) >= 3)
            it.master.tell(SessionResponse(decisions=(Decision(record.assignment.lease, 0, DecisionKind.PAUSE),)))
            await until(lambda: record.exit)
            assert [saved.resource for saved in record.saved] == record.resources[-1:]
            assert_released(record, ExitOutcome.GIVEN_BACK)

    asyncio.run(story())


def test_a_stop_can_ask_for_a_last_checkpoint(tmp_path: Path) -> None:
    def stop_and_save(lease: LeaseRef, resource: int) -> Decision:
        return Decision(lease, 0, DecisionKind.STOP, save_checkpoint=True)

    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=stop_and_save)) as it:
            record = await finish(it, target=2)
            assert [saved.resource for saved in record.saved] == [2]
            assert_released(record)

    asyncio.run(story())


def test_a_stopped_trial_that_does_not_report_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "STOP_PATIENCE_S", 0.1)
    code = """
        import time
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1.0)
                time.sleep(600)
    """

    async def story() -> None:
        async with scene(tmp_path, code) as it:
            record = it.master.give(assignment(target=9))
            await until(lambda: record.resources)
            it.master.tell(SessionResponse(decisions=(Decision(record.assignment.lease, 0, DecisionKind.STOP),)))
            await until(lambda: record.exit)
            assert_released(record, ExitOutcome.GIVEN_BACK)

    asyncio.run(story())


def test_checkpoints_are_saved_on_the_way_as_often_as_the_spec_says(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path) as it:
            seldom = await finish(it, trial_id=1, target=4, checkpoint_interval_s=3600.0)
            often = await finish(it, trial_id=2, target=4, checkpoint_interval_s=0.0)
            assert seldom.saved == []
            assert often.saved, "with an interval of 0 every step asks for one, as fast as the store takes them"
            assert all(saved.resource in (1, 2, 3, 4) for saved in often.saved)

    asyncio.run(story())


def test_a_broken_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            (older,) = (await finish(it, token=1, target=2)).saved
            (newer,) = (await finish(it, token=2, target=4, checkpoints=(reference(older),))).saved
            (tmp_path / reference(newer).uri / "counted.txt").write_text("0,1,2,9")
            third = await finish(it, token=3, target=5, checkpoints=(reference(newer), reference(older)))
            assert third.resources == [3, 4, 5]
            (tmp_path / reference(older).uri / "manifest.json").unlink()
            fourth = await finish(it, token=4, target=2, checkpoints=(reference(newer), reference(older)))
            assert fourth.resources == [1, 2], "with no whole checkpoint it begins from nothing"
            told = {
                event.lease.token: event for each in it.master.received for event in each.events if event.sequence == 1
            }
            assert told[2].broken_checkpoints == ""
            assert "counted.txt was changed (its SHA-256 differs)" in told[3].broken_checkpoints
            assert told[3].broken_checkpoints.startswith("the trial starts from resource 2, since")
            assert "manifest.json is missing" in told[4].broken_checkpoints
            assert told[4].broken_checkpoints.startswith("the trial starts from nothing, since")
            uris = [told[token].broken_uris for token in (2, 3, 4)]
            assert uris == [(), (reference(newer).uri,), (reference(newer).uri, reference(older).uri)]

    asyncio.run(story())


def test_a_trial_whose_lease_is_lost_is_killed_and_says_nothing_more(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, ENDLESS) as it:
            record = it.master.give(assignment(target=1_000_000))
            await until(lambda: len(record.resources) >= 2)
            it.master.lose(record.assignment.lease)
            await until(lambda: not it.agent.outbox.held)
            follower = await finish(it, token=2, target=2)
            assert follower.resources == [1, 2], "its slot is free again"
            assert record.exit is None
            told = len(record.events)
            assert all(event.lease.token == 2 for event in it.master.received[-1].events)
            assert len(record.events) == told

    asyncio.run(story())


def test_as_many_trials_train_at_once_as_there_are_slots(tmp_path: Path) -> None:
    code = """
        import os, time
        from pathlib import Path
        def train(trial):
            Path(f"here-{trial.trial_id}").touch()
            deadline = time.monotonic() + 30
            while len(list(Path().glob("here-*"))) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            for step in trial.steps():
                met = len(list(Path().glob("here-*"))) == 2
                trial.report(loss=1.0, met=int(met), device=int(os.environ["CUDA_VISIBLE_DEVICES"]))
    """
    devices = (Device("6", Gpu("GPU-6", "", 0)), Device("7", Gpu("GPU-7", "", 0)))

    async def story() -> None:
        async with scene(tmp_path, code, slots=2, devices=devices) as it:
            records = [it.master.give(assignment(trial_id=trial, target=1)) for trial in (1, 2)]
            await until(lambda: all(record.exit for record in records))
            assert [metrics_of(record, "met") for record in records] == [[1.0], [1.0]]
            assert sorted(metrics_of(records[0], "device") + metrics_of(records[1], "device")) == [6.0, 7.0]

    asyncio.run(story())


def test_the_same_trial_has_the_same_seed_wherever_it_is_trained(tmp_path: Path) -> None:
    code = """
        def train(trial):
            for step in trial.steps():
                trial.report(loss=trial.hparams["rate"], seed=trial.seed)
    """

    async def story() -> None:
        async with scene(tmp_path, code) as it:
            records = [await finish(it, trial_id=4, token=token, target=1, seed=11) for token in (1, 2)]
            other = await finish(it, trial_id=5, target=1, seed=11)
            expected = float(trial_seed(11, 4))
            assert [metrics_of(record, "seed") for record in records] == [[expected], [expected]]
            assert metrics_of(other, "seed") != [expected]
            assert metrics_of(other, "loss") == [0.5]

    asyncio.run(story())


def test_checkpoints_are_deleted_when_the_master_asks(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            (saved,) = (await finish(it, target=1)).saved
            assert in_store(tmp_path, saved)
            it.master.tell(SessionResponse(delete_checkpoints=(reference(saved).uri, "file:///etc")))
            await until(lambda: it.master.deleted and it.master.not_deleted)
            assert it.master.deleted == [reference(saved).uri], (
                "what is no checkpoint is neither deleted nor said to be"
            )
            (refused,) = it.master.not_deleted
            assert refused.uri == "file:///etc"
            assert "not the address of a checkpoint" in refused.error
            assert not in_store(tmp_path, saved)

    asyncio.run(story())


def test_deletions_that_hang_hold_up_no_training_and_end_with_their_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = threading.Event()
    delete = CheckpointStore.delete

    def hanging(store: CheckpointStore, uri: str) -> None:
        hang.wait()
        delete(store, uri)

    monkeypatch.setattr(CheckpointStore, "delete", hanging)

    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            (saved,) = (await finish(it, target=1)).saved
            others = tuple(reference(saved).uri.replace("/1-", f"/{n}-") for n in range(2, 80))
            it.master.tell(SessionResponse(delete_checkpoints=(reference(saved).uri, *others)))
            it.master.tell(SessionResponse(delete_checkpoints=(reference(saved).uri,)))
            record = await finish(it, trial_id=2, target=3)
            assert record.exit == Exit(ExitOutcome.RELEASED)
            assert record.saved
            assert it.master.deleted == []
            hang.set()
            await until(lambda: len(it.master.deleted) == 79)
            assert sorted(it.master.deleted) == sorted((reference(saved).uri, *others)), "each is answered once"
            assert not in_store(tmp_path, saved)

    try:
        asyncio.run(story())
    finally:
        hang.set()


def test_what_cannot_be_deleted_is_told_with_the_reason(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            (saved,) = (await finish(it, target=1)).saved
            storage = tmp_path / reference(saved).uri.split("/")[0]
            storage.rename(tmp_path / "away")
            it.master.tell(SessionResponse(delete_checkpoints=(reference(saved).uri,)))
            await until(lambda: it.master.not_deleted)
            (failed,) = it.master.not_deleted
            assert failed.uri == reference(saved).uri
            assert "is gone; is its disk mounted" in failed.error
            (tmp_path / "away").rename(storage)
            it.master.tell(SessionResponse(delete_checkpoints=(reference(saved).uri,)))
            await until(lambda: it.master.deleted)
            assert not in_store(tmp_path, saved)

    asyncio.run(story())


def test_a_worker_deletes_logs_that_are_older_than_it_is_to_keep_them(tmp_path: Path) -> None:
    database = "0123456789abcdef"

    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause), keep_logs_s=86_400.0) as it:
            for trial in (1, 2):
                await finish(it, trial_id=trial, target=1, database_id=database)
            logs = sorted((tmp_path / "logs" / database).rglob("*.log"))
            assert len(logs) == 2
            os.utime(logs[0], (0, 0))
            it.master.tell(SessionResponse(sweep=Sweep("logs", database)))
            await until(lambda: it.master.swept)
            assert sorted((tmp_path / "logs" / database).rglob("*.log")) == logs[1:]

    asyncio.run(story())


def test_a_worker_tells_what_lies_in_a_storage_and_which_logs_it_keeps(tmp_path: Path) -> None:
    database = "0123456789abcdef"

    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            record = await finish(it, target=1, database_id=database)
            (saved,) = record.saved
            storage = record.assignment.checkpoint_storage
            it.master.tell(SessionResponse(sweep=Sweep("first", database, storage)))
            await until(lambda: it.master.swept)
            (swept,) = it.master.swept
            assert (swept.request_id, swept.after, swept.error) == ("first", None, "")
            assert [found.path for found in swept.found] == [saved.path]
            it.master.tell(SessionResponse(sweep=Sweep("second", database)))
            await until(lambda: len(it.master.swept) == 2)
            assert it.master.swept[1].logged_experiments == (1,)
            it.master.tell(SessionResponse(sweep=Sweep("third", database, deleted_experiments=(1,))))
            await until(lambda: len(it.master.swept) == 3)
            assert it.master.swept[2].logged_experiments == ()
            it.master.tell(SessionResponse(sweep=Sweep("fourth", "../..", storage)))
            await until(lambda: len(it.master.swept) == 4)
            assert "is not the id of a database" in it.master.swept[3].error

    asyncio.run(story())
