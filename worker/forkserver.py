"""A program that imports a trial's code once, and forks a process for each trial that the worker asks for.

Usage: python -P -m rungmaster.worker.forkserver PARENT_PID DESCRIPTOR MODULE:FUNCTION [VARIABLE]…

It has one thread, no event loop and no gRPC, and touches no GPU, so that a fork of it is as good as a fresh process.
Over the socket DESCRIPTOR go JSON lines. First it says `{"ready": true}` or `{"refused": "why"}`. Each
`{"log": "/file", "environment": {…}}` is answered by `{"pid": 7}` or `{"refused": "why"}`, and each end of a process is
told as `{"exited": 7, "code": 0}`. `{"retire": true}` lets it end after its last child. The VARIABLEs differ from trial
to trial, as all RUNGMASTER_ ones do.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from .chance import Chance
from .child_main import die_with, run_entrypoint
from .preload import CannotFork, changed, check_devices, check_threads, preload
from .protocol import decode, encode


def main(arguments: list[str]) -> None:
    """Serves until the worker closes the socket, or retires this and the last child has ended."""
    parent, descriptor, entrypoint, *variables = arguments
    die_with(int(parent))
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the import system wants a string
    sys.argv = [entrypoint]
    Nursery(socket.socket(fileno=int(descriptor)), entrypoint).serve(frozenset(variables))


class Nursery:
    """One preloaded entrypoint and the processes that were forked for it."""

    def __init__(self, channel: socket.socket, entrypoint: str) -> None:
        self._channel = channel
        self._unread = b""
        self._entrypoint = entrypoint
        self._chance = Chance()
        self._sources: dict[str, tuple[int, int]] = {}
        #: Descriptor of each child to its process id.
        self._children: dict[int, int] = {}
        self._retired = False

    def serve(self, variables: frozenset[str]) -> None:
        """Preloads, says how that went, and answers requests."""
        module = self._entrypoint.partition(":")[0]
        try:
            with self._chance:
                self._sources = preload(module, lambda name: name.startswith("RUNGMASTER_") or name in variables)
            os.close(os.pidfd_open(os.getpid()))
        except CannotFork as why:
            return self._tell({"refused": str(why)})
        except OSError as error:
            return self._tell({"refused": f"this kernel has no descriptors of processes: {error.strerror}"})
        self._tell({"ready": True})
        self._answer_requests()
        return None

    def _answer_requests(self) -> None:
        waiting = select.poll()
        waiting.register(self._channel, select.POLLIN)
        while self._children or not self._retired:
            for descriptor, _ in waiting.poll():
                if descriptor in self._children:
                    waiting.unregister(descriptor)
                    self._bury(descriptor)
                    continue
                if not (lines := self._receive()):
                    return
                for child in filter(None, map(self._answer, map(decode, lines))):
                    waiting.register(child, select.POLLIN)

    def _receive(self) -> list[bytes]:
        """The next whole lines; none at the end."""
        lines: list[bytes] = []
        while not lines and (received := self._channel.recv(1 << 16)):
            *lines, self._unread = (self._unread + received).split(b"\n")
        return lines

    def _answer(self, request: Mapping[str, Any]) -> int | None:
        """Obeys one request; gives the descriptor of the new child where there is one."""
        if "retire" in request:
            self._retired = True
            return None
        try:
            self._check()
        except CannotFork as why:
            self._tell({"refused": str(why)})
            return None
        return self._fork(request)

    def _check(self) -> None:
        check_devices()
        check_threads()
        if (file := changed(self._sources)) is not None:
            raise CannotFork(f"{file} was changed")

    def _fork(self, request: Mapping[str, Any]) -> int:
        """The child is a process group of its own, and dies with this process, before its id is told."""
        server, (reading, writing) = os.getpid(), os.pipe()
        pid = os.fork()
        if pid == 0:
            self._be_born(server, request, writing)
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = pid
        self._tell({"pid": pid})
        return descriptor

    def _bury(self, descriptor: int) -> None:
        """Ends what a child left running in its group while its id cannot be another's yet, and tells its end."""
        pid = self._children.pop(descriptor)
        os.close(descriptor)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self._tell({"exited": pid, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._channel.sendall(encode(message))

    def _be_born(self, server: int, request: Mapping[str, Any], born: int) -> NoReturn:
        code = 1
        try:
            os.setsid()
            die_with(server)
            os.close(born)
            self._let_go()
            _print_to(Path(request["log"]))
            os.environ.update(request["environment"])
            self._chance.renew()
            code = _train(self._entrypoint)
        except BaseException as error:  # noqa: BLE001 - printed as the interpreter does
            sys.excepthook(type(error), error, error.__traceback__)
        finally:
            os._exit(code)

    def _let_go(self) -> None:
        """Closes what belongs to the server alone."""
        self._channel.close()
        for descriptor in self._children:
            os.close(descriptor)


def _print_to(log: Path) -> None:
    """What this process prints goes to a file of its own from here on."""
    opened = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(opened, 1)
    os.dup2(opened, 2)
    os.close(opened)


def _train(entrypoint: str) -> int:
    """Trains, and does what the interpreter does at its end but for taking itself apart. Returns the exit code."""
    try:
        run_entrypoint(entrypoint)
        code = 0
    except SystemExit as end:
        code = _code_of(end)
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


if __name__ == "__main__":
    main(sys.argv[1:])
