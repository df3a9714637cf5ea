"""Which libraries are imported ahead of trials, read from the source of their code."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from rungmaster.worker.process import libraries
from rungmaster.worker.process.libraries import Import, read_sources


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with training code, and libraries `one`, `two` and `three` beside it."""
    installed = tmp_path / "site-packages"
    installed.mkdir()
    for name in ("one", "two", "three"):
        (installed / f"{name}.py").touch()
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def write(project: Path, **modules: str) -> None:
    """Dots in the names of modules are written as two underscores."""
    for name, code in modules.items():
        file = project / (name.replace("__", "/") + ".py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(code))


def found(module: str = "code_of_mine") -> list[str]:
    return [each.module for each in read_sources(module).imports]


def test_what_a_module_imports_at_its_top_is_found_in_its_order(project: Path) -> None:
    write(
        project, code_of_mine="import two, three.part as part\nfrom one import a, b\nfrom two import *\nimport absent"
    )
    imports = read_sources("code_of_mine").imports
    assert imports == (Import("two"), Import("three.part"), Import("one", ("a", "b")))


def test_local_modules_are_followed_in_the_order_in_which_they_run(project: Path) -> None:
    write(
        project,
        code_of_mine="import two\nfrom pack import part\nimport three",
        pack__part="from .other import x\nfrom . import code_of_mine",
        pack__other="import one\nfrom ..beyond import y\nfrom .part import z",
    )
    (project / "pack" / "__init__.py").touch()
    assert found() == ["two", "one", "three"]
    assert found("pack.other") == ["one"]


@pytest.mark.parametrize(
    "effect",
    [
        "os.environ['A'] = 'b'",
        "os.environ |= {'A': 'b'}",
        "del environ['A']",
        "os.environ.update(A='b')",
        "load_dotenv()",
        "sys.path.insert(0, 'elsewhere')",
        "if x:\n    os.environ['A'] = 'b'",
        "import local_settings",
        "syntax error",
    ],
)
def test_what_comes_after_a_statement_for_its_effect_is_left_to_the_trial(project: Path, effect: str) -> None:
    write(project, code_of_mine=f"import one\n{effect}\nimport two", local_settings="import three\nprepare()")
    before = {"syntax error": [], "import local_settings": ["one", "three"]}
    assert found() == before.get(effect, ["one"])


@pytest.mark.parametrize(
    "harmless",
    [
        "'A text.'",
        "rate = float('1')",
        "home = os.environ['HOME']",
        "warnings.filterwarnings('ignore')",
        "logging.basicConfig()",
        "sys.path.append('..')",
        "def function():\n    os.environ['A'] = 'b'\n    import three",
        "class Net:\n    import three",
        "if __name__ == '__main__':\n    main()",
        "if TYPE_CHECKING:\n    import three",
        "import one.absent",
    ],
)
def test_what_changes_nothing_for_the_imports_after_it_is_passed_over(project: Path, harmless: str) -> None:
    write(project, code_of_mine=f"{harmless}\nimport two")
    assert found()[-1] == "two"
    assert "three" not in found()


def test_what_is_tried_counts_and_what_is_done_instead_does_not(project: Path) -> None:
    write(
        project,
        code_of_mine="try:\n    import one\nexcept ImportError:\n    import two\nwith quiet():\n    import three",
    )
    assert found() == ["one", "three"]


def test_the_package_of_the_entrypoint_is_no_library_even_where_it_is_installed(project: Path) -> None:
    write(project / "site-packages", mine__training="import mine.data\nimport one", mine__data="import two")
    (project / "site-packages" / "mine" / "__init__.py").touch()
    assert found("mine.training") == ["two", "one"]


def test_a_change_of_what_was_read_is_known(project: Path) -> None:
    write(project, code_of_mine="import helper_of_mine", helper_of_mine="import one")
    sources = read_sources("code_of_mine")
    assert not sources.changed
    write(project, helper_of_mine="import one, two")
    assert sources.changed
    assert found() == ["one", "two"]
    (project / "helper_of_mine.py").unlink()
    assert read_sources("code_of_mine").imports == ()


def test_a_bounded_number_of_files_of_bounded_size_is_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "MAX_FILES", 3)
    monkeypatch.setattr(libraries, "MAX_BYTES", 1000)
    for number in range(9):
        write(project, **{f"chain{number}": f"import chain{number + 1}\n"})
    assert len(read_sources("chain0").stamps) == 3
    write(project, code_of_mine="import one\n" + "#" * 1000)
    assert found() == []


def test_code_that_cannot_be_read_to_its_end_keeps_nobody_from_training(project: Path) -> None:
    write(project, code_of_mine="import one\nx = " + "-" * 5000 + "1\nimport two")
    assert set(found()) <= {"one"}
