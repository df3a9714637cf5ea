"""A file system that does not answer holds up the trial that needs it, and neither the worker nor other trials."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from rungmaster.shared.wire.session import Exit, ExitOutcome

from .scripted_master import assignment
from .worker_harness import scene, until


@pytest.mark.parametrize("fresh", [False, True], ids=["forked", "fresh"])
def test_a_log_that_cannot_be_opened_holds_up_its_own_trial_only(tmp_path: Path, fresh: bool) -> None:
    held = tmp_path / "logs/1/1-1.log"
    held.parent.mkdir(parents=True)
    os.mkfifo(held)  # whoever opens it waits for the other end

    async def story() -> None:
        async with scene(tmp_path, slots=2, fresh_processes=fresh) as it:
            waiting = it.master.give(assignment(trial_id=1))
            other = it.master.give(assignment(trial_id=2))
            await until(lambda: other.exit)
            assert other.exit == Exit(ExitOutcome.RELEASED)
            beats = len(it.master.received)
            await until(lambda: len(it.master.received) > beats + 5, "signs of life")
            assert waiting.events == []
            reading = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
            await until(lambda: waiting.exit)
            os.close(reading)

    asyncio.run(story())
