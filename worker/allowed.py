"""What a worker may run, where its operator does not trust everybody who may submit; looked at before any start."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..shared.entrypoints import find_program
from ..shared.errors import CannotStart, InvalidInput

_WILD = frozenset("*?[")
#: Patterns that a refusal names.
_TOLD = 5


@dataclass(frozen=True, slots=True)
class Allowed:
    """Patterns of the functions and of the programs that may be run; with neither any may, with one only that kind.

    `functions` are `module` or `module:function`; without a function any that stands at the top of the module.
    `programs` are paths, relative ones below the worker's directory; in them `*` stays within one folder, and `**` does
    not.
    """

    functions: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InvalidInput for a pattern that could match nothing."""
        for pattern in self.functions:
            if not pattern or "/" in pattern or pattern.count(":") > 1 or "" in pattern.split(":"):
                raise InvalidInput(f"--allow: write MODULE or MODULE:FUNCTION, such as 'examples.*', not {pattern!r}")
        if "" in self.programs:
            raise InvalidInput("--allow-command: write the path of a program, such as '/srv/train/*', not nothing")

    def check(self, entrypoint: str, command: Sequence[str], directory: Path, path: str) -> None:
        """Raises CannotStart where an experiment's function or command may not be run here.

        The program of a command is looked for as its start will do it: in `directory`, with this PATH.
        """
        if not self.functions and not self.programs:
            return
        if entrypoint:
            self._check_function(entrypoint)
        else:
            self._check_program(command, directory, path)

    def preload(self, named: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """What counts of the libraries that a spec names: where functions are limited none do, for to import is to run.

        Then those that the source of the allowed function names are imported; an empty list stays one.
        """
        return None if self.functions and named else named

    def _check_function(self, entrypoint: str) -> None:
        if not any(_is_function(entrypoint, pattern) for pattern in self.functions):
            raise CannotStart(
                f"entrypoint {entrypoint!r} is not allowed on this worker: {_told('--allow', self.functions)}"
            )

    def _check_program(self, command: Sequence[str], directory: Path, path: str) -> None:
        refusal = f"command {command[0] if command else ''!r} is not allowed on this worker"
        allows = _told("--allow-command", self.programs)
        found = find_program(command[0], directory, path) if command and "\0" not in command[0] else None
        if found is None:
            raise CannotStart(f"{refusal}: there is no such program here, and {allows}")
        try:
            program = found.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise CannotStart(f"{refusal}: its path leads nowhere ({error}), and {allows}") from error
        if not any(_is_program(program, pattern, directory) for pattern in self.programs):
            raise CannotStart(f"{refusal}: it is {program}, and {allows}")


def _told(option: str, patterns: Sequence[str]) -> str:
    if not patterns:
        return f"the worker was started without {option}"
    more = f" and {len(patterns) - _TOLD} more" if len(patterns) > _TOLD else ""
    return f"{option} has {', '.join(map(repr, patterns[:_TOLD]))}{more}"


def _is_function(entrypoint: str, pattern: str) -> bool:
    module, _, function = entrypoint.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        # No code of a project has such a name; a checkpoint's folder may.
        return False
    modules, given, functions = pattern.partition(":")
    # What hangs from a name in a module may be of any other module: `training:os.abort`.
    fits = fnmatchcase(function, functions) if given else "." not in function
    return fnmatchcase(module, modules) and fits


def _is_program(program: Path, pattern: str, directory: Path) -> bool:
    return _fits(program.parts, _resolved(pattern, directory).parts)


def _resolved(pattern: str, directory: Path) -> Path:
    """The pattern with links followed as far as it has no wildcards, as in the path with which it is compared."""
    parts = Path(os.path.normpath(directory / pattern)).parts
    fixed = next((place for place, part in enumerate(parts) if _WILD & set(part)), len(parts))
    return Path(*parts[:fixed]).resolve().joinpath(*parts[fixed:])


def _fits(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns or not parts:
        return not parts and all(pattern == "**" for pattern in patterns)
    first, *rest = patterns
    if first == "**":
        return _fits(parts, tuple(rest)) or _fits(parts[1:], patterns)
    return fnmatchcase(parts[0], first) and _fits(parts[1:], tuple(rest))
