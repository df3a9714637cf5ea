"""What goes wrong in a training process ends that one lease, with the cause in plain words."""

from __future__ import annotations

import asyncio
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from rungmaster.shared.errors import CannotStart
from rungmaster.shared.wire.session import Exit, ExitOutcome, Measurement, SessionResponse
from rungmaster.worker.assignment import output
from rungmaster.worker.assignment.output import LIMIT
from rungmaster.worker.checkpoints.store import CheckpointStore
from rungmaster.worker.process import child

from .scripted_master import ScriptedMaster, assignment, pause, reference
from .worker_harness import COUNTING, scene, until


def ending(tmp_path: Path, code: str = COUNTING, log_limit: int = LIMIT, **fields: Any) -> Exit:
    """Trains one trial, and checks that the worker can train another afterwards."""

    async def story() -> Exit:
        async with scene(tmp_path, code, log_limit=log_limit) as it:
            record = it.master.give(assignment(**fields))
            await until(lambda: record.exit)
            after = it.master.give(assignment(trial_id=99, entrypoint="healthy:train", target=1))
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
    first, *output = ended.error.splitlines()
    assert first == "exited with code 1: ZeroDivisionError: a rate of zero (training.py, line 2, in train)"
    assert output[0] == "Traceback (most recent call last):"
    assert output[-1] == "ZeroDivisionError: a rate of zero"


def test_of_a_long_output_the_end_is_kept(tmp_path: Path) -> None:
    ended = ending(tmp_path, "def train(trial):\n    print('x' * 100_000)\n    raise SystemExit('the last word')")
    assert len(ended.error) == 4_000
    assert ended.error.endswith("the last word")


def test_a_process_killed_from_outside_is_a_failure_that_names_the_signal(tmp_path: Path) -> None:
    code = "import os, signal\ndef train(trial):\n    os.kill(os.getpid(), signal.SIGKILL)"
    ended = ending(tmp_path, code)
    assert ended == Exit(ExitOutcome.FAILED, "killed by SIGKILL (probably out of memory)")


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
            "exited with code 0 at resource 0, before its target (3)",
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
        (
            {"entrypoint": "trianing:train"},
            "there is no module 'trianing' in {here} or on PYTHONPATH; did you mean 'training'?",
        ),
        ({"entrypoint": "training.deeper:train"}, "there is no module 'training.deeper' in {here}"),
        ({"entrypoint": "training.py:train"}, "name the module without its ending: 'training', not 'training.py'"),
        ({"entrypoint": "training:trian"}, "training.py has no function 'trian'; did you mean 'train'?"),
        ({"entrypoint": "training:LIMIT"}, "'LIMIT' in {here}/training.py is not a function"),
        ({"entrypoint": "lacking:train"}, "ModuleNotFoundError: No module named 'no_such_package' (lacking.py, line 1"),
        ({"entrypoint": "broken:train"}, "importing broken failed: SyntaxError: "),
        (
            {"command": ("pyhton", "training.py")},
            "cannot run 'pyhton' in {here}: there is no such program on PATH; did you",
        ),
        ({"command": ("./tarin.sh",)}, "there is no such file; did you mean 'train.sh'?"),
        ({"command": ("./train.sh",)}, "it may not be executed; chmod +x ./train.sh"),
        ({"command": ("train.sh",)}, "there is no such program on PATH; to run the file here, write './train.sh'"),
        ({"command": ("python3", "trainig.py")}, "there is no file 'trainig.py'; did you mean 'training.py'?"),
        ({"checkpoint_storage": "nonsense://bucket"}, "Protocol not known: nonsense"),
        ({"checkpoint_storage": "az://bucket"}, "not installed here: pip install 'rungmaster[azure]'"),
        ({"checkpoint_storage": "/proc/nope/ck"}, "the folder for checkpoints, /proc/nope/ck, cannot be made"),
    ],
)
def test_what_an_experiment_names_and_this_machine_lacks_is_no_fault_of_anybodys(
    tmp_path: Path, fields: dict[str, Any], complaint: str
) -> None:
    (tmp_path / "lacking.py").write_text("import no_such_package\n")
    (tmp_path / "broken.py").write_text("def train(trial:\n")
    (tmp_path / "train.sh").write_text("#!/bin/sh\n")
    fields = fields | ({"entrypoint": ""} if "command" in fields else {})
    ended = ending(tmp_path, f"LIMIT = 7\n{textwrap.dedent(COUNTING)}", **fields)
    assert ended.outcome is ExitOutcome.CANNOT_START
    assert complaint.format(here=tmp_path) in ended.error.splitlines()[0]


def test_a_trial_that_is_too_large_is_refused_as_the_workers_fault(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path) as it:
            given = assignment(slots=2)
            record = it.master.give(given)
            it.master.queue.clear()
            it.agent.received(SessionResponse(assignments=(given,)))
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.WORKER_FAULT
            assert "the trial takes 2 slots, and this worker has 1" in record.exit.error

    asyncio.run(story())


def test_a_checkpoint_store_that_was_used_once_is_out_of_reach_when_it_is_gone(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.check("kept/here", "", used=False)
    (tmp_path / "kept").rename(tmp_path / "away")
    (tmp_path / "kept").write_text("no folder")
    store.check("kept/here", "", used=False)
    with pytest.raises(CannotStart, match="cannot be made: Not a directory"):
        CheckpointStore(tmp_path).check("kept/here", "", used=False)


#: What experiment trackers and libraries print after the traceback.
TRACKER = "import atexit, sys\natexit.register(lambda: print('tracker: synced 5 files', file=sys.stderr))\n"


@pytest.mark.parametrize(
    ("code", "first"),
    [
        (
            "raise RuntimeError('CUDA out of memory')",
            "exited with code 1: RuntimeError: CUDA out of memory (training.py, line",
        ),
        ("raise KeyError", "exited with code 1: KeyError (training.py, line"),
        ("import json; json.loads('{')", "(training.py, line"),
        ("import os; os._exit(3)", "exited with code 3"),
        ("sys.exit(7)", "exited with code 7"),
        ("sys.exit('no data')", "exited with code 1: no data"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL (probably out of memory)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV (a crash in native code)"),
        ("import time; time.sleep(600)", "no report for 1 s (progress_timeout), so it was ended"),
    ],
)
def test_the_first_line_says_what_ended_it_whatever_was_printed_last(tmp_path: Path, code: str, first: str) -> None:
    body = f"{TRACKER}def train(trial):\n    print('epoch 1: loss 0.53', flush=True)\n    {code}\n"
    ended = ending(tmp_path, body, progress_timeout_s=1.0)
    assert ended.outcome is ExitOutcome.FAILED
    told, *output = ended.error.splitlines()
    assert told == first or (first.endswith("line") and first in told), told
    assert "epoch 1: loss 0.53" in output
    assert "tracker" not in told


def test_an_exception_of_a_process_that_the_training_forked_is_not_taken_for_its_own(tmp_path: Path) -> None:
    code = """
        import os
        def train(trial):
            pid = os.fork()
            if pid == 0:
                raise ValueError("in a fork")
            os.waitpid(pid, 0)
            os._exit(3)
    """
    assert ending(tmp_path, code).error.splitlines()[0] == "exited with code 3"


@pytest.mark.parametrize(
    ("script", "first"),
    [
        ("python3 -c 'import atexit; atexit.register(print, \"synced\"); {}[1]'", "exited with code 1: KeyError: 1"),
        ("echo epoch 1; nonsuch --help", "exited with code 127 (a program was not found): it printed last: "),
        ("echo epoch 1; kill -9 $$", "killed by SIGKILL (probably out of memory)"),
        ("exit 4", "exited with code 4"),
    ],
)
def test_of_a_command_the_last_traceback_or_the_last_line_is_told(tmp_path: Path, script: str, first: str) -> None:
    ended = ending(tmp_path, entrypoint="", command=("sh", "-c", script))
    assert ended.error.splitlines()[0].startswith(first)


def test_a_trial_that_makes_no_progress_is_ended(tmp_path: Path) -> None:
    code = """
        import time
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1)
                time.sleep(600)
    """
    ended = ending(tmp_path, code, progress_timeout_s=0.5)
    assert ended.outcome is ExitOutcome.FAILED
    assert ended.error.startswith("no report for 0.5 s (progress_timeout), so it was ended")


def test_waiting_for_the_master_does_not_count_as_making_no_progress(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=lambda lease, resource: None)) as it:
            record = it.master.give(assignment(target=1, progress_timeout_s=0.3))
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


def test_only_what_the_process_itself_printed_is_quoted(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "1" / "1-1.log"
    log.parent.mkdir(parents=True)
    log.write_text("ValueError: an old bug, mended long ago\n")
    code = """
        import os, signal
        def train(trial):
            print("new", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = ending(tmp_path, code)
    assert "old bug" not in ended.error
    assert ended.error.endswith("new")
    assert log.read_text().startswith("ValueError: an old bug"), "what others printed stays in the file"


def test_trials_of_two_databases_share_a_folder_and_nothing_in_it(tmp_path: Path) -> None:
    code = """
        def train(trial):
            print("trained")
            for step in trial.steps(lambda folder: (folder / "w").write_text("1"), lambda folder: None):
                trial.report(loss=1)
    """
    for database_id in ("00000000000000aa", "00000000000000bb"):
        ending(tmp_path, code, database_id=database_id, checkpoint_interval_s=0.0)
        assert (tmp_path / "logs" / database_id / "1" / "1-1.log").read_text() == "trained\n"
        assert list((tmp_path / "store" / database_id / "1" / "1").glob("1-*/w"))


def test_of_a_flood_of_output_the_beginning_and_the_end_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "INTERVAL_S", 0.05)
    code = """
        import os, time
        from pathlib import Path
        def train(trial):
            print("the beginning")
            while os.stat(1).st_size <= 200_000:
                print("x" * 1_000)
            while os.stat(1).st_size > 200_000:
                time.sleep(0.01)
            print("later")
            for step in trial.steps():
                trial.report(loss=1)
            print("y" * 300_000)
            raise SystemExit("the last word")
    """
    ended = ending(tmp_path, code, log_limit=100_000)
    assert ended.error.endswith("the last word")
    log = (tmp_path / "logs/1/1-1.log").read_text()
    assert log.startswith("the beginning\nx")
    assert log.endswith("y\nthe last word\n")
    assert len(log) < 101_000
    assert "bytes were dropped here: a log keeps at most 100,000]\n" in log


def test_a_checkpoint_with_a_forbidden_file_fails_the_trial(tmp_path: Path) -> None:
    code = """
        def train(trial):
            for step in trial.steps(lambda folder: (folder / "manifest.json").touch(), lambda folder: None):
                trial.report(loss=1)
    """

    async def story() -> None:
        async with scene(tmp_path, code, master=ScriptedMaster(decide=pause)) as it:
            record = it.master.give(assignment())
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.FAILED
            assert "a file cannot be called 'manifest.json'" in record.exit.error

    asyncio.run(story())


def test_a_process_that_does_not_listen_is_ended_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "KILL_GRACE_S", 0.2)
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
            record = it.master.give(assignment(progress_timeout_s=0.3))
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.FAILED
            measured = record.events[0]
            assert isinstance(measured, Measurement)
            assert not psutil.pid_exists(int(measured.metrics["pid"]))

    asyncio.run(story())


#: Saves what `{links}` makes in a folder, and does what `{after}` says of an error.
LINKING = """
    import os
    from rungmaster import Trial

    def train(trial: Trial) -> None:
        def save(folder):
            (folder / "model").write_text("weights")
            {links}
        try:
            for _ in trial.steps(save, lambda folder: None):
                trial.report(loss=1)
        except Exception:
            {after}
"""


@pytest.mark.parametrize(
    "links", ["(folder / 'last').symlink_to('gone')", "(folder / 'a').symlink_to('a')", "os.mkfifo(folder / 'a')"]
)
@pytest.mark.parametrize("after", ["raise", "os._exit(0)"])
def test_a_checkpoint_that_cannot_be_kept_fails_the_trial_that_was_to_save_it(
    tmp_path: Path, links: str, after: str
) -> None:
    async def story() -> None:
        master = ScriptedMaster(decide=pause)
        async with scene(tmp_path, LINKING.format(links=links, after=after), master=master) as it:
            record = it.master.give(assignment(target=2))
            await until(lambda: record.exit)
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.FAILED
            assert "leave it out" in record.exit.error.splitlines()[0]
            assert not record.saved

    asyncio.run(story())


@pytest.mark.parametrize(
    ("links", "shown"),
    [
        ("(folder / 'last').symlink_to(folder / 'model')", "last"),
        ("(folder / 'last').symlink_to('model')", "last"),
        ("os.link(folder / 'model', folder / 'last')", "last"),
        ("(folder / 'd').mkdir(); (folder / 'd/w').write_text('weights'); (folder / 'l').symlink_to('d')", "l/w"),
    ],
)
def test_links_in_a_checkpoint_are_kept_as_what_they_show(tmp_path: Path, links: str, shown: str) -> None:
    async def story() -> None:
        master = ScriptedMaster(decide=pause)
        async with scene(tmp_path, LINKING.format(links=links, after="raise"), master=master) as it:
            record = it.master.give(assignment(target=2))
            await until(lambda: record.exit)
            assert record.exit == Exit(ExitOutcome.RELEASED)
            (saved,) = record.saved
            place = it.directory / reference(saved).uri
            assert (place / shown).read_text() == "weights"
            assert not (place / shown).is_symlink()

    asyncio.run(story())
