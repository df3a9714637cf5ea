"""Finds what an experiment's `entrypoint` names, on this machine: a Python function, or a program.

The same for a training process and for `run` and `plan --check`, which look before they start anything. Imports little:
every training process pays for it.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from .errors import CannotStart
from .text.failure_text import exception_line
from .text.suggestions import closest

#: Programs whose first argument, where it is no option, is a script to run.
_INTERPRETERS = ("python", "bash", "sh", "zsh", "Rscript", "julia", "node", "perl", "ruby")


def find_function(entrypoint: str) -> Callable[..., Any]:
    """The function that `module:function` names; its module is imported.

    Raises CannotStart where there is no such module or function, or the module needs something that is not installed or
    is not Python; whatever else the import raises is raised as it is.
    """
    name, _, attribute = entrypoint.partition(":")
    try:
        found: Any = importlib.import_module(name)
    except (ImportError, SyntaxError) as error:
        raise CannotStart(f"entrypoint {entrypoint!r}: {_import_problem(name, error)}") from error
    where = getattr(found, "__file__", None) or name
    for part in attribute.split("."):
        inside, found = found, getattr(found, part, None)
        if found is None:
            names = (each for each in dir(inside) if callable(getattr(inside, each, None)) and not each.startswith("_"))
            problem = f"{where} has no function {attribute!r}{_did_you_mean(part, names)}"
            raise CannotStart(f"entrypoint {entrypoint!r}: {problem}")
    if not callable(found):
        raise CannotStart(f"entrypoint {entrypoint!r}: {attribute!r} in {where} is not a function")
    return found


def _import_problem(module: str, error: ImportError | SyntaxError) -> str:
    absent = error.name if isinstance(error, ModuleNotFoundError) else None
    if absent is None or not (module == absent or module.startswith(absent + ".")):
        return f"importing {module} failed: {exception_line(error)}"
    parent, _, last = absent.rpartition(".")
    if last == "py":
        return f"name the module without its ending: {parent!r}, not {absent!r}"
    close = _did_you_mean(last, _modules_of(parent), f"{parent}." if parent else "")
    return f"there is no module {absent!r} in {Path.cwd()} or on PYTHONPATH{close}"


def _modules_of(package: str) -> set[str]:
    """The names of the modules in a package, or beside the training code, without importing any."""
    if package:
        folders = list(getattr(sys.modules.get(package), "__path__", ()))
    else:
        folders = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]  # noqa: PTH109
    names: set[str] = set()
    for folder in map(Path, folders):
        if folder.is_dir():
            names |= {each.stem for each in folder.glob("*.py")} | {each.parent.name for each in folder.glob("*/*.py")}
    return names - {"__init__"}


def find_program(program: str, directory: Path, path: str | None = None) -> Path | None:
    """The file that a command's program is, links not followed: for one without a slash the first on PATH, by default
    that of this process, for others from the directory. None where there is none that may be run."""
    if os.sep in program:
        found = shutil.which(directory / program)
    else:
        # What is relative on PATH is so from where the command runs.
        folders = (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep)
        found = shutil.which(program, path=os.pathsep.join(str(directory / folder) for folder in folders))
    return None if found is None else Path(found)


def check_command(command: Sequence[str], directory: Path) -> Path:
    """The file of the program that a command names. Raises CannotStart where that, or the script that it is to run, is
    not here."""
    program = command[0]
    found = find_program(program, directory)
    if found is None:
        raise CannotStart(f"cannot run {program!r} in {directory}: {_program_problem(program, directory)}")
    if (interpreter := _missing_interpreter(found)) is not None:
        problem = f"its first line names {interpreter!r}, which is not here"
        raise CannotStart(f"cannot run {program!r} in {directory}: {problem}")
    script = command[1] if len(command) > 1 else "-"
    runs_scripts = Path(program).name.rstrip("0123456789.") in _INTERPRETERS
    if runs_scripts and not script.startswith("-") and not ((directory / script).exists() or shutil.which(script)):
        beside = (directory / script).parent
        names = [each.name for each in beside.iterdir()] if beside.is_dir() else []
        problem = f"there is no file {script!r}{_did_you_mean(Path(script).name, names)}"
        raise CannotStart(f"cannot run {program!r} in {directory}: {problem}")
    return found


def _missing_interpreter(program: Path) -> str | None:
    """What the first line of a script asks for (`#!/usr/bin/env python`), where it is not there."""
    try:
        with program.open("rb") as script:
            words = script.readline(1_000).decode(errors="replace")
    except OSError:
        return None
    if not words.startswith("#!"):
        return None
    interpreter, *arguments = words[2:].strip(" \t\n").split(" ")
    if interpreter and not Path(interpreter).exists():
        return interpreter
    if Path(interpreter).name == "env" and arguments and arguments[0].isidentifier() and not shutil.which(arguments[0]):
        return arguments[0]
    return None


def _program_problem(program: str, directory: Path) -> str:
    path = directory / program
    if os.sep not in program:
        beside = f"; to run the file here, write './{program}'" if path.is_file() else ""
        return f"there is no such program on PATH{beside or _did_you_mean(program, _programs())}"
    if path.is_file():
        return f"it may not be executed; chmod +x {program}"
    names = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"there is no such file{_did_you_mean(path.name, names)}"


def _programs() -> set[str]:
    names: set[str] = set()
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        try:
            names.update(os.listdir(folder or "."))  # noqa: PTH208 - names are all that is wanted, of thousands of files
        except OSError:
            continue
    return names


def _did_you_mean(name: str, names: Iterable[str], prefix: str = "") -> str:
    close = closest(name, names)
    return f"; did you mean {prefix + close!r}?" if close else ""
