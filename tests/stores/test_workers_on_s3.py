"""Workers whose checkpoints lie on a real S3 server: what they do while it is away, and where it was never there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from integration import scripted_master
from integration.scripted_master import ScriptedMaster, pause, reference, stop
from integration.worker_harness import COUNTING, Scene, scene, until

from rungmaster.shared.wire.session import Assignment, Exit, ExitOutcome

from .faulty_http import Fault, FaultyProxy
from .saved import DATABASE, Place

#: Training with a client of S3 of its own, made before it was forked, and with the worker's credentials.
WITH_A_CLIENT_OF_ITS_OWN = """
    import fsspec
    files = fsspec.filesystem("s3")
    files.exists("experiments/nothing")

    def train(trial):
        files.pipe_file(f"experiments/of-training/{trial.trial_id}", b"data")
        assert files.cat_file(f"experiments/of-training/{trial.trial_id}") == b"data"
        for step in trial.steps(lambda folder: (folder / "at").write_text("1"), lambda folder: None):
            trial.report(loss=1.0)
"""


def assignment(s3: str, trial_id: int = 1, token: int = 1, **changes: Any) -> Assignment:
    changes = {"database_id": DATABASE, "checkpoint_storage": f"{s3}/runs"} | changes
    return scripted_master.assignment(trial_id, token, **changes)


def waiting(it: Scene) -> str:
    """What the worker told last that it waits for."""
    return next((each.waiting for each in reversed(it.master.received) if each.waiting is not None), "")


@pytest.mark.parametrize("how", ["reset", "ServiceUnavailable"])
def test_saving_and_loading_wait_for_a_store_that_is_away_and_people_see_why(
    tmp_path: Path, s3: str, proxy: FaultyProxy, how: Fault
) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            first = it.master.give(assignment(s3, target=1))
            await until(lambda: first.saved)
            proxy.fault = lambda request: how
            saving = it.master.give(assignment(s3, trial_id=2))
            await until(lambda: "does not answer since" in waiting(it))
            told = "Connection was closed" if how == "reset" else "told by the test: ServiceUnavailable"
            await until(lambda: told in waiting(it), told)
            assert saving.resources == [1, 2, 3]
            assert saving.exit is None
            proxy.mend()
            await until(lambda: saving.exit and waiting(it) == "")
            assert saving.exit == Exit(ExitOutcome.RELEASED)
            it.master.decide = stop
            proxy.fault = lambda request: how
            (saved,) = first.saved
            loading = it.master.give(assignment(s3, token=2, target=3, checkpoints=(reference(saved, f"{s3}/runs"),)))
            await until(lambda: "does not answer since" in waiting(it))
            proxy.mend()
            await until(lambda: loading.exit)
            assert loading.exit == Exit(ExitOutcome.RELEASED)
            assert loading.resources == [2, 3]
            # One attempt after the other, and all in one place.
            assert len({name.split("/")[-2] for name in Place(f"{s3}/runs").objects(DATABASE, "1", "2")}) == 1

    asyncio.run(story())


def test_a_store_that_is_away_when_a_worker_meets_it_is_waited_for_and_a_drain_does_not_wait(
    tmp_path: Path, s3: str, proxy: FaultyProxy
) -> None:
    async def story() -> None:
        async with scene(tmp_path, grace_s=3600.0) as it:
            proxy.away = True
            record = it.master.give(assignment(s3))
            await until(lambda: "is out of reach" in waiting(it) or "Connection was closed" in waiting(it))
            assert await it.drained() == 0
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.GIVEN_BACK
            assert record.resources == []

    asyncio.run(story())


def test_a_missing_bucket_is_blamed_on_the_specification_and_nothing_is_trained(
    tmp_path: Path, s3: str, proxy: FaultyProxy
) -> None:
    async def story() -> None:
        async with scene(tmp_path, COUNTING) as it:
            record = it.master.give(assignment("s3://no-such-bucket"))
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.CANNOT_START
            assert "there is no bucket 'no-such-bucket'; make it, or correct `checkpoints.storage`" in record.exit.error
            assert record.resources == []

    asyncio.run(story())


def test_training_code_may_use_the_store_itself_with_a_client_that_it_made_before_it_was_forked(
    tmp_path: Path, s3: str, proxy: FaultyProxy
) -> None:
    async def story() -> None:
        master = ScriptedMaster(decide=pause)
        async with scene(tmp_path, WITH_A_CLIENT_OF_ITS_OWN, master=master) as it:
            for trial_id in (1, 2):
                record = it.master.give(assignment(s3, trial_id=trial_id, target=1))
                await until(lambda: record.exit)  # noqa: B023
                assert record.exit == Exit(ExitOutcome.RELEASED)
                assert len(record.saved) == 1

    asyncio.run(story())
