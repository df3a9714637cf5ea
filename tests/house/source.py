"""Reads the project's own source as text and syntax trees, for the tests beside this module. Runs none of it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: The folders that install as `rungmaster.<folder>`.
PARTS = ("proto", "shared", "master", "sampler", "worker", "plots", "client", "dashboard")


@dataclass(frozen=True)
class Module:
    """One Python file."""

    path: Path

    @property
    def place(self) -> str:
        """Its path below the project's root, such as `master/search/asha.py`."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        """What it is imported as, such as `rungmaster.master.search.asha`; top-level folders keep their own name."""
        names = self.place.removesuffix(".py").removesuffix("/__init__").split("/")
        return ".".join(["rungmaster", *names] if names[0] in PARTS else names)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"), self.place)

    @property
    def package(self) -> str:
        """What its relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of every module it imports anywhere, for type checking alone included.

        `from a import b` counts as `a.b`: whether b is a module makes no difference to who knows whom.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        start = self.package.split(".")[: len(self.package.split(".")) - (node.level - 1)]
        return ".".join([*start, *([node.module] if node.module else [])])

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def is_within(name: str, *packages: str) -> bool:
    """Whether a module's full name is one of the packages or below one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def tracked(*patterns: str) -> list[Path]:
    """Files that git tracks, or would if they were added, that still exist."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return sorted(path for name in set(listed.split("\0")) if name and (path := ROOT / name).is_file())


def modules(*folders: str) -> list[Module]:
    """The Python files below the folders that people wrote, generated code left out."""
    paths = tracked(*(f"{folder}/*.py" for folder in folders))
    return [Module(path) for path in paths if not path.stem.endswith(("_pb2", "_pb2_grpc"))]
