"""An entry of a log that is about an experiment, a trial or a worker says so in fields, not in its text alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from .source import modules

LEVELS = {"debug", "info", "warning", "error", "exception", "log"}
#: What a text is about, and what else is about a trial, by the name that it has in an entry's arguments.
NAMED = re.compile(r"\b(experiment|trial|lease|worker) %")
IDS = {"experiment_id", "trial_id", "lease", "_lease", "session_id"}


@pytest.mark.parametrize("part", ["master", "worker", "shared", "dashboard"])
def test_an_entry_about_an_experiment_a_trial_or_a_worker_has_its_fields(part: str) -> None:
    bare = [
        f"{module.place}:{entry.lineno} {ast.unparse(entry)}"
        for module in modules(part)
        for entry in entries(module.tree)
        if is_about_something(entry) and not has_fields(entry)
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("code", "bare"),
    [
        ('log.info("experiment %d is deleted", number)', True),
        ('logger.log(level, "given up: %s", lease_name(lost.lease))', True),
        ('log.info("experiment %d is deleted", number, extra=about(number))', False),
        ('self._log.info("trial %s trains", self._name)', False),
        ('log.info("stopping")', False),
        ('print("trial %s", trial_id)', False),
    ],
)
def test_which_entries_lack_fields(code: str, bare: bool) -> None:
    assert any(is_about_something(entry) and not has_fields(entry) for entry in entries(ast.parse(code))) == bare


def entries(tree: ast.Module) -> Iterator[ast.Call]:
    """The calls of loggers."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and re.search(r"\b_?log(ger)?$", ast.unparse(node.func.value))
        ):
            yield node


def is_about_something(entry: ast.Call) -> bool:
    inside = [node for argument in entry.args for node in ast.walk(argument)]
    names = {node.id if isinstance(node, ast.Name) else getattr(node, "attr", "") for node in inside}
    texts = [node.value for node in inside if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return bool(names & IDS) or any(map(NAMED.search, texts))


def has_fields(entry: ast.Call) -> bool:
    """Whether it has them itself, or its logger is an adapter of one object's, which gives them to every entry."""
    assert isinstance(entry.func, ast.Attribute)
    adapter = ast.unparse(entry.func.value) == "self._log"
    return adapter or any(keyword.arg == "extra" for keyword in entry.keywords)
