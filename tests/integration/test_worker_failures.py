"""What goes wrong in a training process ends that one lease, with the cause in plain words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest

from rungmaster.shared.session import Exit, ExitOutcome, Measurement, SessionResponse
from rungmaster.worker import child, output, uploads

from .scripted_master import ScriptedMaster, assignment, pause
from .worker_harness import COUNTING, scene, until


def ending(tmp_path: Path, code: str = COUNTING, **fields: Any) -> Exit:
    """Trains one trial, and checks that the worker can train another afterwards."""

    async def story() -> Exit:
        async with scene(tmp_path, code) as it:
            record = it.master.assign(assignment(**fields))
            await until(lambda: record.exit)
            after = it.master.assign(assignment(trial_id=99, entrypoint="healthy:train", target=1))
            await until(lambda: after.exit)
            assert after.exit == Exit(ExitOutcome.RELEASED)
            assert record.exit is not None
            return record.exit

    (tmp_path / "healthy.py").write_text(
        "def train(trial):\n    for _ in trial.steps():\n        trial.report(loss=1)\n"
    )
    return asyncio.run(story())


def test_an_exception_is_reported_with_its_traceback(tmp_path: Path) -> None:
    ended = ending(tmp_path, "def train(trial):\n    raise ZeroDivisionError('a rate of zero')")
    assert ended.outcome is ExitOutcome.FAILED
    assert ended.error.startswith("it exited with code 1\n")
    assert ended.error.endswith("ZeroDivisionError: a rate of zero")


def test_of_a_long_output_the_end_is_kept(tmp_path: Path) -> None:
    ended = ending(tmp_path, "def train(trial):\n    print('x' * 100_000)\n    raise SystemExit('the last word')")
    assert len(ended.error) == 4_000
    assert ended.error.endswith("the last word")


def test_a_process_killed_from_outside_is_a_failure_that_names_the_signal(tmp_path: Path) -> None:
    code = "import os, signal\ndef train(trial):\n    os.kill(os.getpid(), signal.SIGKILL)"
    ended = ending(tmp_path, code)
    assert ended == Exit(ExitOutcome.FAILED, "the training process was killed by SIGKILL (out of memory?)")


def test_invalid_hyperparameters_are_no_failure(tmp_path: Path) -> None:
    code = """
        def train(trial):
            try:
                trial.invalid("width 7 cannot be divided by 2 heads")
            except Exception:
                pass
            raise AssertionError("not reached: what ends the process is no Exception")
    """
    assert ending(tmp_path, code) == Exit(ExitOutcome.INVALID_HPARAMS, "width 7 cannot be divided by 2 heads")


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("def train(trial):\n    pass", "the training ended at resource 0, before its target (3)"),
        (
            "def train(trial):\n    import os\n    os._exit(0)",
            "it exited with code 0 at resource 0, before its target (3)",
        ),
        ("def train(trial):\n    for _ in trial.steps(): pass", "step 2 reached the target (3) without a report"),
        ("def train(trial):\n    for _ in trial.steps(): trial.report(los=1)", "'loss' is missing at resource 3"),
        ("def train(trial):\n    for _ in trial.steps(): trial.report(loss='low')", "loss must be a number, got 'low'"),
        ("def train(trial):\n    trial.report(2, loss=1)\n    trial.report(2, loss=1)", "got 2 after 2"),
        ("def train(trial):\n    trial.report(loss=1)", "outside a step of steps() the resource is not known"),
        ("def train(trial):\n    for _ in trial.steps(trial.save): pass", "give both save and load"),
    ],
)
def test_wrong_use_fails_the_trial_and_says_what_to_do(tmp_path: Path, code: str, complaint: str) -> None:
    ended = ending(tmp_path, code)
    assert ended.outcome is ExitOutcome.FAILED
    assert complaint in ended.error


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"entrypoint": "absent:train"}, "there is no module 'absent' in"),
        ({"entrypoint": "", "command": ("no-such-program", "1")}, "cannot run 'no-such-program' in"),
        ({"slots": 2}, "the trial takes 2 slots, and this worker has 1"),
        ({"checkpoint_storage": "nonsense://bucket"}, "Protocol not known: nonsense"),
    ],
)
def test_what_cannot_be_run_here_is_the_fault_of_the_worker(
    tmp_path: Path, fields: dict[str, Any], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "ATTEMPTS", 1)

    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=pause)) as it:
            given = assignment(**fields)
            record = it.master.assign(given)
            if given.slots > 1:
                it.master.queue.clear()
                it.agent.received(SessionResponse(assignments=(given,)))
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.WORKER_FAULT
            assert complaint in record.exit.error

    asyncio.run(story())


def test_a_function_that_is_not_in_its_module_is_the_fault_of_the_code(tmp_path: Path) -> None:
    ended = ending(tmp_path, entrypoint="training:trian")
    assert ended.outcome is ExitOutcome.FAILED
    assert "has no function 'trian'" in ended.error


def test_a_trial_that_makes_no_progress_is_ended(tmp_path: Path) -> None:
    code = """
        import time
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1)
                time.sleep(600)
    """
    ended = ending(tmp_path, code, progress_timeout=0.5)
    assert ended.outcome is ExitOutcome.FAILED
    assert ended.error.startswith("no report for 0.5 s (progress_timeout), so it was ended")


def test_waiting_for_the_master_does_not_count_as_making_no_progress(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=lambda lease, resource: None)) as it:
            record = it.master.assign(assignment(target=1, progress_timeout=0.3))
            await until(lambda: record.resources)
            beats = len(it.master.received)
            await until(lambda: len(it.master.received) > beats + 5)
            assert record.exit is None

    asyncio.run(story())


def test_what_the_training_started_itself_ends_with_it(tmp_path: Path) -> None:
    code = """
        import subprocess, sys
        from pathlib import Path
        def train(trial):
            helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path("helper").write_text(str(helper.pid))
            for step in trial.steps():
                trial.report(loss=1)
    """
    assert ending(tmp_path, code).outcome is ExitOutcome.RELEASED
    helper = int((tmp_path / "helper").read_text())
    assert not psutil.pid_exists(helper) or psutil.Process(helper).status() == psutil.STATUS_ZOMBIE


def test_what_a_trial_prints_is_kept_in_a_file_of_its_own(tmp_path: Path) -> None:
    code = """
        import sys
        def train(trial):
            print("to standard output")
            print("to standard error", file=sys.stderr)
            for step in trial.steps():
                trial.report(loss=1)
    """
    ending(tmp_path, code, trial_id=5, token=3)
    assert (tmp_path / "logs/1/5-3.log").read_text() == "to standard output\nto standard error\n"


def test_of_a_flood_of_output_the_beginning_and_the_end_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "INTERVAL", 0.05)
    monkeypatch.setattr(output.shorten, "__defaults__", (100_000, 10_000))
    code = """
        import os, time
        from pathlib import Path
        def train(trial):
            print("the beginning")
            while os.stat(1).st_size <= 100_000:
                print("x" * 1_000)
            while os.stat(1).st_size > 100_000:
                time.sleep(0.01)
            print("later")
            for step in trial.steps():
                trial.report(loss=1)
            print("y" * 200_000)
            raise SystemExit("the last word")
    """
    ended = ending(tmp_path, code)
    assert ended.error.endswith("the last word")
    log = (tmp_path / "logs/1/1-1.log").read_text()
    assert log.startswith("the beginning\nx")
    assert log.endswith("y\nthe last word\n")
    assert len(log) < 21_000
    assert "bytes were dropped here: a log keeps at most 100,000]\n" in log


def test_a_checkpoint_with_a_forbidden_file_fails_the_trial(tmp_path: Path) -> None:
    code = """
        def train(trial):
            for step in trial.steps(lambda folder: (folder / "manifest.json").touch(), lambda folder: None):
                trial.report(loss=1)
    """

    async def story() -> None:
        async with scene(tmp_path, code, master=ScriptedMaster(decide=pause)) as it:
            record = it.master.assign(assignment())
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.FAILED
            assert "a file cannot be called 'manifest.json'" in record.exit.error

    asyncio.run(story())


def test_a_process_that_does_not_listen_is_ended_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "KILL_GRACE", 0.2)
    code = """
        import os, signal
        def train(trial):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for step in trial.steps():
                trial.report(loss=1, pid=os.getpid())
                os.kill(os.getpid(), signal.SIGSTOP)
    """

    async def story() -> None:
        async with scene(tmp_path, code) as it:
            record = it.master.assign(assignment(progress_timeout=0.3))
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.FAILED
            measured = record.events[0]
            assert isinstance(measured, Measurement)
            assert not psutil.pid_exists(int(measured.metrics["pid"]))

    asyncio.run(story())
