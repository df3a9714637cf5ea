"""Tells the log of callers that were turned away or cut off: anybody can be, as often as they like."""

from __future__ import annotations

import logging
import time

#: Seconds between two lines.
_PAUSE_S = 1.0


class RefusalLog:
    """Tells the log of one refusal a second, and of the others how many there were."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._next_at = 0.0
        self._untold = 0

    def add(self, text: str) -> None:
        """One more."""
        now = time.monotonic()
        if now < self._next_at:
            self._untold += 1
            return
        more = f" (and {self._untold:,} more since the last)" if self._untold else ""
        self._log.warning("%s%s", text, more)
        self._next_at, self._untold = now + _PAUSE_S, 0
