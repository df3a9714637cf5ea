"""Reads the searcher, and the goal of its metric, from a spec file."""

from __future__ import annotations

from pathlib import Path

from ...shared.errors import InvalidInput, InvalidSpec, Problem
from ...shared.spec.documents import read_document
from ...shared.spec.searchers import SearcherSpec
from ...shared.spec.spec import parse_searcher
from ..search.interface import Goal


def load_searcher(path: Path) -> tuple[SearcherSpec, Goal]:
    """The searcher of a whole spec, or of a file with nothing but `searcher`; the goal is minimize where none is named.

    Raises InvalidInput where the file cannot be read, and InvalidSpec with every problem of it.
    """
    searcher, goal = parse_searcher(read_document(path), source=str(path))
    return searcher, Goal(goal or Goal.MINIMIZE)


def load_searchers(paths: tuple[Path, ...]) -> list[tuple[Path, SearcherSpec, Goal]]:
    """Loads several files. Raises InvalidSpec with the problems of all of them, each led by the name of its file."""
    loaded: list[tuple[Path, SearcherSpec, Goal]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            loaded.append((path, *load_searcher(path)))
        except InvalidSpec as wrong:
            problems += (Problem(f"{path}: {p.path}", p.message) if p.path else p for p in wrong.problems)
        except InvalidInput as wrong:
            problems.append(Problem("", str(wrong)))
    if problems:
        raise InvalidSpec(problems)
    return loaded
