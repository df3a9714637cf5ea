"""Reads the searcher, and the goal of its metric, from a spec file."""

from __future__ import annotations

from pathlib import Path

from ...shared.errors import InvalidInput, InvalidSpec, Problem
from ...shared.spec.document.reading import read_document
from ...shared.spec.spec import SearcherFile, Spec, parse_searcher


def load_searcher(path: Path) -> Spec | SearcherFile:
    """A whole spec, or a file with `searcher` and nothing that it does not need.

    Raises InvalidInput where the file cannot be read, and InvalidSpec with every problem of it.
    """
    return parse_searcher(read_document(path), source=str(path))


def load_searchers(paths: tuple[Path, ...]) -> list[tuple[Path, Spec | SearcherFile]]:
    """Loads several files. Raises InvalidSpec with the problems of all of them, each led by the name of its file."""
    loaded: list[tuple[Path, Spec | SearcherFile]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            loaded.append((path, load_searcher(path)))
        except InvalidSpec as wrong:
            problems += (Problem(f"{path}: {p.path}", p.message) if p.path else p for p in wrong.problems)
        except InvalidInput as wrong:
            problems.append(Problem("", str(wrong)))
    if problems:
        raise InvalidSpec(problems)
    return loaded
