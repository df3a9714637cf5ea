"""A program that starts all processes of a worker, and leaves nothing of them when the worker ends, however it ends.

Usage: python -P -m rungmaster.worker.process.reaper DESCRIPTOR DESCRIPTOR

See `process_server.py` for what goes over the first socket. A request says which program of this package to run:
`{"start": 7, "module": "child_main", "arguments": […], "directory": "/d", "environment": {…}, "log": "/file",
"input": false}`. Where `input` is true a descriptor for its standard input comes over the second socket.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ...shared.descendants import LINUX, PATIENCE_S, end_all
from .process_server import ProcessServer
from .signals import FOR_THE_WORKER, hear_nothing


def main(arguments: list[str]) -> None:
    """Serves until the worker is gone, then ends everything."""
    hear_nothing()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_THE_WORKER)
    channel, passing = (socket.socket(fileno=int(each)) for each in arguments)
    Reaper(channel, passing).serve()


class Reaper(ProcessServer):
    """The ancestor of everything that a worker runs."""

    def __init__(self, channel: socket.socket, passing: socket.socket) -> None:
        super().__init__(channel)
        self._passing = passing
        self._private = (passing.fileno(),)

    def serve(self) -> None:
        """Returns once the worker is gone, and everything that was started with it."""
        self.open()
        while self.turn() is not False:
            pass
        self._end_everything()

    def _begin(self, number: int, request: Mapping[str, Any]) -> None:
        given = socket.recv_fds(self._passing, 1, 1)[1] if request["input"] else []
        try:
            if request["input"] and not given:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            self._supervise(partial(_run, request, given), number=number)
        except OSError as error:
            self._refuse(number, error)
        for descriptor in given:
            os.close(descriptor)

    def _end_everything(self) -> None:
        """The supervisors end what is theirs; then whatever is left is ended here."""
        deadline = time.monotonic() + PATIENCE_S + 1
        for child in self._children.values():
            child.line.close()
        # Not for all children: those of a supervisor that somebody has killed are children of this process now.
        while any(map(_lives, (child.supervisor for child in self._children.values()))) and time.monotonic() < deadline:
            time.sleep(0.001)
        if LINUX:
            end_all()


def _lives(pid: int) -> bool:
    """Whether a child has not ended yet; takes its exit code."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def _run(request: Mapping[str, Any], given: Sequence[int], meant: int, _: Sequence[int]) -> int:
    """Starts the program in a session of its own, and gives its process id. Raises OSError."""
    with open(request["log"], "ab") as log:  # noqa: PTH123 - a Path would have to be imported
        program = [sys.executable, "-P", "-m", f"{__package__}.{request['module']}", str(os.getpid()), str(meant)]
        return subprocess.Popen(  # noqa: S603 - a program of this package
            [*program, *request["arguments"]],
            cwd=request["directory"],
            env=request["environment"],
            stdin=given[0] if given else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(meant,),
            start_new_session=True,
        ).pid


if __name__ == "__main__":
    main(sys.argv[1:])
