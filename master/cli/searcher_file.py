"""Reads the searcher, and the goal of its metric, from a spec file."""

from __future__ import annotations

from pathlib import Path

from ...shared.documents import read_document
from ...shared.errors import InvalidInput, InvalidSpec, Problem
from ...shared.searchers import SearcherSpec
from ...shared.spec import parse_searcher
from ..search.interface import Goal


def load_searcher(path: Path) -> tuple[SearcherSpec, Goal]:
    """The searcher of a whole spec, or of a file with nothing but `searcher`; the goal is minimize where none is named.

    Raises InvalidInput where the file cannot be read, and InvalidSpec, each problem led by the file's name.
    """
    try:
        searcher, goal = parse_searcher(read_document(path))
    except InvalidSpec as wrong:
        raise InvalidSpec([Problem("", f"{path}: {problem}") for problem in wrong.problems]) from wrong
    return searcher, Goal(goal or Goal.MINIMIZE)


def load_searchers(paths: tuple[Path, ...]) -> list[tuple[Path, SearcherSpec, Goal]]:
    """Loads several files, and raises InvalidInput with the problems of all of them where any is wrong."""
    loaded, problems = [], []
    for path in paths:
        try:
            loaded.append((path, *load_searcher(path)))
        except InvalidSpec as wrong:
            problems += wrong.problems
        except InvalidInput as wrong:
            problems.append(Problem("", str(wrong)))
    if problems:
        raise InvalidSpec(problems)
    return loaded
