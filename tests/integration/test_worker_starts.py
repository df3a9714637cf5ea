"""Many starts at once, many of them cancelled, over a real fork server: each process is its requester's, or ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Coroutine, Generator
from pathlib import Path
from random import Random
from types import coroutine
from typing import Any

import psutil
import pytest

from rungmaster.worker.assignment.local_server import LocalServer
from rungmaster.worker.process.child import Job, TrainingProcess
from rungmaster.worker.process.launcher import Launcher
from rungmaster.worker.process.reaper_client import ReaperClient
from rungmaster.worker.trial.protocol import TrialStart

from .descent import marked
from .worker_harness import DEADLINE, until, write_training

#: Writes down who it is and what it was told, and trains for ever.
WAITING = """
    import os, time
    from pathlib import Path
    def train(trial):
        with Path("began").open("a") as began:
            began.write(f"{os.getpid()} {os.environ['NUMBER']} {os.readlink('/proc/self/fd/1')}\\n")
        time.sleep(600)
"""
VARIABLE = "RUNGMASTER_TEST"


class Place:
    """A launcher, and what its processes write down."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.guard = ReaperClient()
        self.launcher = Launcher(self.guard, directory, fork=True)

    def job(self, number: int, *, forked: bool = True) -> Job:
        told = {"NUMBER": str(number), "RUNGMASTER_SOCKET": str(self.directory / "socket")}
        base = dict(os.environ) | {VARIABLE: str(self.directory)}
        what = ("training:train", ()) if forked else ("", ("sleep", "600"))
        return Job(*what, self.directory, base, told, self.log(number))

    def log(self, number: int) -> Path:
        return self.directory / f"{number}.log"

    def began(self) -> dict[int, tuple[int, str]]:
        """By process id: the number that it was told, and where it prints."""
        with contextlib.suppress(FileNotFoundError):
            lines = [line.split() for line in (self.directory / "began").read_text().splitlines()]
            return {int(pid): (int(number), log) for pid, number, log in lines}
        return {}


@contextlib.asynccontextmanager
async def place(directory: Path) -> AsyncIterator[Place]:
    """Everything ends with the block, and nothing is left."""
    write_training(directory, WAITING)
    start = TrialStart({}, 1, 1, 1, 0, 10**6, "loss", None, "starts")

    async def answer(line: bytes) -> dict[str, Any]:
        return start.to_json()

    server = LocalServer(directory / "socket", answer)
    await server.start()
    it = Place(directory)
    try:
        yield it
        await it.launcher.close()
    finally:
        await it.guard.stop()
        await server.close()
    assert marked(VARIABLE, str(directory)) == []


async def only(it: Place, children: dict[int, TrainingProcess]) -> None:
    """Waits until just these trials train, each in the process that its requester was given."""

    def trains() -> bool:
        living = {process.pid for process in marked(VARIABLE, str(it.directory))}
        training = {pid: told for pid, told in it.began().items() if pid in living}
        return training == {child.pid: (number, str(it.log(number))) for number, child in children.items()}

    await until(trains, "only the trials that were wanted")


@pytest.mark.parametrize("seed", range(3))
def test_of_many_starts_and_cancellations_each_requester_gets_its_own_process(tmp_path: Path, seed: int) -> None:
    random = Random(seed)

    async def story() -> None:
        async with place(tmp_path) as it:
            tasks = {number: asyncio.create_task(it.launcher.start(it.job(number))) for number in range(40)}
            for number, task in tasks.items():
                if number % 4 != 0:
                    asyncio.get_running_loop().call_later(random.choice((0, 0.2, 0.5)) * random.random(), task.cancel)
            ended = dict(zip(tasks, await asyncio.gather(*tasks.values(), return_exceptions=True), strict=True))
            children = {number: child for number, child in ended.items() if isinstance(child, TrainingProcess)}
            assert {type(end) for end in ended.values()} <= {TrainingProcess, asyncio.CancelledError}
            assert set(children) >= set(range(0, 40, 4))
            await only(it, children)
            await asyncio.gather(*(child.kill(at_once=True) for child in children.values()))
            await only(it, {})

    asyncio.run(story())


def test_a_process_that_is_killed_while_it_waits_for_orders_is_replaced(tmp_path: Path) -> None:
    """Whatever the moment: an order is obeyed once, or refused, or its process counts as killed."""

    async def story() -> None:
        async with place(tmp_path) as it:
            for number in range(20):
                random = Random(number)
                child = await it.launcher.start(it.job(2 * number))
                trained = list(psutil.Process(child.pid).parents()[1].children(recursive=True))
                starting = asyncio.create_task(it.launcher.start(it.job(2 * number + 1)))
                await asyncio.sleep(0.01 * random.random())
                for process in trained:
                    if process.pid != child.pid and not process.children():
                        process.kill()
                second = await starting
                await asyncio.sleep(0.01 * random.random())
                await asyncio.gather(child.kill(at_once=True), second.kill(at_once=True))
            await only(it, {})

    asyncio.run(story())


@pytest.mark.parametrize("forked", [True, False], ids=["forked", "fresh"])
def test_a_start_that_is_cancelled_wherever_it_waits_leaves_no_process(tmp_path: Path, forked: bool) -> None:
    async def story() -> int:
        async with place(tmp_path) as it:
            ready = await it.launcher.start(it.job(0, forked=forked))
            for point in range(1, 100):
                task = asyncio.ensure_future(cancelled_at(point, it.launcher.start(it.job(point, forked=forked))))
                try:
                    child = await asyncio.wait_for(task, DEADLINE)
                except asyncio.CancelledError:
                    continue
                await ready.kill(at_once=True)
                await child.kill(at_once=True)
                await until(lambda: [p for p in marked(VARIABLE, str(tmp_path)) if "NUMBER" in p.environ()] == [])
                await only(it, {})
                return point
            raise AssertionError("it waits for ever")

    assert asyncio.run(story()) > 2


@coroutine
def cancelled_at(point: int, work: Coroutine[Any, Any, TrainingProcess]) -> Generator[Any, Any, TrainingProcess]:
    """Does the work, and cancels its task at the point-th place at which it waits."""
    waits = 0
    result: Any = None
    while True:
        try:
            awaited = work.send(result)
        except StopIteration as end:
            return end.value
        waits += 1
        if waits == point:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        try:
            result = yield awaited
        except BaseException as error:
            work.throw(error)
            raise AssertionError("the cancellation was swallowed") from error
