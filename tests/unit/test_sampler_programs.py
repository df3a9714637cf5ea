"""Which sampler programs a machine has, and what starts each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rungmaster.shared.errors import CannotStart
from rungmaster.shared.sampling import programs
from rungmaster.shared.sampling.programs import (
    MARKER,
    PROGRAMS,
    Program,
    command_of,
    environment_folder,
    externals,
    installed,
    interpreter,
    samplers_folder,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine has its samplers, for the test."""
    monkeypatch.setenv("RUNGMASTER_SAMPLERS", str(tmp_path / "samplers"))
    return tmp_path / "samplers"


@pytest.fixture
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The running Python has none of the packages that samplers need."""
    without = {name: Program(each.module, ("no_such_package",)) for name, each in PROGRAMS.items()}
    monkeypatch.setattr(programs, "PROGRAMS", without)


def make_environment(name: str) -> None:
    """As installing does, with the running Python."""
    python = interpreter(environment_folder(name))
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (environment_folder(name) / MARKER).write_text("{}", encoding="utf-8")


def test_samplers_are_kept_where_the_environment_says_or_with_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert samplers_folder().name == "samplers"
    monkeypatch.delenv("RUNGMASTER_SAMPLERS")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert samplers_folder() == Path("/home/somebody/.local/share/rungmaster/samplers")


def test_a_sampler_whose_packages_are_here_needs_no_environment() -> None:
    command = command_of("bohb")
    assert command.arguments == (sys.executable, "-P", "-m", "rungmaster.sampler.bohb")


@pytest.mark.usefixtures("nothing_at_hand")
def test_a_sampler_that_is_not_installed_is_told_with_the_command_that_installs_it() -> None:
    with pytest.raises(CannotStart) as refused:
        command_of("hebo")
    told = "sampler hebo is not installed on the master's host: run `rungmaster sampler install hebo` there"
    assert str(refused.value) == told


@pytest.mark.usefixtures("nothing_at_hand")
def test_a_half_made_environment_is_none() -> None:
    make_environment("hebo")
    assert installed("hebo") == {}
    (environment_folder("hebo") / MARKER).unlink()
    assert installed("hebo") is None
    with pytest.raises(CannotStart):
        command_of("hebo")


@pytest.mark.usefixtures("nothing_at_hand")
def test_an_environment_whose_python_is_gone_is_none() -> None:
    make_environment("hebo")
    interpreter(environment_folder("hebo")).unlink()
    assert installed("hebo") is None


def test_a_program_in_an_environment_of_its_own_finds_our_code_without_installing_it(folder: Path) -> None:
    """It runs `python -S`, which has no site-packages at all."""
    make_environment("bohb")
    python, *rest = command_of("bohb").arguments
    assert python == str(folder / "bohb" / "bin" / "python")
    assert rest[:1] == ["-P"]
    tried = [python, "-S", *rest[:-1], "rungmaster.shared.sampling.protocol"]
    subprocess.run(tried, check=True, capture_output=True, timeout=60, cwd=folder)
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(
            [python, "-S", "-P", "-m", "rungmaster.shared.sampling.protocol"], check=True, stderr=subprocess.DEVNULL
        )


def test_an_external_program_is_one_that_was_added_by_its_name(folder: Path) -> None:
    (folder / "external").mkdir(parents=True)
    (folder / "external" / "mine.json").write_text(json.dumps({"command": ["perl", "mine.pl"]}), encoding="utf-8")
    assert externals() == ["mine"]
    assert command_of("external", "mine").arguments == ("perl", "mine.pl")
    for name in ("mind", "../external/mine", ""):
        with pytest.raises(CannotStart, match="there is no sampler program"):
            command_of("external", name)
    with pytest.raises(CannotStart, match='did you mean "mine"'):
        command_of("external", "mind")


def test_a_damaged_entry_is_told_by_its_file(folder: Path) -> None:
    (folder / "external").mkdir(parents=True)
    (folder / "external" / "mine.json").write_text("[", encoding="utf-8")
    with pytest.raises(CannotStart, match=r"mine\.json cannot be read"):
        command_of("external", "mine")


def test_a_program_hears_no_secret_of_its_hosts_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("RUNGMASTER_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    environment = command_of("bohb").environment
    assert "secret" not in environment.values()
    assert "PYTHONPATH" not in environment
    assert not [name for name in environment if name.startswith("RUNGMASTER_")]
    assert environment["OMP_NUM_THREADS"] == "1"
    assert {"PATH", "HOME"} <= environment.keys()
