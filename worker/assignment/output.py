"""What a training process prints: a file of limited size, with its beginning and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...shared.checkpoints.kept_logs import LogPiece, open_regular, read_piece
from ...shared.wire.model import LeaseRef
from ..trial.protocol import MAX_REASON

#: Bytes that are kept of what is printed under one assignment, unless the operator says something else.
LIMIT = 10 << 20
#: Of these, one in so many are of the beginning.
BEGINNING = 10
#: Seconds between two looks at the size.
INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


def lease_name(lease: LeaseRef) -> str:
    """A lease for people, and the path of its log: experiment/trial-token."""
    return f"{lease.experiment_id}/{lease.trial_id}-{lease.token}"


class OutputLog:
    """The log of one assignment. It may have twice its limit while the process prints; then its middle is dropped.

    Positions in it count all that was printed since the worker knows it. It may be used from several threads.
    """

    def __init__(self, path: Path, limit: int = LIMIT, about: Mapping[str, Any] | None = None) -> None:
        """`limit` in bytes; `about` are the fields of log entries about it."""
        self.path = path
        self._limit = limit
        self._beginning = limit // BEGINNING
        self._about = about or {}
        self._lock = threading.Lock()
        #: By how many bytes the file is shorter than what was printed, with the notes about that counted as printed.
        self._shorter = 0
        #: Bytes that the process printed and that are gone, and the length of the note that says so.
        self._dropped = self._said = 0
        #: Bytes that the file had before the process began to print.
        self._before = 0

    def begin(self) -> None:
        """A process begins to print: what is there already was printed before."""
        self._before = size_of(self.path)

    async def watch(self) -> None:
        """Keeps it short, until it is cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            await asyncio.to_thread(self.shorten, 2 * self._limit)

    def finish(self) -> None:
        """Nothing more is printed: brings it to its limit."""
        self.shorten(self._limit)

    def shorten(self, most: int) -> None:
        """Drops its middle where it has more bytes than that, and says so in it. The process may go on printing.

        It appends, wherever the end is, so the file can be emptied under it; what it prints in that moment comes first
        or is lost.
        """
        with self._lock:
            try:
                if size_of(self.path) > most:
                    self._shorten()
            except OSError as error:
                logger.warning("the log %s cannot be shortened: %s", self.path, error, extra=self._about)

    def _shorten(self) -> None:
        with open_regular(self.path) as content:
            size = os.fstat(content.fileno()).st_size
            beginning = os.pread(content.fileno(), self._beginning, 0)
            end = os.pread(content.fileno(), size, size - (self._limit - self._beginning))
        self._dropped += size - len(beginning) - len(end) - self._said
        said = (
            f"\n[rungmaster: {self._dropped:,} bytes were dropped here: a log keeps at most {self._limit:,}]\n".encode()
        )
        with self.path.open("ab") as shorter:
            os.truncate(self.path, 0)
            shorter.write(beginning + said + end)
        self._shorter += size - len(beginning) - len(said) - len(end)
        self._said = len(said)

    def read(self, position: int, most: int, tail_lines: int | None = None) -> LogPiece:
        """At most so many bytes from a position on, or from where so many lines follow. Raises OSError."""
        with self._lock, open_regular(self.path) as log:
            if tail_lines is not None:
                piece = read_piece(log, 0, most, tail_lines)
                return piece._replace(position=piece.position + self._shorter)
            if not self._shorter:
                return read_piece(log, position, most)
            if position < self._beginning:
                piece = read_piece(log, position, min(most, self._beginning - position))
                return piece._replace(more=True)
            piece = read_piece(log, max(position - self._shorter, self._beginning), most)
            return piece._replace(position=piece.position + self._shorter)

    def tail(self, length: int = MAX_REASON) -> str:
        """The end of what the process printed, at most so many characters."""
        try:
            with self.path.open("rb") as content:
                size = content.seek(0, os.SEEK_END)
                # A log that is shorter than it was has lost its middle since, and ends with what was printed last.
                content.seek(max(self._before if self._before <= size else 0, size - 4 * length))
                return content.read().decode(errors="replace").strip()[-length:]
        except OSError as error:
            return f"(its log {self.path} cannot be read: {error.strerror})"


def size_of(log: Path) -> int:
    """Its bytes; 0 where it is not there yet."""
    with contextlib.suppress(FileNotFoundError):
        return log.stat().st_size
    return 0
