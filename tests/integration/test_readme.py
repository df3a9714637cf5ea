"""What the README shows can be done as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from rungmaster.client.cli.main import cli

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
_FILE = re.compile(r"```\w+\n# (\S+)\n(.*?)```", re.DOTALL)


def commands(start: str, end: str = "\n## ") -> list[list[str]]:
    """The commands of a section, without comments; a line that ends in a backslash goes on in the next one."""
    section = README[README.index(start) : README.index(end, README.index(start) + 1)]
    lines = re.findall(r"^    (rungmaster .*)$", section.replace("\\\n", " "), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_the_own_model_of_the_readme_is_tuned_by_its_commands(tmp_path: Path) -> None:
    files = dict(_FILE.findall(README))
    assert set(files) == {"my_training.py", "spec.yaml"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    shown: dict[str, str] = {}
    for _, *arguments in commands("## Tune your own model"):
        program = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *arguments]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, (arguments, done.stderr)
        shown[arguments[0]] = done.stdout
    assert list(shown) == ["plan", "run", "status", "best", "checkpoint"]
    assert "100 of 100 trials" in shown["run"]
    assert set(yaml.safe_load(shown["best"])) == {"learning_rate", "width"}
    assert [path.name for path in (tmp_path / "best-model").iterdir()] == ["weights.npz"]


@pytest.mark.parametrize("command", commands("## On a cluster"), ids=lambda command: command[1])
def test_the_commands_for_a_cluster_have_the_options_that_they_are_given(command: list[str], tmp_path: Path) -> None:
    _, name, *arguments = command
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    given = [*arguments]
    for place, argument in enumerate(arguments):
        if re.search(r"\.(pem|key|yaml|token)$", argument):
            (tmp_path / argument).touch()
            given[place] = str(tmp_path / argument)
    context = found.make_context(name, given)
    assert context.command is found


def test_every_command_that_the_readme_names_is_one() -> None:
    named = set(re.findall(r"`rungmaster ([a-z-]+)", README))
    assert named
    assert named <= {*cli.list_commands(click.Context(cli))}
