"""What every module, class and function owes its reader."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
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


#: A name with one of these words is a duration, but for a point in time (`…_at`).
DURATION = re.compile(
    r"(?:^|_)(age|delay|duration|elapsed|grace|interval|lifetime|pace|patience|pause|period|silence|timeout|ttl|wait|waited|within)(?:_|$)"
    r"|_seconds$|(?:^|_)away_for$",
    re.IGNORECASE,
)
UNIT = re.compile(r"_(s|ms|ns|minutes|hours|days|at)$", re.IGNORECASE)
#: What users write in a spec and in Python, and a speed in units of virtual time.
NO_SECONDS = {f"shared/spec/spec.py {field}" for field in ("interval", "progress_timeout")}
NO_SECONDS |= {
    "shared/spec/samplers.py patience",
    "shared/spec/searchers.py interval",
    "master/simulation/curves.py pace",
}
NO_SECONDS |= {"client/client.py timeout", "client/local/database.py timeout"}
HAVE_DURATIONS = ("master", "sampler", "worker", "shared", "plots", "client", "dashboard")


def test_durations_that_are_numbers_have_their_unit_in_their_name() -> None:
    """What is annotated as a number, what is a constant number, and what is given a name of such a kind as a value."""
    found = {f"{module.place} {name}" for module in modules(*HAVE_DURATIONS) for name in _numbers(module)}
    assert {place for place in found if DURATION.search(place.split()[1]) and not UNIT.search(place)} == NO_SECONDS


def test_what_takes_over_a_duration_takes_over_its_unit() -> None:
    found = [
        f"{module.place}:{node.lineno} {ast.unparse(node)}"
        for module in modules(*HAVE_DURATIONS)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assign)
        and re.search(r"\w_s$", _last_name(node.value), re.IGNORECASE)
        and not all(re.search(r"_s$|^seconds$", _last_name(target), re.IGNORECASE) for target in node.targets)
    ]
    assert found == []


def _numbers(module: Module) -> Iterator[str]:
    """The names of its numbers: parameters, fields and constants."""
    number = re.compile(r"(Annotated\[)?(int|float)\b")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.arg) and node.annotation and number.match(ast.unparse(node.annotation)):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and number.match(ast.unparse(node.annotation)):
            yield _last_name(node.target)
        elif isinstance(node, ast.Assign) and node in module.tree.body:
            for target in node.targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value] * len(names)
                yield from (_last_name(name) for name, value in zip(names, values, strict=False) if _is_number(value))


def _last_name(node: ast.expr) -> str:
    """What is behind the last dot of a name; empty for anything but a name."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) or _is_number(node.right)
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


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
