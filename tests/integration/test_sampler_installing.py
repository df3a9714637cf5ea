"""`rungmaster sampler`: environments are made whole or not at all; programs are added, listed and tried."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rungmaster.client.cli.main import COMMANDS
from rungmaster.sampler import cli, installing
from rungmaster.sampler.installing import LOCKS, RECIPES, Recipe, alone, install, is_current
from rungmaster.shared.errors import FailedPrecondition
from rungmaster.shared.sampling import programs
from rungmaster.shared.sampling.programs import PROGRAMS, Program, command_of, environment_folder, installed

SPEC = """
name: my-search
entrypoint: my_training:train
metric: {name: loss, goal: minimize}
hyperparameters:
  rate: {type: float, low: 1.0e-4, high: 1.0, log: true}
  width: {type: int, low: 8, high: 64}
searcher: {name: asha, max_trials: 8, max_resource: 9}
"""
#: What is told of the sampler below.
COSTS = "about 1 MB to download, 20 MB on disk"
#: Suggests what lies in the space, and then what does not.
TOY = """
import json, sys
for line in sys.stdin:
    said = json.loads(line)
    if said["type"] == "start":
        print(json.dumps({"type": "ready", "protocol": 1, "name": "toy"}), flush=True)
    for n in range(said.get("count", 0)):
        found = {"rate": 0.01, "width": 8 if said["id"] < 3 else 65}
        print(json.dumps({"type": "suggestion", "ask": said["id"], "hyperparameters": found, "note": "a toy"}))
        sys.stdout.flush()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine has its samplers, for the test."""
    monkeypatch.setenv("RUNGMASTER_SAMPLERS", str(tmp_path / "samplers"))
    return tmp_path / "samplers"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.command, arguments)


def wheel(folder: Path, name: str, code: str = "") -> None:
    """A package as an index has it."""
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as packed:
        about = f"{name}-1.0.dist-info"
        packed.writestr(f"{name}.py", code)
        packed.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        packed.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{about}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sampler `toy` that can be installed from a folder of wheels; its program is `rungmaster.sampler.guard`."""
    wheels, locks = tmp_path / "wheels", tmp_path / "locks"
    wheels.mkdir()
    locks.mkdir()
    (locks / "toy.txt").write_text("# a comment\ntoyone==1.0\ntoytwo==1.0\n", encoding="utf-8")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    monkeypatch.setattr(installing, "LOCKS", locks)
    monkeypatch.setitem(RECIPES, "toy", Recipe(1, 20, remark="a remark"))
    monkeypatch.setattr(programs, "PROGRAMS", {"toy": Program("rungmaster.sampler.guard", ("toyone", "toytwo"))})
    monkeypatch.setattr(installing, "PROGRAMS", programs.PROGRAMS)
    return wheels


def test_an_environment_is_there_whole_or_not_at_all_and_goes_on_where_it_was_interrupted(index: Path) -> None:
    said: list[str] = []
    wheel(index, "toyone")
    with pytest.raises(FailedPrecondition, match="goes on from here"):
        install("toy", said.append)
    assert said == [
        f"installing toy with Python {sys.version.split()[0]} into {environment_folder('toy')}: {COSTS}",
        "a remark",
    ]
    assert installed("toy") is None
    (packages,) = environment_folder("toy").parent.glob("toy.partial/lib/*/site-packages")
    (packages / "earlier.py").touch()

    wheel(index, "toytwo", "import no_such_module")
    with pytest.raises(FailedPrecondition, match="cannot be imported: ModuleNotFoundError: No module named 'no_such"):
        install("toy", said.append)
    assert said[-1] == "going on with what an earlier attempt left"
    assert installed("toy") is None

    (packages / "toytwo.py").write_text("import earlier", encoding="utf-8")
    install("toy", said.append)
    assert said[-1] == "toy is installed"
    assert is_current("toy")
    command = command_of("toy")
    done = subprocess.run(command.arguments, env=dict(command.environment), capture_output=True, text=True, check=False)
    assert "usage: guard" in done.stderr

    install("toy", said.append)
    assert said[-1].startswith("toy is installed already in ")
    (installing.LOCKS / "toy.txt").write_text("toyone==1.0\n", encoding="utf-8")
    assert not is_current("toy")


def test_two_do_not_make_the_same_environment_at_once(index: Path) -> None:
    with alone("toy"), pytest.raises(FailedPrecondition, match="just being installed by another process"):
        install("toy", lambda _: None)


@pytest.mark.parametrize("name", RECIPES)
def test_a_lock_names_one_version_of_each_package_and_no_index(name: str) -> None:
    lines = [line for line in (LOCKS / f"{name}.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert all(len(line.split("==")) == 2 and "/" not in line and " " not in line for line in lines)
    packages = [line.split("==")[0].lower() for line in lines]
    assert sorted(set(packages)) == sorted(packages)
    assert set(RECIPES[name].resolved) <= set(packages)


def test_every_sampler_that_needs_more_than_rungmaster_can_be_installed() -> None:
    assert set(PROGRAMS) - {"bohb"} == set(RECIPES)
    assert COMMANDS["sampler"][0] == "rungmaster.sampler.cli:command"


def test_a_program_of_ones_own_is_added_listed_tried_and_removed(tmp_path: Path) -> None:
    toy, spec = tmp_path / "toy program.py", tmp_path / "spec.yaml"
    toy.write_text(TOY, encoding="utf-8")
    spec.write_text(SPEC, encoding="utf-8")
    added = run("add", "toy", "--", sys.executable, str(toy))
    assert added.output == f"added toy: {sys.executable} '{toy}'\n"
    assert f"toy     external       {sys.executable} '{toy}'" in run("list").output.splitlines()
    tried = run("try", "toy", str(spec), "--count", "3", "--results", "2").output.splitlines()
    assert tried[0].startswith("toy was ready after ")
    assert tried[0].endswith("; it is told 2 results that are made up")
    assert [line.split(" s  ")[1] for line in tried[1:]] == [
        '{"rate": 0.01, "width": 8}  (a toy)',
        '{"rate": 0.01, "width": 8}  (a toy)',
        'refused: "width": must be from 8 to 64, got 65: {"rate": 0.01, "width": 65}  (a toy)',
    ]
    assert run("remove", "toy").output == "removed toy\n"
    assert "toy" not in run("list").output
    assert "there is no sampler program 'toy'" in str(run("try", "toy", str(spec)).exception)
    assert "there is no sampler program 'toy'" in str(run("remove", "toy").exception)


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b", "x" * 101, ".hidden"])
def test_a_name_that_could_be_a_path_is_none(name: str, folder: Path) -> None:
    assert run("add", "--", name, "true").exit_code
    assert not folder.exists()


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("sys.exit('no model today')", "the sampler is broken: it ended with exit code 1\nno model today"),
        ("""print('{"type": "failure", "ask": 1, "error": "no idea"}')""", "the sampler failed: no idea"),
        ("time.sleep(1000)", r"did not answer in 2 s \(--patience\)"),
    ],
)
def test_what_a_program_does_wrong_is_told_to_who_tries_it(does: str, why: str, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    ready = (
        """import sys, time; input(); print('{"type": "ready", "protocol": 1, "name": "x"}', flush=True); input(); """
    )
    run("add", "wrong", "--", sys.executable, "-uc", ready + does + "; time.sleep(1000)")
    with pytest.raises(FailedPrecondition, match=why):
        raise run("try", "wrong", str(spec), "--results", "0", "--patience", "2").exception or AssertionError


def test_the_list_tells_how_to_have_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {name: Program(each.module, ("no_such_package",)) for name, each in PROGRAMS.items()}
    monkeypatch.setattr(programs, "PROGRAMS", absent | {"bohb": PROGRAMS["bohb"]})
    environment = environment_folder("vizier")
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    (environment / "installed.json").write_text('{"lock": "another", "python": "3.11.7"}', encoding="utf-8")
    rows = {row["name"]: row for row in json.loads(run("list", "--json").output)["samplers"]}
    assert rows["hebo"]["state"] == "not installed"
    assert rows["hebo"]["about"] == "rungmaster sampler install hebo: about 420 MB to download, 1.8 GB on disk"
    assert rows["vizier"]["state"] == "outdated"
    assert "rungmaster sampler install vizier brings it up to date" in rows["vizier"]["about"]
