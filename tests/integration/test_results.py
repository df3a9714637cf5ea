"""What a run found stays at hand after it: as a Python value, by the commands, and as files of the best model."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from rungmaster import run
from rungmaster.client import Result
from rungmaster.client.cli.main import execute
from rungmaster.client.fetching import fetch_checkpoint
from rungmaster.shared.errors import CannotStart, DatabaseError, InvalidInput, NotFound, RungmasterError

TRAINING = """
import json

def train(trial):
    def save(folder):
        (folder / "parts").mkdir()
        (folder / "parts" / "x.json").write_text(json.dumps({"x": trial.hparams["x"], "step": trial.resource}))
    for step in trial.steps(save=save, load=lambda folder: None):
        trial.report(error=trial.hparams["x"] + 1 / (step + 1), accuracy=step / 10)
"""
SPEC: dict[str, Any] = {
    "name": "models",
    "entrypoint": "models:train",
    "metric": {"name": "error", "goal": "minimize"},
    "unit": "epochs",
    "hyperparameters": {
        "x": {"type": "float", "low": 0.0, "high": 1.0},
        "solver": "on",
        "nested": {"type": "constant", "value": {"rate": 1e-5}},
    },
    "searcher": {"name": "asha", "max_trials": 4, "max_resource": 4, "divisor": 2, "max_rungs": 2},
}


class Silent:
    def say(self, words: str) -> None:
        del words

    def show(self, snapshot: object) -> None:
        del snapshot


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The folder of a search that has ended, and what `run` returned."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "models.py").write_text(TRAINING)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, run(SPEC, workers=1, display=Silent())


@pytest.fixture
def folder(searched: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a copy of the database and its checkpoints."""
    shutil.copyfile(searched[0] / "rungmaster.db", tmp_path / "rungmaster.db")
    shutil.copytree(searched[0] / "checkpoints", tmp_path / "checkpoints")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNGMASTER_MASTER", raising=False)
    return tmp_path


def model_in(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "parts" / "x.json").read_text())


def test_a_result_is_the_experiment_and_all_that_its_database_has_of_it(searched: tuple[Path, Result]) -> None:
    result = searched[1]
    assert result.state == "completed"
    assert result.best is not None
    assert result.best == result.best_trial
    assert [trial.trial_id for trial in result.trials()] == [0, 1, 2, 3]
    assert result.trials(order="best")[0] == result.best
    assert {trial.state for trial in result.trials(states=["completed"])} == {"completed"}
    assert [report.resource for report in result.metrics()] == [1, 2, 3, 4]
    other = next(trial for trial in result.trials() if trial.resource == 2)
    assert [report.resource for report in result.metrics(other.trial_id)] == [1, 2]
    assert result.checkpoints()[-1].resource == 4
    with pytest.raises(NotFound):
        result.metrics(99)


def test_a_result_gives_the_best_model(searched: tuple[Path, Result], tmp_path: Path) -> None:
    result = searched[1]
    assert result.best is not None
    assert result.fetch_checkpoint(tmp_path / "best").resource == 4
    assert model_in(tmp_path / "best") == {"x": result.best.hparams["x"], "step": 4}


def test_a_result_without_its_database_says_so(searched: tuple[Path, Result], tmp_path: Path) -> None:
    gone = Result.of(searched[1], str(tmp_path / "gone.db"))
    assert gone.best == searched[1].best
    with pytest.raises(DatabaseError, match=r"gone.db: there is no such file"):
        gone.trials()


def test_best_says_where_its_checkpoint_lies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["best"]) == 0
    out = capsys.readouterr().out
    assert "checkpoint at 4 epochs" in out
    assert "rungmaster checkpoint 1 " in out
    uri = out.split(" of ")[-1].split()[0]
    assert uri.startswith(f"file://{folder}/checkpoints/")
    assert Path(uri.removeprefix("file://"), "manifest.json").exists()


def test_best_hparams_are_a_document_of_their_own_with_types(
    folder: Path, searched: tuple[Path, Result], capsys: pytest.CaptureFixture[str]
) -> None:
    best = searched[1].best
    assert best is not None
    assert execute(["best", "--format", "yaml"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown == {"x": best.hparams["x"], "solver": "on", "nested": {"rate": 1e-5}}
    assert type(shown["nested"]["rate"]) is float
    assert execute(["best", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == shown
    assert execute(["best", "--format", "json", "--top", "2"]) == 0
    assert [json.loads(line)["solver"] for line in capsys.readouterr().out.splitlines()] == ["on", "on"]


def test_checkpoint_fetches_the_best_model(
    folder: Path, searched: tuple[Path, Result], capsys: pytest.CaptureFixture[str]
) -> None:
    best = searched[1].best
    assert best is not None
    assert execute(["checkpoint", "1", "--to", "models/best"]) == 0
    assert "models/best has the checkpoint at 4 epochs" in capsys.readouterr().out
    assert model_in(folder / "models/best")["x"] == best.hparams["x"]
    assert sorted(path.name for path in (folder / "models").iterdir()) == ["best"]


def test_checkpoint_fetches_that_of_another_trial_or_resource(
    folder: Path, searched: tuple[Path, Result], capsys: pytest.CaptureFixture[str]
) -> None:
    result = searched[1]
    assert result.best is not None
    number = str(result.best.trial_id)
    assert execute(["checkpoint", "1", number, "--resource", "2", "--to", "early", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["resource"] in (2, "2")
    assert model_in(folder / "early")["step"] == 2
    assert execute(["checkpoint", "1", number, "--resource", "3", "--to", "none"]) == 1
    assert "has no checkpoint at 3; there is one at 2, 4" in capsys.readouterr().err
    with closing(sqlite3.connect("rungmaster.db")) as connection:
        connection.execute("UPDATE checkpoints SET delete_time = 1 WHERE resource = 4")
        connection.commit()
    assert execute(["checkpoint", "1", number, "--to", "nearest"]) == 0
    assert "its result is that of 4 epochs, of which no checkpoint is kept" in capsys.readouterr().out
    assert execute(["best"]) == 0
    assert "its result is that of 4 epochs, of which no checkpoint is kept" in capsys.readouterr().out
    stopped = next(trial for trial in result.trials() if not any(c.delete_time is None for c in _of(result, trial)))
    assert execute(["checkpoint", "1", str(stopped.trial_id), "--to", "none"]) == 1
    assert "has no checkpoint that is kept" in capsys.readouterr().err
    assert not (folder / "none").exists()


def _of(result: Result, trial: Any) -> Any:
    return result.checkpoints(trial.trial_id)


def test_a_folder_that_holds_something_is_left_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "own.txt").write_text("mine")
    (folder / "file").write_text("mine")
    for target in ("full", "file"):
        assert execute(["checkpoint", "--to", target]) == 2
        assert f"Error: {target} is not " in capsys.readouterr().err
    assert [path.name for path in (folder / "full").iterdir()] == ["own.txt"]
    (folder / "empty").mkdir()
    assert execute(["checkpoint", "--to", "empty"]) == 0


def test_a_checkpoint_that_is_not_whole_is_not_fetched(searched: tuple[Path, Result], tmp_path: Path) -> None:
    result = searched[1]
    (early,) = [each for each in result.checkpoints() if each.resource == 2]
    file = searched[0] / early.uri / "parts" / "x.json"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"]")
    try:
        with pytest.raises(RungmasterError, match=r"not whole, nothing was fetched: parts/x.json was changed"):
            result.fetch_checkpoint(tmp_path / "early", resource=2)
    finally:
        file.write_bytes(content)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_target_is_refused_before_anything_is_read(searched: tuple[Path, Result], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "own.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="is not empty"):
        searched[1].fetch_checkpoint(tmp_path / "full")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("nowhere://bucket/1/0/1-4-abc", "nowhere"),
        pytest.param(
            "az://bucket/1/0/1-4-abc",
            r"pip install 'rungmaster\[azure\]'",
            marks=pytest.mark.skipif(find_spec("adlfs") is not None, reason="adlfs is installed"),
        ),
    ],
)
def test_a_store_that_cannot_be_opened_is_told(
    searched: tuple[Path, Result], tmp_path: Path, uri: str, words: str
) -> None:
    elsewhere = replace(searched[1].checkpoints()[-1], uri=uri)
    with pytest.raises(CannotStart, match=words):
        fetch_checkpoint(elsewhere, tmp_path / "best", [tmp_path])
    assert list(tmp_path.iterdir()) == []


def test_a_relative_checkpoint_is_found_beside_the_database_or_here(
    searched: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rungmaster.client.fetching import fetch_checkpoint

    monkeypatch.chdir(tmp_path)
    relative = searched[1].checkpoints()[-1]
    assert not Path(relative.uri).is_absolute()
    fetch_checkpoint(relative, tmp_path / "best", [Path(), searched[0]])
    assert model_in(tmp_path / "best")["step"] == 4
