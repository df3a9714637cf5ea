"""The worker's temporary folder, which also goes away when the worker could not clean up itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "rungmaster-worker-"
#: Of one that is not locked yet, and whose owner may have died before it was.
_UNFINISHED = ".rungmaster-new-"
_UNFINISHED_FOR_S = 3600.0
_LOCK = "lock"
#: Unix sockets have paths of at most 107 bytes (103 on macOS); the trial's part needs up to 45 of them.
_LONGEST = 58
#: Where a short way to a longer path may begin.
_NEAR = Path("/tmp")  # noqa: S108 - the folder there has a name of its own, and only this user can enter it


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that only this user can enter; removes those of workers that were killed.

    Where the path of the temporary folder (TMPDIR) is too long for sockets in it, it is a short way there.
    """
    with _locked_folder(Path(tempfile.gettempdir())) as folder:
        if len(os.fsencode(folder)) <= _LONGEST:
            yield folder
            return
        with _locked_folder(_NEAR) as near:
            (near / "far").symlink_to(folder)
            yield near / "far"


@contextlib.contextmanager
def _locked_folder(parent: Path) -> Iterator[Path]:
    """It has its lock before it has a name by which others find it: none is taken for that of a worker that is gone."""
    _sweep(parent)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
    folder = parent / f"{_PREFIX}{unfinished.name.removeprefix(_UNFINISHED)}"
    try:
        with (unfinished / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            unfinished.rename(folder)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Removes the folders whose workers are gone, which their unlocked locks tell."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    for folder in parent.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _UNFINISHED_FOR_S:
                shutil.rmtree(folder, ignore_errors=True)
