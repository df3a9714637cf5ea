"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InvalidInput


@contextmanager
def written_whole(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Gives the path of a new file to write to, which becomes `target` at the end, on disk; after an error it is gone.

    Raises InvalidInput where `target` exists and is not to be replaced.
    """
    if target.exists() and not replace:
        raise InvalidInput(f"{target} exists already; give another name, or move it away")
    partial = target.with_name(f"{target.name}.part-{os.getpid()}")
    try:
        yield partial
        sync(partial)
        partial.replace(target)
        sync(target.absolute().parent)
    finally:
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Waits until a file, or what a folder lists, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
