"""A program that imports libraries once, and forks a process for each trial, which imports the trial's own code.

Usage: python -P -m rungmaster.worker.process.fork_server PARENT_PID DESCRIPTOR MODULE:FUNCTION [LIBRARY]…

Without a LIBRARY it imports those that the module's source names. It has one thread, no event loop and no gRPC, and
touches no GPU, so that a fork of it is as good as a fresh process. Its standard input is a socket; see
`process_server.py` for what goes over it. First it says `{"ready": ["torch", …]}` or `{"refused": "why"}`. A request
has `"log": "/file", "environment": {…}`. `{"retire": true}` lets it end after its last child. Children are forked
ahead, so that no trial has to wait for the fork; a supervisor has one after the other.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..trial.protocol import decode, encode
from .child_main import die_with, run_entrypoint
from .libraries import Import, Sources, is_installed, read_sources
from .preload import CannotFork, check_fork, preload
from .process_server import ProcessServer, Supervised
from .signals import hear_nothing, let_pass
from .supervisor import QUIET_S


def main(arguments: list[str]) -> None:
    """Serves until the worker closes the socket, or retires this and the last child has ended."""
    parent, meant, entrypoint, *chosen = arguments
    hear_nothing()
    die_with(int(parent))
    os.close(int(meant))
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the import system wants a string
    sys.argv = [entrypoint]
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    ForkServer(channel, entrypoint, chosen).serve()


class ForkServer(ProcessServer):
    """The libraries of one entrypoint, and the processes that were forked for it."""

    def __init__(self, channel: socket.socket, entrypoint: str, chosen: Sequence[str]) -> None:
        super().__init__(channel)
        self._entrypoint = entrypoint
        #: The libraries that the spec names; else the source does.
        self._chosen = chosen
        self._sources = Sources((), {})
        #: In a supervisor: the line over which the process that was forked ahead gets its orders.
        self._orders: socket.socket | None = None
        self._retired = False

    def serve(self) -> None:
        """Preloads, says how that went, and answers requests."""
        try:
            imports = self._wanted()
            missing = preload(imports)
        except CannotFork as why:
            return self._tell({"refused": str(why)})
        if self._chosen:
            for name in missing:
                _say(f"there is no module {name!r}")
        self.open()
        self._tell({"ready": [each.module for each in imports if each.module not in missing]})
        while (self._children or not self._retired) and self._go_on():
            pass
        return None

    def _wanted(self) -> Sequence[Import]:
        if not self._chosen:
            self._sources = read_sources(self._entrypoint.partition(":")[0])
            return self._sources.imports
        for name in self._chosen:
            if is_installed(name) is False:
                _say(f"{name!r} is no installed library, and is imported in each trial")
        return [Import(name) for name in self._chosen if is_installed(name) is not False]

    def _check_sources(self) -> None:
        """Raises CannotFork where the source was changed, and names a library that was not imported."""
        if self._sources.changed:
            before, self._sources = set(self._sources.imports), read_sources(self._entrypoint.partition(":")[0])
            if new := [each.module for each in self._sources.imports if each not in before]:
                raise CannotFork(f"it imports {', '.join(new)} now")

    def _go_on(self) -> bool:
        """Waits for something to happen, and sees to it. False at the end of the channel."""
        happened = self.turn(1000 * QUIET_S if self._idle() is None and not self._retired else None)
        if happened is None:
            with contextlib.suppress(CannotFork, OSError):
                self._fork()
            happened = self.turn()
        return happened is not False

    def _idle(self) -> Supervised | None:
        """A child that waits for orders, or will in a moment; rather one whose process was forked already."""
        idle = [child for child in self._children.values() if child.number is None and not child.over]
        return max(idle, key=lambda child: child.pid is not None, default=None)

    def _obey(self, request: Mapping[str, Any]) -> None:
        if "retire" in request:
            self._retired = True
            while (idle := self._idle()) is not None:
                _dismiss(idle)
        else:
            super()._obey(request)

    def _begin(self, number: int, request: Mapping[str, Any]) -> None:
        """Sets a child to work."""
        try:
            self._check_sources()
            child = self._idle() or self._fork()
        except CannotFork as why:
            return self._tell({"refused": number, "why": str(why)})
        except OSError as error:
            return self._refuse(number, error)
        child.number = number
        with contextlib.suppress(OSError):
            child.line.sendall(encode(request))
        return self._tell_started(child)

    def _tell_ended(self, child: Supervised, code: int) -> None:
        super()._tell_ended(child, code)
        if self._retired and not child.over:
            _dismiss(child)

    def _fork(self) -> Supervised:
        """A process that waits for its orders. Raises CannotFork and OSError."""
        check_fork()
        return self._supervise(self._start, deliver=self._deliver)

    def _start(self, meant: int, inherited: Sequence[int]) -> int:
        """In a supervisor: forks a process that waits for its orders."""
        self._orders, its_end = socket.socketpair()
        supervisor, orders = os.getpid(), self._orders.fileno()
        pid = os.fork()
        if pid == 0:
            _live(supervisor, its_end, [*inherited, orders], meant, self._entrypoint)
        its_end.close()
        return pid

    def _deliver(self, order: Mapping[str, Any]) -> None:
        """In a supervisor: gives the process that waits its orders."""
        assert self._orders is not None
        with self._orders, contextlib.suppress(OSError):
            self._orders.sendall(encode(order))


def _dismiss(child: Supervised) -> None:
    """Its supervisor ends the process that waits, and leaves."""
    child.over = True
    with contextlib.suppress(OSError):
        child.line.shutdown(socket.SHUT_WR)


def _say(problem: str) -> None:
    """What is printed here stands at the beginning of each trial's log."""
    sys.stderr.write(f"rungmaster: preload: {problem}\n")


def _live(parent: int, line: socket.socket, inherited: Iterable[int], meant: int, entrypoint: str) -> NoReturn:
    """The life of a new fork: it waits for orders, trains, and ends as an interpreter does.

    Its orders come over `line`; without any it just ends. `inherited` are the descriptors that belong to the parent
    alone; `meant` tells which signals are for this process.
    """
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        die_with(parent)
        for descriptor in inherited:
            os.close(descriptor)
        let_pass(meant)
        code = _train(_read(line), entrypoint)
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


def _train(orders: bytes, entrypoint: str) -> int:
    if not orders:
        return 0
    request = decode(orders)
    _print_to(Path(request["log"]))
    os.environ.update(request["environment"])
    _reseed()
    importlib.invalidate_caches()
    return _as_interpreter(lambda: run_entrypoint(entrypoint))


def _print_to(log: Path) -> None:
    """What this process prints goes to a file of its own from here on."""
    opened = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    os.close(opened)


def _as_interpreter(run: Callable[[], None]) -> int:
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


def _reseed() -> None:
    """Other random numbers than in the fork before, as in a fresh process. Python has seen to those of `random`."""
    if (numpy := sys.modules.get("numpy.random")) is not None:
        numpy.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.seed()


if __name__ == "__main__":
    main(sys.argv[1:])
