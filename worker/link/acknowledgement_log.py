"""Writes down what the master has acknowledged, so that a test can hold the ledger to it.

One JSON line for each event: `{"experiment": 1, "trial": 7, "token": 2, "sequence": 5, "kind": "measurement", …}`, with
the event's own fields after that (`measurement`: resource, metrics; `checkpoint`: path, resource; `exit`: outcome).
Each bundle of acknowledgements is one append: several workers may share a file, and a killed one leaves whole lines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...shared.wire.session import CheckpointSaved, LeaseEvent, Measurement


class AcknowledgementLog:
    """The file of acknowledged events; without a path it notes nothing."""

    def __init__(self, path: Path | None) -> None:
        """Raises OSError where the file cannot be written."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = None if path is None else os.open(path, flags, 0o644)

    def note(self, events: Iterable[LeaseEvent]) -> None:
        """The master has said that these are durable."""
        if self._file is not None and (lines := "".join(map(_line, events))):
            os.write(self._file, lines.encode())

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            os.close(self._file)


def _line(event: LeaseEvent) -> str:
    lease = event.lease
    ids = {"experiment": lease.experiment_id, "trial": lease.trial_id, "token": lease.token, "sequence": event.sequence}
    return json.dumps(ids | _particulars(event)) + "\n"


def _particulars(event: LeaseEvent) -> dict[str, Any]:
    match event.event:
        case Measurement(resource=resource, metrics=metrics):
            return {"kind": "measurement", "resource": resource, "metrics": dict(metrics)}
        case CheckpointSaved(path=path, resource=resource):
            return {"kind": "checkpoint", "path": path, "resource": resource}
        case ended:
            return {"kind": "exit", "outcome": ended.outcome.value}
