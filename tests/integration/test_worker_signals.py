"""Signals that reach all processes of a worker at once, as service managers, batch systems and terminals send them."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rungmaster.shared.wire.session import Decision, DecisionKind, Exit, ExitOutcome, SessionResponse
from rungmaster.worker.assignment import ending

from .scripted_master import assignment
from .test_worker_process import Running, working
from .worker_harness import scene, until

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
#: As PyTorch Lightning does, it takes an interrupt for a wish to stop, and returns as if all were well.
GRACEFUL = """
    import os, subprocess, sys, time
    def train(trial):
        try:
            for step in trial.steps(lambda folder: (folder / "x").touch(), lambda folder: None):
                trial.report(loss=1.0, pid=os.getpid())
                time.sleep(0.05)
        except KeyboardInterrupt:
            return
"""


@pytest.fixture(autouse=True)
def hangups_are_heard() -> Iterator[None]:
    """Under nohup this process ignores SIGHUP, and what it starts would, too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def signal_all(it: Running, number: signal.Signals) -> None:
    worker = psutil.Process(it.process.pid)
    for process in [*worker.children(recursive=True), worker]:
        process.send_signal(number)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("options", [(), ("--fresh-processes",)], ids=["forked", "fresh"])
def test_a_signal_to_all_processes_of_a_worker_saves_the_trial(
    tmp_path: Path, number: signal.Signals, options: tuple[str, ...]
) -> None:
    async def story() -> None:
        async with working(tmp_path, *options, code=GRACEFUL) as it:
            signal_all(it, number)
            assert await it.exit_code() == 0
            assert it.record.exit == Exit(ExitOutcome.GIVEN_BACK)
            assert [saved.resource for saved in it.record.saved] == it.record.resources[-1:]

    asyncio.run(story())


#: Commands that die of the signal, answer it with an exit code, or take it for the end of their work.
COMMANDS = {
    "dies": "",
    "exits as a shell does": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))",
    "takes it for the end": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))",
    "fails of it": "signal.signal(signal.SIGTERM, lambda *_: sys.exit('a helper died'))",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_ends_with_its_worker_is_not_to_blame(tmp_path: Path, command: str) -> None:
    program = f"""
import signal, sys, time
from rungmaster import Trial
{COMMANDS[command]}
trial = Trial.connect()
for step in range(2):
    trial.report(step + 1, loss=1.0)
while True:
    time.sleep(0.1)
"""
    (tmp_path / "program.py").write_text(program)
    fields = {"entrypoint": "", "command": (sys.executable, "program.py")}

    async def story() -> None:
        async with working(tmp_path, **fields) as it:
            signal_all(it, signal.SIGTERM)
            assert await it.exit_code() == 0
            assert it.record.exit is not None
            assert it.record.exit.outcome is ExitOutcome.GIVEN_BACK, it.record.exit

    asyncio.run(story())


def test_a_training_process_that_alone_is_signalled_has_failed(tmp_path: Path) -> None:
    code = """
        import os, signal
        def train(trial):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
    """

    async def story() -> None:
        async with scene(tmp_path, code) as it:
            record = it.master.give(assignment())
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.FAILED
            assert "killed by SIGTERM" in record.exit.error

    asyncio.run(story())


def test_what_training_code_starts_can_be_ended_by_signals(tmp_path: Path) -> None:
    code = """
        import multiprocessing, subprocess, time
        def train(trial):
            for _ in range(30):
                helper = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
                helper.start()
                helper.terminate()
                helper.join()
            helper = subprocess.Popen(["sleep", "600"])
            helper.terminate()
            helper.wait()
            for step in trial.steps():
                trial.report(loss=1.0)
    """

    async def story() -> None:
        async with scene(tmp_path, code) as it:
            record = it.master.give(assignment(target=1))
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.RELEASED)

    asyncio.run(story())


@pytest.mark.parametrize("kind", [DecisionKind.PAUSE, DecisionKind.STOP])
def test_a_process_that_goes_on_reporting_gives_its_slot_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: DecisionKind
) -> None:
    monkeypatch.setattr(ending, "STOP_PATIENCE_S", 0.5)
    code = """
        import itertools, time
        from rungmaster.shared.errors import RungmasterError
        def train(trial):
            for resource in itertools.count(1):
                try:
                    trial._link.report(resource, {"loss": 1.0})
                except RungmasterError:
                    pass
                time.sleep(0.01)
    """

    async def story() -> None:
        async with scene(tmp_path, code) as it:
            record = it.master.give(assignment(target=10**6))
            await until(lambda: record.resources)
            it.master.tell(
                SessionResponse(decisions=(Decision(record.assignment.lease, 0, kind, save_checkpoint=True),))
            )
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.GIVEN_BACK)

    asyncio.run(story())
