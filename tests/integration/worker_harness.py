"""A worker and a scripted master in one event loop, with real training processes."""

from __future__ import annotations

import asyncio
import contextlib
import textwrap
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rungmaster.worker.agent import Agent
from rungmaster.worker.settings import WorkerSettings

from .scripted_master import ScriptedMaster

#: Seconds after which a condition counts as missed; the machine may be busy.
DEADLINE = 40.0

#: Counts to wherever it is told to; what it has counted is its checkpoint.
COUNTING = """
    from pathlib import Path
    from rungmaster import Trial

    def train(trial: Trial) -> None:
        counted = []
        def save(folder: Path) -> None:
            (folder / "counted.txt").write_text(",".join(counted))
        def load(folder: Path) -> None:
            counted[:] = (folder / "counted.txt").read_text().split(",")
        for step in trial.steps(save, load):
            counted.append(str(step))
            trial.report(loss=1 / (step + 1), counted=len(counted))
"""


async def until(condition: Callable[[], Any], what: str = "") -> None:
    """Waits for a condition to hold, and fails where it does not in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE
    while not condition():
        assert loop.time() < deadline, f"not in time: {what or condition}"
        await asyncio.sleep(0.01)


@dataclass
class Scene:
    """One worker and its master."""

    master: ScriptedMaster
    agent: Agent
    running: asyncio.Task[int]
    directory: Path

    async def drained(self) -> int:
        """Lets the worker drain, and returns its exit code."""
        self.agent.drain()
        return await asyncio.wait_for(self.running, DEADLINE)


def write_training(directory: Path, code: str) -> None:
    """Puts training code where a worker in `directory` finds it as `training`."""
    (directory / "training.py").write_text(textwrap.dedent(code))


@contextlib.asynccontextmanager
async def scene(
    directory: Path, code: str = COUNTING, *, master: ScriptedMaster | None = None, **settings: Any
) -> AsyncIterator[Scene]:
    """A worker with a master, and `code` as its training; everything ends with the block."""
    write_training(directory, code)
    master = master or ScriptedMaster()
    master.start()
    settings = {"addresses": (master.address,), "directory": directory, "logs": directory / "logs"} | settings
    agent = Agent(WorkerSettings(**settings))
    running = asyncio.create_task(agent.run())
    try:
        yield Scene(master, agent, running, directory)
    finally:
        agent.stop()
        await asyncio.wait({running}, timeout=DEADLINE)
        master.stop()
