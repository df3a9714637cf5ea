"""The fingerprint of training code: which files an entrypoint consists of, and what has become of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rungmaster.client.fingerprint import changes, fingerprint, fingerprint_of_spec
from rungmaster.shared.limits import MAX_CODE_FILES


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder of training code: a module with helpers, a package, a script."""
    files = {
        "train.py": "import numpy, helper\ndef train(trial):\n    from parts import model\n",
        "helper.py": "import json",
        "unrelated.py": "",
        "parts/__init__.py": "",
        "parts/model.py": "from . import layers\nfrom .deep.more import x",
        "parts/layers.py": "from helper import a",
        "parts/deep/more.py": "x = 1",
        "run.sh": "python other/script.py",
        "other/script.py": "import sibling",
        "other/sibling.py": "",
        "conf.yaml": "a: 1",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_function_consists_of_its_module_and_of_what_that_imports_from_the_folder(code: Path) -> None:
    assert sorted(fingerprint("train:train", code)) == [
        "helper.py",
        "parts/__init__.py",
        "parts/deep/more.py",
        "parts/layers.py",
        "parts/model.py",
        "train.py",
    ]
    assert sorted(fingerprint("parts.layers:f", code)) == ["helper.py", "parts/__init__.py", "parts/layers.py"]


@pytest.mark.parametrize(
    ("command", "files"),
    [
        (["python", "other/script.py", "--config", "conf.yaml"], ["conf.yaml", "other/script.py", "other/sibling.py"]),
        (["./run.sh"], ["run.sh"]),
        (["python", "-m", "parts.deep.more"], ["parts/__init__.py", "parts/deep/more.py"]),
        (["bash", "-c", "true"], []),
        (["/bin/sh", "run.sh", "nowhere.py", "\0"], ["run.sh"]),
    ],
)
def test_a_command_consists_of_the_files_that_it_names(code: Path, command: list[str], files: list[str]) -> None:
    assert sorted(fingerprint(command, code)) == files


def test_code_that_is_not_in_the_folder_has_no_fingerprint(code: Path) -> None:
    for entrypoint in ("json:dumps", "nowhere:train", "..train:train", "", "a..b:c"):
        assert fingerprint(entrypoint, code) == {}


def test_nothing_is_run_and_broken_code_is_a_file_like_any_other(code: Path) -> None:
    (code / "train.py").write_text("raise SystemExit\nimport helper\n")
    assert sorted(fingerprint("train:train", code)) == ["helper.py", "train.py"]
    (code / "train.py").write_text("import helper\ndef (")
    assert sorted(fingerprint("train:train", code)) == ["train.py"]


def test_a_fingerprint_is_bounded(code: Path) -> None:
    for number in range(MAX_CODE_FILES + 50):
        (code / f"m{number}.py").write_text(f"import m{number + 1}")
    assert len(fingerprint("m0:train", code)) == MAX_CODE_FILES


def test_a_spec_names_the_code(code: Path) -> None:
    assert sorted(fingerprint_of_spec("entrypoint: [./run.sh]", code)) == ["run.sh"]
    assert "train.py" in fingerprint_of_spec('{"entrypoint": "train:train"}', code)
    for wrong in ("entrypoint: [1]", "entrypoint: {a: b}", "[", "a: [", "text"):
        assert fingerprint_of_spec(wrong, code) == {}


def test_what_has_changed_is_told_file_by_file(code: Path) -> None:
    before = fingerprint("train:train", code)
    assert changes(before, code) == []
    (code / "helper.py").write_text("import os")
    (code / "parts/layers.py").unlink()
    told = changes(before, code)
    assert [words.split(" 20")[0] for words in told] == ["helper.py was changed", "parts/layers.py is gone"]


def test_nothing_is_told_where_the_code_is_not(code: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert changes(fingerprint("train:train", code), tmp_path_factory.mktemp("elsewhere")) == []
    assert changes({}, code) == []
