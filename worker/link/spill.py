"""Files in the worker's temporary folder for events that do not fit into memory while the master is away."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import struct
from pathlib import Path

from ...shared.errors import Unavailable
from ...shared.text.logs import about
from ...shared.wire.model import LeaseRef
from ...shared.wire.session import LeaseEvent

_LENGTH = struct.Struct("<I")

logger = logging.getLogger(__name__)


class SpillFolder:
    """The spill files of one worker, which share a limit in bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self.limit = limit
        self.used = 0
        self._number = 0

    def open(self, lease: LeaseRef) -> SpillFile:
        """A new file for a lease."""
        self._number += 1
        return SpillFile(lease, self._folder / f"spill-{self._number}", self)


class SpillFile:
    """The events of one lease, first in, first out; the file becomes short again whenever all of it was taken."""

    def __init__(self, lease: LeaseRef, path: Path, folder: SpillFolder) -> None:
        self._lease = lease
        self._path = path
        self._folder = folder
        self._file: int | None = None
        self._start = 0
        self._end = 0
        self._broken = False

    @property
    def full(self) -> bool:
        """Whether the limit is reached, or the disk is full."""
        return self._broken or self._folder.used >= self._folder.limit

    def append(self, event: LeaseEvent) -> bool:
        """Adds an event. False, and nothing happens, where it does not fit on the disk or into the limit."""
        if self.full:
            return False
        content = pickle.dumps(tuple(event)[1:], pickle.HIGHEST_PROTOCOL)
        record = _LENGTH.pack(len(content)) + content
        try:
            self._write(record)
        except OSError as error:
            logger.warning(
                "%s cannot be written (%s): reports wait until the master is back",
                self._path,
                error,
                extra=about(self._lease.experiment_id, self._lease.trial_id),
            )
            self._broken = True
            return False
        self._end += len(record)
        self._folder.used += len(record)
        return True

    def _write(self, record: bytes) -> None:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if os.pwrite(self._file, record, self._end) < len(record):
            raise OSError("the disk is full")

    def take(self, count: int) -> list[LeaseEvent]:
        """Removes so many events from the beginning. Raises Unavailable where they cannot be read back."""
        events = [self._next() for _ in range(count)]
        if self._start == self._end and self._file is not None:
            os.ftruncate(self._file, 0)
            self._folder.used -= self._end
            self._start = self._end = 0
            self._broken = False
        return events

    def _next(self) -> LeaseEvent:
        length = _LENGTH.unpack(self._read(_LENGTH.size))[0]
        content = self._read(length)
        try:
            # Written by this process, into a folder that only its user can enter.
            event = LeaseEvent(self._lease, *pickle.loads(content))  # noqa: S301
        except Exception as error:
            raise Unavailable(f"{self._path} is damaged, and the reports in it are lost: {error!r}") from error
        return event

    def _read(self, length: int) -> bytes:
        assert self._file is not None
        try:
            content = os.pread(self._file, length, self._start)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be read, and the reports in it are lost: {error}") from error
        if len(content) < length:
            raise Unavailable(f"{self._path} is shorter than it was, and reports in it are lost")
        self._start += length
        return content

    def close(self) -> None:
        """Removes the file."""
        self._folder.used -= self._end
        self._start = self._end = 0
        if self._file is not None:
            os.close(self._file)
            self._file = None
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
