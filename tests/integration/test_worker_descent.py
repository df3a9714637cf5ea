"""Nothing that a trial has started outlives it, whatever it did to get away and whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from rungmaster.shared.wire.session import Exit, ExitOutcome, Measurement

from .descent import ESCAPING, PROGRAM, at_large, escaped, runs
from .scripted_master import ScriptedTrial, assignment
from .test_worker_process import Running, working
from .worker_harness import Scene, scene, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only process groups can be ended")

#: How a trial's process is started: options of the worker, fields of the assignment.
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "forked": ({}, {}),
    "fresh": ({"fresh_processes": True}, {}),
    "command": ({}, {"entrypoint": "", "command": (sys.executable, "program.py")}),
}


def prepared(directory: Path) -> Path:
    (directory / "program.py").write_text(PROGRAM)
    return directory


def told(record: ScriptedTrial, name: str) -> int:
    """A process id that the training has reported."""
    first = next(event for event in record.events if isinstance(event, Measurement))
    return int(first.metrics[name])


async def training(it: Scene, trial_id: int = 1, **fields: Any) -> ScriptedTrial:
    """A trial that trains, and has started what tries to get away."""
    record = it.master.give(assignment(trial_id=trial_id, target=10**6, **fields))
    await until(lambda: record.resources)
    assert len(at_large(it.directory)) >= 2
    return record


@pytest.mark.parametrize("way", WAYS)
def test_what_a_trial_has_started_ends_when_its_lease_is_lost(tmp_path: Path, way: str) -> None:
    settings, fields = WAYS[way]

    async def story() -> None:
        async with scene(prepared(tmp_path), ESCAPING, **settings) as it:
            record = await training(it, **fields)
            it.master.lose(record.assignment.lease)
            await until(lambda: at_large(tmp_path) == [])

    asyncio.run(story())


@pytest.mark.parametrize("way", WAYS)
def test_what_a_trial_leaves_behind_is_gone_when_its_end_is_told(tmp_path: Path, way: str) -> None:
    settings, fields = WAYS[way]

    async def story() -> None:
        async with scene(prepared(tmp_path), ESCAPING, **settings) as it:
            record = it.master.give(assignment(target=2, **fields))
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.RELEASED)
            assert len(escaped(tmp_path)) == 2
            assert at_large(tmp_path) == []

    asyncio.run(story())


@pytest.mark.parametrize("way", WAYS)
def test_what_a_trial_has_started_ends_with_a_worker_that_drains(tmp_path: Path, way: str) -> None:
    settings, fields = WAYS[way]

    async def story() -> None:
        async with scene(prepared(tmp_path), ESCAPING, **settings) as it:
            await training(it, **fields)
            assert await it.drained() == 0
            assert at_large(tmp_path) == []

    asyncio.run(story())


#: Whom somebody kills with SIGKILL, of a worker and the processes below it.
VICTIMS: dict[str, Callable[[Running], list[int]]] = {
    "the worker": lambda it: [it.process.pid],
    "the reaper": lambda it: [reaper(it).pid],
    "the supervisor": lambda it: [told(it.record, "supervisor")],
    "the training": lambda it: [told(it.record, "pid")],
    "the worker and its reaper": lambda it: [it.process.pid, reaper(it).pid],
    "the worker and the supervisor": lambda it: [it.process.pid, told(it.record, "supervisor")],
    "the reaper and the training": lambda it: [reaper(it).pid, told(it.record, "pid")],
}


def reaper(it: Running) -> psutil.Process:
    (found,) = psutil.Process(it.process.pid).children()
    return found


@pytest.mark.parametrize("victims", VICTIMS)
@pytest.mark.parametrize("options", [(), ("--fresh-processes",)], ids=["forked", "fresh"])
def test_whoever_is_killed_nothing_gets_away(tmp_path: Path, victims: str, options: tuple[str, ...]) -> None:
    async def story() -> None:
        async with working(tmp_path, *options, code=ESCAPING) as it:
            assert len(at_large(tmp_path)) == 2
            below = [process.pid for process in reaper(it).children(recursive=True)]
            for pid in VICTIMS[victims](it):
                # The first one's end may be the second one's.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await until(lambda: at_large(tmp_path) == [] and not runs(told(it.record, "pid")))
            if "worker" in victims:
                await until(lambda: not any(map(runs, below)), "the worker's own processes to end")

    asyncio.run(story())


def test_a_worker_goes_on_after_its_reaper_was_killed(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path, code=ESCAPING) as it:
            reaper(it).kill()
            await until(lambda: it.record.exit)
            assert it.record.exit is not None
            assert it.record.exit.outcome is ExitOutcome.WORKER_FAULT, "the training code is not to blame"
            after = it.master.give(assignment(trial_id=2, target=2))
            await until(lambda: after.exit)
            assert after.exit == Exit(ExitOutcome.RELEASED)

    asyncio.run(story())


def test_the_end_of_one_trial_is_not_the_end_of_what_another_has_started(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, ESCAPING, slots=2) as it:
            await training(it)
            others = at_large(tmp_path)
            second = await training(it, 2)
            os.kill(told(second, "supervisor"), signal.SIGKILL)
            await until(lambda: second.exit)
            await until(lambda: at_large(tmp_path) == others)

    asyncio.run(story())


def test_what_forks_without_end_is_caught(tmp_path: Path) -> None:
    code = """
        import os, time
        def train(trial):
            if os.fork() == 0:
                os.setsid()
                while True:  # each lives for a moment only, and is nobody's child
                    if os.fork():
                        os._exit(0)
                    with open("escaped", "w") as escaped:
                        escaped.write(str(os.getpid()))
                    time.sleep(0.001)
            while not os.path.exists("escaped"):
                time.sleep(0.001)
            for step in trial.steps():
                trial.report(loss=1.0)
    """

    async def story() -> None:
        async with scene(tmp_path, code) as it:
            record = it.master.give(assignment(target=2))
            await until(lambda: record.exit)
            last = (tmp_path / "escaped").read_text()
            for _ in range(20):
                await asyncio.sleep(0.01)
                assert (tmp_path / "escaped").read_text() == last

    asyncio.run(story())


def test_a_reaper_whose_worker_was_killed_before_it_read_an_answer_ends_as_it_should() -> None:
    (ours, its), (passing, received) = socket.socketpair(), socket.socketpair()
    numbers = [str(each.fileno()) for each in (its, received)]
    command = [sys.executable, "-P", "-m", "rungmaster.worker.process.reaper", *numbers]
    with subprocess.Popen(command, pass_fds=[int(each) for each in numbers], stderr=subprocess.PIPE) as process:
        its.close()
        ours.sendall(b'{"start": 1, "input": true}\n')
        passing.close()
        assert select.select([ours], [], [], 40)[0], "no answer"
        ours.close()
        assert process.wait(40) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    received.close()
