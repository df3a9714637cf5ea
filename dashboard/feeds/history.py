"""What the figures of one experiment are drawn from, read on where it was, for all who look."""

from __future__ import annotations

import threading
import time

from ...client.client import Client
from ...client.history import HistoryLoader
from ...plots.history import History

REST = 5.0
"""Reading on is followed by a rest of so many times what it took, and of a second at least."""

_TIMEOUT_S = 60.0


class FeedHistory:
    """The history of one experiment. May be used from several threads, of which one at a time reads on."""

    def __init__(self, client: Client, experiment_id: int) -> None:
        self._client = client.with_timeout(_TIMEOUT_S)
        self._loader = HistoryLoader(self._client, experiment_id)
        self._lock = threading.Lock()
        self._history: History | None = None
        self._with_journal = False
        self._next_at = 0.0

    def get(self, *, journal: bool) -> History:
        """As it is now, or was a moment ago; `journal`: with its events. Raises what the calls of its client raise."""
        with self._lock:
            began = time.monotonic()
            history, self._with_journal = self._history, self._with_journal or journal
            lacks = self._with_journal and history is not None and not history.events
            if history is None or lacks or began >= self._next_at:
                self._history = self._loader.update(journal=self._with_journal)
                # Where everything was read, that says nothing about the next time.
                rest = 0.0 if history is None or lacks else REST * (time.monotonic() - began)
                self._next_at = time.monotonic() + max(1.0, rest)
                return self._history
            return history

    @property
    def last(self) -> History | None:
        """As it was read last, without waiting; None before that."""
        return self._history

    def close(self) -> None:
        """Ends its connection."""
        self._client.close()
