"""A worker does what its master decides."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rungmaster.shared.session import ExitOutcome

from .scripted_master import assignment
from .worker_harness import scene, until


def test_a_trial_is_trained_to_its_target_and_stopped_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path) as it:
            record = it.master.assign(assignment(target=3))
            await until(lambda: record.exit)
            assert record.resources == [1, 2, 3]
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.RELEASED, record.exit.error

    asyncio.run(story())
