"""Where in a spec's text something stands that a problem names by its path."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from ...shared.errors import Problem

_LINE = re.compile(r"\bline (\d+)")
_MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class PlacedProblem:
    """A problem, and the line (from 1) of what it is about: that itself, or what it should stand in."""

    line: int
    path: str
    message: str


def place(text: str, problems: tuple[Problem, ...]) -> list[PlacedProblem]:
    """Problems with their lines, in the order of these."""
    # A problem with a path is of a text that parses, and nests no deeper than a spec may.
    lines = lines_of(text) if any(problem.path for problem in problems) else {}
    return sorted((_placed(problem, lines) for problem in problems), key=lambda found: found.line)


def _placed(problem: Problem, lines: dict[str, int]) -> PlacedProblem:
    told = _LINE.search(problem.message) if not problem.path else None
    if told:
        return PlacedProblem(int(told[1]), "", problem.message)
    path = problem.path
    while path and path not in lines:
        path = re.split(r"[.\[](?=[^.\[]*$)", path)[0] if re.search(r"[.\[]", path) else ""
    return PlacedProblem(lines.get(path, 1), problem.path, problem.message)


def lines_of(text: str) -> dict[str, int]:
    """The line (from 1) of each value by its path, such as `searcher.max_trials`; empty where the text is no YAML."""
    try:
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    found: dict[str, int] = {}
    if root is not None:
        _walk(root, "", found, 0)
    return found


def _walk(node: yaml.Node, path: str, found: dict[str, int], depth: int) -> None:
    if depth > _MAX_DEPTH or len(found) > 100_000:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{path}.{key.value}" if path else str(key.value)
            found.setdefault(name, key.start_mark.line + 1)
            _walk(value, name, found, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            name = f"{path}[{index}]"
            found.setdefault(name, value.start_mark.line + 1)
            _walk(value, name, found, depth + 1)
