"""The first program of every training process: runs a Python entrypoint, or becomes a command.

Usage: python -P -m rungmaster.worker.process.child_main PARENT_PID DESCRIPTOR entrypoint MODULE:FUNCTION
       python -P -m rungmaster.worker.process.child_main PARENT_PID DESCRIPTOR command PROGRAM [ARGUMENT]…

The DESCRIPTOR tells which signals are meant for this process, see `signals.py`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from ...shared.entrypoints import check_command, find_function
from ...shared.errors import TRANSIENT, CannotStart
from ...shared.text.failure_text import exception_line
from ..trial.connection import LocalConnection
from ..trial.protocol import MAX_REASON
from ..trial.trial import Trial
from .signals import hear_as_usual, let_pass

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Runs what the arguments name. Exits with 1 where it cannot be run or fails."""
    parent, meant, kind, *rest = arguments
    die_with(int(parent))
    os.set_inheritable(int(meant), False)
    if kind == "command":
        hear_as_usual()
        _become(rest)
    let_pass(int(meant))
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
        # The very file that was looked at: a search of its own might find another.
        program = check_command(command, Path.cwd())
        os.execv(program, command)  # noqa: S606 - running the user's command is the purpose
    except CannotStart as error:
        _cannot_start(error)
    except OSError as error:
        reason = f"cannot run {command[0]!r} in {Path.cwd()}: {error.strerror}"
        if error.errno not in TRANSIENT:
            _cannot_start(CannotStart(reason))
    LocalConnection.from_environment().environment(reason)
    sys.exit(reason)


def _cannot_start(error: CannotStart) -> NoReturn:
    LocalConnection.from_environment().cannot_start(str(error))
    sys.exit(str(error))


def run_entrypoint(entrypoint: str) -> None:
    """Trains the trial of this process with a Python function, from its first line to its last report."""
    connection, process = LocalConnection.from_environment(), os.getpid()
    try:
        train = find_function(entrypoint)
        trial = Trial(connection)
        train(trial)
        trial.check_finished()
    except CannotStart as error:
        connection.cannot_start(str(error))
        raise
    except BaseException as error:
        # A process that the training forked is none of the worker's, wherever its exceptions come out.
        if os.getpid() == process and (told := _told_of(error)):
            connection.leave_word(told[:MAX_REASON])
        raise


def _told_of(error: BaseException) -> str:
    """What an exception says; an exit with a number says nothing more than the exit code."""
    if isinstance(error, SystemExit):
        return "" if error.code is None or isinstance(error.code, int) else str(error.code)
    return exception_line(error)


if __name__ == "__main__":
    main(sys.argv[1:])
