"""The training process's end of the local protocol: a plain blocking socket."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...shared.errors import FailedPrecondition, InvalidInput, Unavailable
from .protocol import LAST_WORD, MAX_REASON, Reply, TrialStart, decode, encode, metrics_to_json


class LocalConnection:
    """Speaks with the worker that started this process: one request, one reply, in turn, from any thread."""

    def __init__(self, path: Path) -> None:
        """Connects to the worker's socket. Raises Unavailable where nobody listens there."""
        self._folder = path.parent
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise Unavailable(f"the worker at {path} is gone ({error.strerror})") from error
        self._replies = self._socket.makefile("rb")

    @classmethod
    def from_environment(cls) -> LocalConnection:
        """Connects to the socket named by RUNGMASTER_SOCKET. Raises FailedPrecondition where there is none."""
        path = os.environ.get("RUNGMASTER_SOCKET")
        if not path:
            raise FailedPrecondition(
                "RUNGMASTER_SOCKET is not set: this process was not started by a Rungmaster worker; "
                "to run training code alone use rungmaster.worker.testing.train_alone"
            )
        return cls(Path(path))

    def start(self) -> TrialStart:
        """What to train, from where and how far."""
        return TrialStart.from_json(self._ask({"op": "start"}))

    def report(self, resource: int | None, metrics: Mapping[str, float]) -> Reply:
        """Hands in a measurement; waits for the master's decision where it reaches the target.

        Without a resource it is one more than the last.
        """
        return Reply.from_json(self._ask({"op": "report", **_at(resource), "metrics": metrics_to_json(metrics)}))

    def new_folder(self) -> Path:
        """An empty folder for a checkpoint, beside the socket, from where the worker can take it without copying."""
        import tempfile

        return Path(tempfile.mkdtemp(prefix="save-", dir=self._folder))

    def checkpoint(self, resource: int | None, folder: Path) -> None:
        """Hands over a folder that holds a checkpoint, without a resource that of the last report."""
        self._ask({"op": "checkpoint", **_at(resource), "path": str(folder)})

    def invalid(self, reason: str) -> None:
        """Says that the hyperparameters cannot be trained."""
        self._ask({"op": "invalid", "reason": reason[:MAX_REASON]})

    def cannot_start(self, reason: str) -> None:
        """Says that this machine lacks what the experiment names, which is no fault of the trial's or the worker's."""
        self._ask({"op": "cannot_start", "reason": reason[:MAX_REASON]})

    def leave_word(self, exception: str) -> None:
        """Writes down what ends this process: in its output nobody could tell it from the rest."""
        with contextlib.suppress(OSError):
            (self._folder / LAST_WORD).write_text(exception, errors="replace")

    def environment(self, reason: str) -> None:
        """Says that this machine cannot run the trial for the moment, which is nobody's fault."""
        self._ask({"op": "environment", "reason": reason[:MAX_REASON]})

    def close(self) -> None:
        """Ends the conversation."""
        self._replies.close()
        self._socket.close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            try:
                self._socket.sendall(encode(request))
                line = self._replies.readline()
            except OSError as error:
                raise Unavailable(f"the worker that trains this trial is gone ({error.strerror}); exit") from error
        if not line:
            raise Unavailable("the worker that trains this trial is gone; exit")
        reply = decode(line)
        if "error" in reply:
            raise InvalidInput(reply["error"])
        return reply


def _at(resource: int | None) -> dict[str, int]:
    return {} if resource is None else {"resource": resource}
