"""`init`: what it writes is a search that runs as it is, and nothing of anybody's is written over unasked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rungmaster.worker.testing import train_alone

FILES = ["my_training.py", "spec.yaml"]


def rungmaster(*arguments: str, folder: Path, fails: bool = False) -> str:
    """What the command prints: on stdout, or where it is to fail on stderr."""
    program = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *arguments]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=110)
    assert (done.returncode != 0) == fails, (arguments, done.stderr)
    return done.stderr if fails else done.stdout


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_search_that_init_wrote_runs_learns_and_gives_its_model(tmp_path: Path) -> None:
    printed = rungmaster("init", "a new/search", folder=tmp_path)
    folder = tmp_path / "a new" / "search"
    assert names(folder) == FILES
    onward = [line.split("#")[0].split() for line in printed.splitlines() if line.startswith("  rungmaster ")]
    assert [command[1] for command in onward] == ["run", "best", "checkpoint"]
    shown = {command[1]: rungmaster(*command[1:], folder=folder) for command in onward}
    assert "32 of 32 trials" in shown["run"]
    assert set(yaml.safe_load(shown["best"])) == {"learning_rate", "momentum", "width"}
    assert names(folder / "best-model") == ["net.json"]
    accuracy = re.search(r"^  accuracy (\S+)$", shown["run"], re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9


def test_its_training_goes_on_from_a_checkpoint_as_if_it_had_never_paused(
    tmp_path: Path,
) -> None:
    rungmaster("init", folder=tmp_path)
    code: dict[str, object] = {"__name__": "my_training"}
    exec(compile((tmp_path / "my_training.py").read_text(), "my_training.py", "exec"), code)
    train, hparams = code["train"], {"learning_rate": 0.1, "momentum": 0.5, "width": 8}
    assert callable(train)
    whole = train_alone(train, hparams, target=9, metric="validation_loss")
    assert train_alone(train, hparams, target=9, metric="validation_loss", pauses=(1, 3)) == whole


@pytest.mark.parametrize("there", [["spec.yaml"], ["my_training.py"], FILES], ids="-".join)
def test_what_is_there_is_named_and_kept_and_nothing_else_is_written(tmp_path: Path, there: list[str]) -> None:
    for name in there:
        (tmp_path / name).write_text("mine")
    error = rungmaster("init", folder=tmp_path, fails=True)
    assert all(name in error for name in there)
    assert "--force" in error
    assert names(tmp_path) == there
    assert {(tmp_path / name).read_text() for name in there} == {"mine"}


def test_a_link_to_nothing_is_there_as_well(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").symlink_to("elsewhere.yaml")
    assert "spec.yaml" in rungmaster("init", folder=tmp_path, fails=True)
    assert names(tmp_path) == ["spec.yaml"]


def test_with_force_it_writes_over_its_own_files_and_no_others(tmp_path: Path) -> None:
    for name in [*FILES, "notes.txt"]:
        (tmp_path / name).write_text("mine")
    rungmaster("init", "--force", folder=tmp_path)
    assert [name for name in names(tmp_path) if (tmp_path / name).read_text() == "mine"] == ["notes.txt"]
    rungmaster("plan", "spec.yaml", folder=tmp_path)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    assert "taken" in rungmaster("init", "taken", folder=tmp_path, fails=True)
    assert "taken" in rungmaster("init", "taken/below", folder=tmp_path, fails=True)
