"""Sets up the log of a master or worker: one line an entry, in which nothing that anybody wrote acts on a terminal."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, TextIO

from .visible import json_text, visible, visible_block

#: What an entry may be about, as fields of its own.
FIELDS = ("experiment", "trial", "worker")


def about(experiment: int | None = None, trial: int | None = None, worker: str | None = None) -> dict[str, Any]:
    """The `extra` of an entry about an experiment, a trial or a worker."""
    given = {"experiment": experiment, "trial": trial, "worker": worker}
    return {name: value for name, value in given.items() if value is not None}


def _fields(record: logging.LogRecord, worker: str) -> dict[str, Any]:
    known = {"worker": worker} if worker else {}
    return {name: found for name in FIELDS if (found := getattr(record, name, known.get(name))) is not None}


class VisibleFormatter(logging.Formatter):
    """Writes an entry in one line, so that nobody can forge another; a traceback follows, its later lines indented.

    `worker` is the one whose log it is, if any.
    """

    def __init__(self, layout: str, worker: str = "") -> None:
        super().__init__(layout)
        self._worker = worker

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        """See logging."""
        record.message = visible(record.message)
        fields = " ".join(f"{name}={visible(str(value))}" for name, value in _fields(record, self._worker).items())
        return super().formatMessage(record) + (f" [{fields}]" if fields else "")

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """See logging."""
        return visible_block(super().formatException(ei)).replace("\n", "\n  ")


class JsonFormatter(logging.Formatter):
    """Writes an entry as one JSON object in one line; `exception` is the traceback, where there is one."""

    def __init__(self, worker: str = "") -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """See logging."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record, self._worker),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json_text(entry)


def set_up_logs(
    layout: str, *, verbose: bool, stream: TextIO | None = None, log_format: str = "text", worker: str = ""
) -> None:
    """Has everything logged on `stream`, by default standard error; `layout` is that of lines of text."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(worker) if log_format == "json" else VisibleFormatter(layout, worker))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
