"""The worker's temporary folder, which also goes away when the worker could not clean up itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..shared.errors import InvalidInput

_PREFIX = "rungmaster-worker-"
_LOCK = "lock"
#: Unix sockets have paths of at most 107 bytes (103 on macOS); the trial's part needs up to 45 of them.
_LONGEST = 58


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that only this user can enter; removes those of workers that were killed.

    Raises InvalidInput where the path of the temporary folder (TMPDIR) is too long for sockets in it.
    """
    parent = Path(tempfile.gettempdir())
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        if len(os.fsencode(folder)) > _LONGEST:
            raise InvalidInput(
                f"TMPDIR: {parent} is too long a path for the sockets in it; set TMPDIR to a shorter one"
            )
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Removes the folders whose workers are gone, which their unlocked locks tell."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
