"""The life of a process that was forked for a trial: it waits for orders, trains, and ends as an interpreter does."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, NoReturn

from ..trial.protocol import decode
from .child_main import die_with, run_entrypoint
from .reseeding import Reseeding
from .signals import Handlers, let_pass


class Nature(NamedTuple):
    """What all forks have from the import: which random numbers it seeded, and its handlers of signals."""

    reseeding: Reseeding
    handlers: Handlers


def live(
    parent: int, line: socket.socket, inherited: Iterable[int], meant: int, entrypoint: str, nature: Nature
) -> NoReturn:
    """Everything that a new fork does. Its orders come over `line`; without any it just ends.

    `inherited` are the descriptors that belong to the parent alone; `meant` tells which signals are for this process.
    """
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        die_with(parent)
        for descriptor in inherited:
            os.close(descriptor)
        let_pass(meant, nature.handlers)
        code = _obey(_read(line), entrypoint, nature.reseeding)
    except BaseException as error:  # noqa: BLE001 - printed as the interpreter does
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)


def _read(line: socket.socket) -> bytes:
    """The orders: everything until the parent closes the line."""
    with line, line.makefile("rb") as orders:
        return orders.read()


def _obey(orders: bytes, entrypoint: str, reseeding: Reseeding) -> int:
    if not orders:
        return 0
    request = decode(orders)
    _print_to(Path(request["log"]))
    os.environ.update(request["environment"])
    reseeding.renew()
    return as_interpreter(lambda: run_entrypoint(entrypoint))


def _print_to(log: Path) -> None:
    """What this process prints goes to a file of its own from here on."""
    opened = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    os.close(opened)


def as_interpreter(run: Callable[[], None]) -> int:
    """Runs a program, and does what the interpreter does at its end but for taking itself apart.

    The exit code; the negative number of a signal that the process is to die of.
    """
    try:
        run()
        code = 0
    except SystemExit as end:
        code = _code_of(end)
    except KeyboardInterrupt as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = -signal.SIGINT
    except BaseException as error:  # noqa: BLE001 - printed as the interpreter does
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    # multiprocessing ends its forked children with the same calls.
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code


def _code_of(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    return 1
