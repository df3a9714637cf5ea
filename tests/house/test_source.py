"""What every module, class and function owes its reader."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from .source import PARTS, ROOT, Module, modules, tracked

MAX_FUNCTION_LINES = 60
MAX_MODULE_LINES = 400
OURS = modules(*PARTS, "rungmaster", "examples", "benchmarks")
INSTALLED = modules(*PARTS, "rungmaster")


def test_every_module_says_what_it_is_for() -> None:
    assert [module.place for module in OURS + modules("tests") if _needs_docstring(module)] == []


def _needs_docstring(module: Module) -> bool:
    return not ast.get_docstring(module.tree) and module.path.name != "conftest.py"


def test_no_function_is_too_long_to_hold_in_the_head() -> None:
    long = [
        f"{module.place}:{function.lineno} {function.name} ({lines} lines)"
        for module in OURS + modules("tests")
        for function in module.functions()
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_no_module_is_too_long_to_hold_in_the_head() -> None:
    lengths = {module.place: len(module.path.read_text(encoding="utf-8").splitlines()) for module in OURS}
    assert {place: lines for place, lines in lengths.items() if lines > MAX_MODULE_LINES} == {}


@pytest.mark.parametrize("module", [module for module in INSTALLED if "__all__" in module.path.read_text()], ids=str)
def test_everything_a_module_offers_is_there(module: Module) -> None:
    loaded = importlib.import_module(module.name)
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []
    assert len(set(loaded.__all__)) == len(loaded.__all__)


def test_commands_print_only_where_nothing_can_act_on_a_terminal() -> None:
    """All else goes by `shared/text/printing.py`. What training reads and prints is its own."""
    raw = {
        "shared/text/printing.py",
        "worker/trial/shell.py hparam",
        "worker/process/fork_server.py _code_of",
        "worker/process/supervisor.py _end_what_is_left",
    }
    found = {
        f"{module.place} {function.name}"
        for module in modules(*PARTS)
        for function in module.functions()
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("print", "click.echo", "click.secho", "sys.stdout.write")
    }
    assert {place for place in found if not raw & {place, place.split()[0]}} == set()


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    left = [
        f"{module.place}:{number}"
        for module in OURS
        for number, line in enumerate(module.path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert left == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """Neither one of its paths nor the address of its package index."""
    machine = re.compile(r"(?<![\w.$}])/(Users/\w|work/|opt/)|https?://[^\s/]*(pypi|npm)[^\s/]*/|index-url")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked()
        if path.suffix != ".json" and path.name != "LICENSE" and path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="ignore").splitlines(), 1)
        if machine.search(line)
    ]
    assert found == []
