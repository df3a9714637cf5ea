"""The scripted master that users have for their tests, with a real worker process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from rungmaster.shared.errors import InvalidInput, RungmasterError
from rungmaster.worker.testing import ScriptedMaster

from .worker_harness import COUNTING, write_training

ROOT = Path(__file__).parents[2]
FILE = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.DOTALL)


def test_the_documented_test_passes_for_the_training_code_of_the_readme(tmp_path: Path) -> None:
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/training-code.md")]
    files = dict(FILE.findall("".join(pages)))
    for name in ("my_training.py", "test_my_training.py"):
        (tmp_path / name).write_text(files[name])
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"my_training.py", "test_my_training.py"}


def test_a_trial_follows_its_script_and_every_report_arrives_once(tmp_path: Path) -> None:
    write_training(tmp_path, COUNTING)
    with ScriptedMaster() as master:
        trial = master.assign("training:train", {}, target=1, metric="loss", decisions=[3, 9, "stop"], cut_at=[1, 2, 9])
        master.train(tmp_path)
        hellos = [request.hello for request in master.received if request.hello]
    assert trial.outcome == "released"
    assert trial.resources == [*range(1, 10)]
    assert [report.metrics["counted"] for report in trial.reports] == [*range(1, 10)]
    assert trial.saved == [], "what is stopped is not saved"
    assert len({hello.session_id for hello in hellos}) == 1
    assert len(hellos) == 4, "it comes again after each cut"


def test_a_program_is_resumed_from_the_last_checkpoint_under_its_own_number(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "from rungmaster import Trial\n"
        "trial = Trial.connect()\n"
        "for step in trial.steps(lambda folder: (folder / 'x').touch(), lambda folder: None):\n"
        "    trial.report(loss=trial.hparams['rate'], trial=trial.trial_id, seed=trial.seed)\n"
    )
    with ScriptedMaster() as master:
        first = master.assign(
            [sys.executable, "program.py"], {"rate": 0.5}, target=2, metric="loss", decisions=["pause"], trial_id=7
        )
        master.train(tmp_path)
        second = master.resume(first, target=3, decisions=["pause"])
        master.train(tmp_path)
    assert (first.resources, second.resources) == ([1, 2], [3])
    assert [saved.resource for saved in first.saved + second.saved] == [2, 3]
    first_metrics, last_metrics = first.reports[0].metrics, second.reports[-1].metrics
    assert first_metrics == last_metrics
    assert first_metrics["trial"] == 7


def test_a_trial_that_fails_says_of_what(tmp_path: Path) -> None:
    write_training(tmp_path, "def train(trial):\n    raise ValueError('no such width')")
    with ScriptedMaster() as master:
        trial = master.assign("training:train", {}, target=1, metric="loss")
        assert trial.outcome is None
        master.train(tmp_path)
    assert trial.outcome == "failed"
    assert "ValueError: no such width" in trial.error


def test_training_that_does_not_end_in_time_is_ended(tmp_path: Path) -> None:
    write_training(tmp_path, COUNTING)
    before = {*psutil.Process().children(recursive=True)}
    with ScriptedMaster() as master:
        trial = master.assign("training:train", {}, target=10**6, metric="loss")
        with pytest.raises(TimeoutError, match=r"not every trial has ended within 0\.1 s"):
            master.train(tmp_path, timeout_s=0.1)
        assert {*psutil.Process().children(recursive=True)} <= before
        assert trial.outcome in (None, "given_back")


def test_a_worker_that_cannot_start_is_told(tmp_path: Path) -> None:
    with ScriptedMaster() as master:
        master.assign("training:train", {}, target=1, metric="loss")
        with pytest.raises(RungmasterError, match=r"the worker ended with exit code 2: .*missing"):
            master.train(tmp_path / "missing")


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ([3, 3], "each target must be beyond the one before, got 3 after 3"),
        ([1], "each target must be beyond the one before, got 1 after 2"),
        (["pause", 4], 'further targets, and "pause" or "stop" at the end'),
        (["continue"], 'further targets, and "pause" or "stop" at the end'),
    ],
)
def test_decisions_that_no_master_could_make_are_refused(decisions: list[Any], message: str) -> None:
    with ScriptedMaster() as master, pytest.raises(InvalidInput, match=message):
        master.assign("training:train", {}, target=2, metric="loss", decisions=decisions)
