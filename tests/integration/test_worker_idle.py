"""A worker that leaves when it has had nothing to train for a while, so that a batch system gets its node back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rungmaster.shared.errors import Unavailable
from rungmaster.worker.agent import Agent
from rungmaster.worker.settings import WorkerSettings

from .scripted_master import assignment
from .test_client import unused_address
from .worker_harness import DEADLINE, scene, until

#: Trains for longer than the worker would wait for something to train.
SLOW = """
    import time
    def train(trial):
        for step in trial.steps():
            time.sleep(0.3)
            trial.report(loss=1.0)
"""


def test_a_worker_trains_to_the_end_and_then_leaves_by_itself(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, SLOW, exit_when_idle_s=0.2) as it:
            await until(lambda: it.master.hellos)
            record = it.master.give(assignment(target=3))
            assert await asyncio.wait_for(it.running, DEADLINE) == 0
            assert record.resources == [1, 2, 3]
            assert record.exit is not None

    asyncio.run(story())


def test_a_worker_that_finds_no_master_has_failed_and_was_not_idle(tmp_path: Path) -> None:
    async def story() -> None:
        settings = WorkerSettings(
            addresses=(unused_address(),),
            directory=tmp_path,
            logs=tmp_path / "logs",
            exit_when_idle_s=0.01,
            connect_timeout_s=0.5,
        )
        with pytest.raises(Unavailable, match="no master could be reached"):
            await Agent(settings).run()

    asyncio.run(story())
