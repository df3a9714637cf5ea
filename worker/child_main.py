"""The first program of every training process: runs a Python entrypoint, or becomes a command.

Usage: python -P -m rungmaster.worker.child_main PARENT_PID entrypoint MODULE:FUNCTION
       python -P -m rungmaster.worker.child_main PARENT_PID command PROGRAM [ARGUMENT]…
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ..shared.errors import InvalidInput
from .connection import Connection
from .trial import Trial

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Runs what the arguments name. Exits with 1 where it cannot be run or fails."""
    parent, kind, *rest = arguments
    die_with(int(parent))
    if kind == "command":
        _become(rest)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the import system wants a string
    sys.argv = [rest[0]]
    run_entrypoint(rest[0])


def die_with(parent: int) -> None:
    """Asks the kernel (Linux) for SIGKILL when the parent dies, so that nothing trains on for nobody."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the worker died before the training began")


def _become(command: list[str]) -> NoReturn:
    """Replaces this process by the command's; the process, its group and its socket stay the same."""
    try:
        os.execvp(command[0], command)  # noqa: S606 - running the user's command is the purpose
    except OSError as error:
        reason = f"cannot run {command[0]!r} in {Path.cwd()}: {error.strerror}"
    Connection.from_environment().fault(reason)
    sys.exit(reason)


def run_entrypoint(entrypoint: str) -> None:
    """Trains the trial of this process with a Python function, from its first line to its last report."""
    connection = Connection.from_environment()
    train = _find(entrypoint, connection)
    trial = Trial(connection)
    train(trial)
    trial.check_finished()


def _find(entrypoint: str, connection: Connection) -> Callable[[Trial], object]:
    """The training function. A module that is not here is the worker's fault; anything else wrong is the code's."""
    name, _, attribute = entrypoint.partition(":")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
        reason = f"entrypoint {entrypoint!r}: there is no module {error.name!r} in {Path.cwd()} or on PYTHONPATH"
        connection.fault(reason)
        sys.exit(reason)
    train = getattr(module, attribute, None)
    if not callable(train):
        raise InvalidInput(f"entrypoint {entrypoint!r}: {module.__file__} has no function {attribute!r}")
    return train


if __name__ == "__main__":
    main(sys.argv[1:])
