"""The command line itself: quick to start, complete, and clear about what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from rungmaster.client.cli.lazy import LazyGroup
from rungmaster.client.cli.main import COMMANDS, cli, execute
from rungmaster.shared.errors import FailedPrecondition, InvalidSpec, Problem

HEAVY = ("grpc", "sqlalchemy", "pydantic", "ConfigSpace", "google.protobuf", "rich", "yaml", "numpy")


def heavy_modules_after(code: str) -> str:
    report = f"import sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    arguments = [sys.executable, "-P", "-c", f"{code}\n{report}"]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()[-1]


def test_help_imports_nothing_heavy() -> None:
    code = "from rungmaster.client.cli.main import execute; execute(['--help'])"
    assert heavy_modules_after(code) == "[]"


def test_init_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"from rungmaster.client.cli.main import execute; execute(['init', {str(tmp_path)!r}])"
    assert heavy_modules_after(code) == "[]"
    assert (tmp_path / "spec.yaml").is_file()


def test_training_code_that_imports_trial_pays_for_nothing_heavy() -> None:
    assert heavy_modules_after("from rungmaster import Trial") == "[]"


def test_importing_the_front_door_alone_imports_nothing_heavy() -> None:
    assert heavy_modules_after("import rungmaster; rungmaster.__version__") == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([name, "--help"]) == 0
    assert f"rungmaster {name}" in capsys.readouterr().out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out and summary in out for name, (_, summary) in COMMANDS.items())


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out.startswith("rungmaster 0.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["status", "--frobnicate"], "No such option"),
        (["status", "seven"], "'seven' is not a valid integer"),
        (["status", "0"], "0 is not in the range"),
        (["status", "99999999999"], "is not in the range"),
        (["run"], "Missing argument 'SPEC'"),
        (["delete"], "Missing argument 'EXPERIMENT'"),
        (["trials", "--state", "sleeping"], "'sleeping' is not one of"),
        (["status", "--master", "nowhere:x"], "the port must be a number"),
        (["status", "--timeout", "0"], "0"),
        (["run", "/nowhere/spec.yaml"], "No such file"),
        (["submit", "/nowhere/spec.yaml"], "No such file"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("Error: ")
    assert words in captured.err


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    @click.command("fail")
    def command() -> None:
        raise error

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: command)
    return execute(["fail"])


def test_each_problem_of_a_spec_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Problem("seed", "must be a whole number"), Problem("", "something else")]
    assert failing(monkeypatch, InvalidSpec(problems)) == 2
    assert capsys.readouterr().err == "Error: seed: must be a whole number\nError: something else\n"


def test_a_failure_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(monkeypatch, FailedPrecondition("it has ended")) == 1
    assert capsys.readouterr().err == "Error: it has ended\n"


def test_a_file_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(monkeypatch, PermissionError(13, "Permission denied", "/root/x.log")) == 1
    assert capsys.readouterr().err == "Error: Permission denied: /root/x.log\n"


def test_a_bug_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(monkeypatch, KeyError("x")) == 1
    assert "internal error, please report it: KeyError: 'x'" in capsys.readouterr().err


def test_a_bug_shows_its_traceback_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNGMASTER_DEBUG", "1")
    with pytest.raises(KeyError):
        failing(monkeypatch, KeyError("x"))


def test_control_c_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failing(monkeypatch, KeyboardInterrupt()) == 130


def test_a_command_that_is_not_in_the_table_is_none() -> None:
    assert cli.get_command(click.Context(cli), "nothing") is None


def test_a_bare_command_prints_its_help_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([]) == 2
    told = capsys.readouterr()
    assert (told.out + told.err).startswith("Usage: rungmaster")
    assert "Error" not in told.out + told.err


@pytest.mark.parametrize(("typed", "meant"), [("stauts", "status"), ("wokers", "workers"), ("sumbit", "submit")])
def test_a_misspelt_command_is_told_with_the_closest(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([typed]) == 2
    assert f'there is no command "{typed}"; did you mean "{meant}"?' in capsys.readouterr().err
