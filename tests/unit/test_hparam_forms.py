"""Hyperparameters for other programs: real shells read the very values, and run nothing of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.client.hparam_forms import as_arguments, as_exports, as_json, as_yaml
from rungmaster.shared.hparam_variables import as_text, hparam_variables
from rungmaster.shared.text.visible import HIDDEN

SHELLS = [shell for shell in ("bash", "zsh") if shutil.which(shell)]
#: What shells look at, and what acts on a terminal.
_CHARACTERS = st.sampled_from([*"'\"\\$`!#&|;<>(){}[]*?~=-+ \n\t\r\x1b\x07\x7f\u202e\u2028\ufeff", *"aZ0_é日🙂"])
TEXTS = st.text(_CHARACTERS | st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
VALUES = TEXTS | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
HPARAMS = st.dictionaries(TEXTS.filter(lambda name: bool(name) and not HIDDEN.search(name)), VALUES, max_size=4)
HOSTILE = {
    "a": "$(touch ran)",
    "b": "`touch ran`",
    "c": "'; touch ran; '",
    "d": "\n touch ran\n",
    "e": "\\'; touch ran #",
    "f": "\x1b]0;title\x07$(touch ran)'",
    "$(touch ran)": 1,
    "g=1; touch ran": "&& touch ran",
}


def told_by(shell: str, script: str, text: str, folder: Path) -> list[str]:
    """What a shell writes that runs a script with a text on its standard input, at zero bytes apart."""
    flags = ["-f"] if shell == "zsh" else ["--norc"]
    command = [shell, *flags, "-c", script]
    done = subprocess.run(command, input=text.encode(), capture_output=True, cwd=folder, check=True, timeout=30)
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


def words(shell: str, hparams: Mapping[str, Any], folder: Path) -> list[str]:
    return told_by(shell, """eval "set -- $(cat)"; printf '%s\\0' "$@" end""", as_arguments(hparams), folder)[:-1]


def variables(shell: str, hparams: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """What programs find in their environment that such a shell starts."""
    found = told_by(shell, 'eval "$(cat)"; env -0', as_exports(hparams), folder)
    return dict(each.split("=", 1) for each in found if each.startswith("RUNGMASTER_HPARAM"))


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=60, deadline=None)
@given(HPARAMS)
def test_a_shell_reads_the_very_values(shell: str, tmp_path_factory: pytest.TempPathFactory, hparams: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    assert words(shell, hparams, folder) == [f"--{name}={as_text(value)}" for name, value in hparams.items()]
    assert variables(shell, hparams, folder) == hparam_variables(hparams)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_runs_nothing_of_them(shell: str, tmp_path: Path) -> None:
    assert len(words(shell, HOSTILE, tmp_path)) == len(HOSTILE)
    assert json.loads(variables(shell, HOSTILE, tmp_path)["RUNGMASTER_HPARAMS"]) == HOSTILE
    assert list(tmp_path.iterdir()) == []


@given(HPARAMS)
def test_nothing_of_them_acts_on_a_terminal(hparams: dict[str, Any]) -> None:
    for form in (as_arguments, as_exports, as_json, as_yaml):
        assert not HIDDEN.search(form(hparams).replace("\n", ""))


@given(HPARAMS)
def test_no_variable_stands_for_two_hyperparameters(hparams: dict[str, Any]) -> None:
    own = [name for name in hparam_variables(hparams) if name.startswith("RUNGMASTER_HPARAM_")]
    left_out = json.loads(hparam_variables(hparams).get("RUNGMASTER_HPARAMS_LEFT_OUT", "[]"))
    assert len(own) + len(left_out) == len(hparams)


def test_values_are_as_a_worker_gives_them_to_training_code() -> None:
    hparams = {"lr": 1e-05, "width": 64, "solver": "adam", "nested": {"rate": [1, 2.0]}, "flag": True, "none": None}
    assert as_arguments(hparams) == (
        """--lr=1e-05 --width=64 --solver=adam '--nested={"rate": [1, 2.0]}' --flag=true --none=null"""
    )
    assert "export RUNGMASTER_HPARAM_LR=1e-05\n" in as_exports(hparams)
