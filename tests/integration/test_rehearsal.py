"""What cannot be started on this machine is told before anything is, in one line and with exit code 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from rungmaster import run
from rungmaster.client.cli.main import execute
from rungmaster.shared import rehearsal
from rungmaster.shared.errors import CannotStart
from rungmaster.shared.rehearsal import rehearse
from rungmaster.shared.spec.spec import Spec, spec_from_json

GOOD = "def train(trial): ...\n"


def document(**fields: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "entrypoint": "train:train",
        "metric": {"name": "loss", "goal": "minimize"},
        "hyperparameters": {"x": 1},
        "searcher": {"name": "asha", "max_trials": 4, "max_resource": 4},
    } | fields


def spec(**fields: Any) -> Spec:
    return spec_from_json(document(**fields))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"entrypoint": ["python3", "train.py", "--fast"]},
        {"entrypoint": ["sh", "-c", "exit 0"]},
        {"entrypoint": ["./good.sh"]},
        {"checkpoints": {"storage": "deep/inside/here"}},
        {"checkpoints": {"storage": "memory://x"}},
    ],
)
def test_what_can_be_started_is_not_objected_to_and_leaves_nothing_behind(here: Path, fields: dict[str, Any]) -> None:
    (here / "good.sh").write_text("#! /usr/bin/env -S sh -e\n")
    (here / "good.sh").chmod(0o755)
    rehearse(spec(**fields), here)
    assert {path.name for path in here.iterdir()} <= {"train.py", "__pycache__", "good.sh"}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"entrypoint": "trian:train"}, "there is no module 'trian' in .*; did you mean 'train'"),
        ({"entrypoint": "train:trian"}, "has no function 'trian'; did you mean 'train'"),
        ({"entrypoint": "lacking:train"}, "importing lacking failed: ModuleNotFoundError: No module named 'nowhere'"),
        (
            {"entrypoint": "raising:train"},
            r"importing raising failed: ValueError: no data \(raising.py, line 2, in <module>",
        ),
        ({"entrypoint": "leaving:train"}, "importing leaving failed: SystemExit: 3"),
        ({"entrypoint": "crashing:train"}, "the process that imported it ended with code -9"),
        ({"entrypoint": ["pyhton", "train.py"]}, "cannot run 'pyhton' .* did you mean 'python"),
        ({"entrypoint": ["python3", "trian.py"]}, "there is no file 'trian.py'; did you mean 'train.py'"),
        ({"entrypoint": ["./nowhere.sh"]}, "its first line names '/no/such/shell', which is not here"),
        ({"entrypoint": ["./env.sh"]}, "its first line names 'pyhton', which is not here"),
        ({"entrypoint": ["./windows.sh"]}, r"its first line names '/bin/sh\\r', which is not here"),
        ({"checkpoints": {"storage": "train.py"}}, "train.py, cannot be made: it is a file"),
        ({"checkpoints": {"storage": "az://bucket/x"}}, r"not installed here: pip install 'rungmaster\[azure\]'"),
        ({"checkpoints": {"storage": "simplecache::az://bucket/x"}}, r"pip install 'rungmaster\[azure\]'"),
        ({"checkpoints": {"storage": "/proc/nope/ck"}}, "/proc/nope/ck, cannot be made"),
        ({"checkpoints": {"storage": "train.py/ck"}}, "train.py/ck, cannot be made: Not a directory"),
    ],
)
def test_what_is_missing_is_told(here: Path, fields: dict[str, Any], complaint: str) -> None:
    for name, line in (("nowhere", "/no/such/shell -e"), ("env", "/usr/bin/env pyhton"), ("windows", "/bin/sh\r")):
        (here / f"{name}.sh").write_bytes(f"#!{line}\n".encode())
        (here / f"{name}.sh").chmod(0o755)
    (here / "lacking.py").write_text("import nowhere\n")
    (here / "raising.py").write_text("\nraise ValueError('no data')\n")
    (here / "leaving.py").write_text("raise SystemExit(3)\n")
    (here / "crashing.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n")
    with pytest.raises(CannotStart, match=complaint):
        rehearse(spec(**fields), here)


def test_code_that_asks_at_once_for_its_trial_is_left_to_the_worker(here: Path) -> None:
    (here / "train.py").write_text(f"import os\nRATE = float(os.environ['RUNGMASTER_HPARAM_RATE'])\n{GOOD}")
    rehearse(spec(), here)


def test_an_import_that_takes_long_is_left_to_the_worker_and_ended(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "PATIENCE_S", 1.0)
    (here / "train.py").write_text("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n")
    rehearse(spec(), here)
    for started in here.glob("pid"):
        assert not psutil.pid_exists(int(started.read_text()))


def test_run_starts_nothing_where_its_code_is_missing(here: Path) -> None:
    with pytest.raises(CannotStart, match="there is no module 'trian'"):
        run(document(entrypoint="trian:train"))
    assert [path.name for path in here.iterdir()] == ["train.py"]


@pytest.mark.parametrize("command", [("run",), ("plan", "--check")])
def test_a_misspelt_entrypoint_is_one_line_and_exit_code_2(
    here: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "spec.yaml").write_text(yaml.safe_dump(document(entrypoint=["pyhton", "train.py"])))
    assert execute([*command, "spec.yaml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot run 'pyhton'" in line
    assert not (here / "rungmaster.db").exists()


def test_plan_checks_only_where_it_is_asked_to(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "spec.yaml").write_text(yaml.safe_dump(document(entrypoint="trian:train")))
    assert execute(["plan", "spec.yaml"]) == 0
    endless = {"x": {"type": "float", "low": 0, "high": 1}}
    (here / "spec.yaml").write_text(yaml.safe_dump(document(hyperparameters=endless)))
    assert execute(["plan", "--check", "spec.yaml"]) == 0
    assert capsys.readouterr().err == ""


def test_plan_check_warns_of_a_space_with_fewer_combinations_than_trials(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = document(hyperparameters={"x": {"type": "ordinal", "sequence": [1, 2, 3]}})
    small["searcher"]["max_trials"] = 8
    (here / "spec.yaml").write_text(yaml.safe_dump(small))
    assert execute(["plan", "--check", "spec.yaml"]) == 0
    assert capsys.readouterr().err == (
        "warning: spec.yaml: hyperparameters: there are 3 combinations for 8 trials: each comes once, and then again\n"
    )
