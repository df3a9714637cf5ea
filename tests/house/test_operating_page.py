"""docs/operating.md has a line for every alert, and for every entry that the logs can have at WARNING or above."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from .source import PARTS, ROOT, Module, modules

PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `([^|]+)` \| `([\w.]+)` \| (.*\S.*) \| (.*\S.*) \|$", re.MULTILINE)
LOUD = {"WARNING", "ERROR", "CRITICAL"}
ALWAYS_LOUD = {"warning", "error", "critical", "exception"}
_LOGGER = re.compile(r"\b_?log(ger)?$")
_PLACEHOLDERS = re.compile(r"(%(\.\d+)?[a-z])+")


def test_every_alert_has_its_line_and_no_other() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    assert set(re.findall(r"^\| (Rungmaster\w+) \|", PAGE, re.MULTILINE)) == alerts


def test_every_loud_entry_of_the_logs_is_on_the_page_with_its_cause_and_cure() -> None:
    """A message is told as it stands in the code, with … for what differs, and with the logger that it comes from."""
    logged = {entry for module in modules(*PARTS) for entry in loud_entries(module)}
    told = [(logger, message) for message, logger, _, _ in _ROW.findall(PAGE)]
    assert sorted(logged - set(told)) == [], "are missing on the page"
    assert sorted(set(told) - logged) == [], "are on the page, and nowhere in the code"
    assert len(told) == len(set(told))


def loud_entries(module: Module) -> Iterator[tuple[str, str]]:
    """Logger and message of each call that may log at WARNING or above."""
    for function in ast.walk(module.tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                message = _message_of(call, call.func, function)
                if message is not None:
                    yield module.name.removeprefix("rungmaster."), message


def _message_of(call: ast.Call, method: ast.Attribute, function: ast.AST) -> str | None:
    if not _LOGGER.search(ast.unparse(method.value)) or not call.args:
        return None
    if method.attr in ALWAYS_LOUD:
        return _words(call.args[0])
    if method.attr == "log" and _levels(call.args[0], function) & LOUD:
        return _words(call.args[1])
    return None


def _levels(level: ast.expr, function: ast.AST) -> set[str]:
    """The levels that an expression may have, a name those that it is given in the function; all of them where that
    is not to be seen."""
    found: list[Any] = [level]
    if isinstance(level, ast.Name):
        given = (node for node in ast.walk(function) if isinstance(node, ast.Assign))
        found = [node.value for node in given if any(ast.unparse(target) == level.id for target in node.targets)]
    names = {node.attr for value in found for node in ast.walk(value) if isinstance(node, ast.Attribute)}
    return names & (LOUD | {"DEBUG", "INFO"}) or LOUD


def _words(message: ast.expr) -> str:
    text = message.value if isinstance(message, ast.Constant) else None
    assert isinstance(text, str), f"what differs belongs to the arguments: {ast.unparse(message)}"
    return _PLACEHOLDERS.sub("…", text)


@pytest.mark.parametrize(
    ("code", "messages"),
    [
        ('log.warning("no %s of %d, %g s", a, b, c)', ["no … of …, … s"]),
        ('self._log.exception("broken")', ["broken"]),
        ('log.info("fine")', []),
        ('log.log(logging.DEBUG if again else logging.ERROR, "%s failed", what)', ["… failed"]),
        ('level = logging.INFO if new else logging.DEBUG\n    log.log(level, "ended")', []),
        ('log.log(level_of(error), "ended")', ["ended"]),
        ('warnings.warn("no entry of a log")', []),
        ('click.error("neither")', []),
    ],
)
def test_which_entries_are_loud(code: str, messages: list[str], tmp_path: Any) -> None:
    path = tmp_path / "module.py"
    path.write_text(f"def function():\n    {code}\n")
    tree = ast.parse(path.read_text())
    (function,) = tree.body
    found = [
        message
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and (message := _message_of(call, call.func, function)) is not None
    ]
    assert found == messages
