"""What a training process prints: a file of limited size, with its beginning and its end."""

from __future__ import annotations

import os
from pathlib import Path

from ..trial.protocol import MAX_REASON

#: Bytes that the log of one trial may have before its middle is dropped.
LIMIT = 64 << 20
#: Bytes that stay then, of the beginning and of the end.
KEPT = 1 << 20
#: Seconds between two looks at the size.
INTERVAL_S = 1.0


def shorten(log: Path, limit: int = LIMIT, kept: int = KEPT) -> None:
    """Drops the middle of a log that is too long, and says so in it. The process may go on printing meanwhile.

    It appends, wherever the end is, so the file can be emptied under it; what it prints in that moment comes first or
    is lost. Raises OSError.
    """
    size = size_of(log)
    if size <= limit:
        return
    with log.open("rb") as content:
        beginning = content.read(kept)
        content.seek(size - kept)
        end = content.read()
    said = f"\n[rungmaster: {size - 2 * kept:,} bytes were dropped here: a log keeps at most {limit:,}]\n"
    with log.open("ab") as shorter:
        os.truncate(log, 0)
        shorter.write(beginning + said.encode() + end)


def size_of(log: Path) -> int:
    """Its bytes; 0 where it is not there yet."""
    return log.stat().st_size if log.exists() else 0


def tail(log: Path, length: int = MAX_REASON, since: int = 0) -> str:
    """The end of what was printed, at most so many characters, and nothing of the first `since` bytes."""
    try:
        with log.open("rb") as content:
            size = content.seek(0, os.SEEK_END)
            # A log that is shorter than it was has lost its middle since, and ends with what was printed last.
            content.seek(max(since if since <= size else 0, size - 4 * length))
            return content.read().decode(errors="replace").strip()[-length:]
    except OSError as error:
        return f"(its log {log} cannot be read: {error.strerror})"
