"""The next assignment comes while the last trial ends, and goes back where that takes too long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rungmaster.shared.wire.session import Exit, ExitOutcome
from rungmaster.worker import agent

from .scripted_master import ScriptedTrial, assignment
from .worker_harness import DEADLINE, Scene, scene, until

#: The first trial lingers after its last report until the file `go` is there; each notes when it is there.
LINGERING = """
    import time
    from pathlib import Path
    def train(trial):
        for step in trial.steps():
            trial.report(loss=1.0)
        Path(f"told-{trial.trial_id}").touch()
        while trial.trial_id == 1 and not Path("go").exists():
            time.sleep(0.01)
        Path(f"left-{trial.trial_id}").touch()
"""


def there(it: Scene, name: str) -> bool:
    return (it.directory / name).exists()


async def lingering(it: Scene) -> tuple[ScriptedTrial, ScriptedTrial]:
    """The first trial has been told to end, and the second one is assigned."""
    first, second = (it.master.give(assignment(trial_id=trial, target=1)) for trial in (1, 2))
    await until(lambda: there(it, "told-1"))
    await until(lambda: second.assignment.lease in it.agent.outbox.held, "the second to come ahead of its slot")
    return first, second


def test_the_next_assignment_is_there_before_the_slot_is_free(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, LINGERING) as it:
            _, second = await lingering(it)
            assert not second.events, "it waits for its slot"
            (tmp_path / "go").touch()
            await until(lambda: second.exit)
            assert second.resources == [1]
            assert second.exit == Exit(ExitOutcome.RELEASED)

    asyncio.run(story())


def test_nothing_is_asked_for_while_a_trial_may_go_on(tmp_path: Path) -> None:
    code = """
        import time
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1.0)
                time.sleep(0.01)
    """

    async def story() -> None:
        async with scene(tmp_path, code) as it:
            first, second = (it.master.give(assignment(trial_id=trial, target=10**6)) for trial in (1, 2))
            await until(lambda: len(first.resources) > 3)
            assert second.assignment in it.master.queue, "so another worker can have it"

    asyncio.run(story())


def test_an_assignment_that_does_not_get_its_slot_soon_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "PATIENCE_S", 0.3)

    async def story() -> None:
        async with scene(tmp_path, LINGERING) as it:
            first, second = await lingering(it)
            third = it.master.give(assignment(trial_id=3, target=1))
            await until(lambda: second.exit)
            assert second.events == [Exit(ExitOutcome.GIVEN_BACK)]
            assert third.assignment in it.master.queue, "and nothing more is asked for while the first is still there"
            (tmp_path / "go").touch()
            await until(lambda: third.exit)
            assert first.exit == Exit(ExitOutcome.RELEASED)

    asyncio.run(story())


def test_a_worker_that_drains_gives_back_what_waits_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "PATIENCE_S", 600.0)

    async def story() -> None:
        async with scene(tmp_path, LINGERING) as it:
            _, second = await lingering(it)
            it.agent.drain()
            await until(lambda: second.exit)
            assert second.events == [Exit(ExitOutcome.GIVEN_BACK)]
            (tmp_path / "go").touch()
            assert await asyncio.wait_for(it.running, DEADLINE) == 0

    asyncio.run(story())


def test_a_waiting_assignment_can_be_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "PATIENCE_S", 600.0)

    async def story() -> None:
        async with scene(tmp_path, LINGERING) as it:
            _, second = await lingering(it)
            it.master.lose(second.assignment.lease)
            await until(lambda: second.assignment.lease not in it.agent.outbox.held)
            third = it.master.give(assignment(trial_id=3, target=1))
            (tmp_path / "go").touch()
            await until(lambda: third.exit)
            assert not there(it, "told-2")

    asyncio.run(story())
