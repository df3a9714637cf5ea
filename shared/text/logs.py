"""Sets up the log of a master or worker: one line an entry, in which nothing that anybody wrote acts on a terminal."""

from __future__ import annotations

import logging
from typing import Any, TextIO

from .visible import visible, visible_block


class VisibleFormatter(logging.Formatter):
    """Writes an entry in one line, so that nobody can forge another; a traceback follows, its later lines indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        """See logging."""
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """See logging."""
        return visible_block(super().formatException(ei)).replace("\n", "\n  ")


def set_up_logs(layout: str, *, verbose: bool, stream: TextIO | None = None) -> None:
    """Has everything logged on `stream`, by default standard error."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(VisibleFormatter(layout))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
