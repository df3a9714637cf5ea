"""The command `rungmaster worker` as its users meet it: signals, a closed input, kill -9, and what it prints."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from rungmaster.shared.wire.session import ExitOutcome, Measurement

from .scripted_master import ScriptedMaster, ScriptedTrial, assignment
from .worker_harness import DEADLINE, until, write_training

#: Trains on for ever, and leaves the process ids of itself and of what it started.
ENDLESS = """
    import os, subprocess, sys, time
    from pathlib import Path
    def train(trial):
        helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        for step in trial.steps(lambda folder: (folder / "x").touch(), lambda folder: None):
            trial.report(loss=1.0, pid=os.getpid(), helper=helper.pid)
            time.sleep(0.02)
"""


@dataclass
class Running:
    """A worker process and the trial that it trains."""

    master: ScriptedMaster
    process: asyncio.subprocess.Process
    record: ScriptedTrial

    async def exit_code(self) -> int:
        return await asyncio.wait_for(self.process.wait(), DEADLINE)

    def alive(self) -> list[int]:
        """Which processes of the training are still there."""
        first = next(event for event in self.record.events if isinstance(event, Measurement))
        return [pid for pid in (int(first.metrics["pid"]), int(first.metrics["helper"])) if runs(pid)]


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.asynccontextmanager
async def working(directory: Path, *options: str, code: str = ENDLESS, **fields: Any) -> AsyncIterator[Running]:
    """A worker process that trains one endless trial."""
    write_training(directory, code)
    master = ScriptedMaster()
    master.start()
    arguments = ["--master", master.address, "--directory", str(directory), *options]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", "from rungmaster.worker.cli import command; command()"),
        *arguments,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        record = master.give(assignment(target=10**6, **fields))
        await until(lambda: len(record.events) >= 2)
        yield Running(master, process, record)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        master.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_the_worker(tmp_path: Path, number: signal.Signals) -> None:
    async def story() -> None:
        async with working(tmp_path) as it:
            it.process.send_signal(number)
            assert await it.exit_code() == 0
            assert it.record.exit is not None
            assert it.record.exit.outcome is ExitOutcome.GIVEN_BACK
            assert [saved.resource for saved in it.record.saved] == it.record.resources[-1:]
            assert it.alive() == []

    asyncio.run(story())


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    code = ENDLESS.replace("time.sleep(0.02)", "time.sleep(600 if step else 0)")

    async def story() -> None:
        async with working(tmp_path, "--grace", "600", code=code) as it:
            it.process.send_signal(signal.SIGTERM)
            await until(lambda: it.master.draining)
            it.process.send_signal(signal.SIGTERM)
            assert await it.exit_code() == 1
            await until(lambda: it.alive() == [])
            assert it.record.exit is None

    asyncio.run(story())


def test_the_worker_drains_when_its_input_closes(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path, "--exit-with-parent") as it:
            assert it.process.stdin is not None
            it.process.stdin.close()
            assert await it.exit_code() == 0
            assert it.record.saved

    asyncio.run(story())


def test_a_killed_worker_leaves_nobody_training(tmp_path: Path) -> None:
    async def story() -> None:
        async with working(tmp_path) as it:
            assert len(it.alive()) == 2
            it.process.kill()
            await it.exit_code()
            await until(lambda: it.alive() == [], "the training and what it started to end")

    asyncio.run(story())


def test_the_next_worker_removes_the_temporary_folder_of_a_killed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(temporary: Path) -> None:
        async with working(tmp_path) as it:
            it.process.kill()
        (left,) = inside(temporary)
        async with working(tmp_path) as it:
            assert left not in inside(temporary)
            it.process.send_signal(signal.SIGTERM)
            await it.exit_code()
            assert inside(temporary) == []

    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)
        asyncio.run(story(Path(temporary)))


def inside(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "worker", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--label", "gpu"), "write KEY=VALUE"),
        (("--slots", "0"), "0 is not in the range"),
        (("--master", "host:port"), "the port must be a number"),
        (("--directory", "/no/such/folder"), "does not exist"),
    ],
)
def test_wrong_usage_is_told_in_one_line(arguments: tuple[str, ...], complaint: str) -> None:
    ended = cli(*arguments)
    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_without_a_master_is_told_in_plain_words(tmp_path: Path) -> None:
    ended = cli("--master", "127.0.0.1:1", "--connect-timeout", "0", "--directory", str(tmp_path))
    assert ended.returncode == 1
    assert "no master could be reached at 127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_front_door_costs_a_training_program_nothing() -> None:
    heavy = "{'grpc', 'sqlalchemy', 'asyncio', 'pydantic', 'ConfigSpace', 'fsspec', 'google'}"
    code = f"import sys; from rungmaster import Trial; print(*({heavy} & set(sys.modules)), Trial.__name__)"
    ended = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "Trial\n"
