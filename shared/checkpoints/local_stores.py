"""A checkpoint store on a file system: whether it is there, what in it is ours, and that nothing leads out of it.

The root of a store is the folder of its experiments, `<storage>/<database_id>`. It is made before the first checkpoint
and never removed: a disk that is not mounted shows by it. Everything here blocks.
"""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import Unavailable
from .manifest import MANIFEST, is_manifest_of_ours


def root_of(checkpoint: Path) -> Path:
    """The root of the store in which a checkpoint lies, at `<experiment_id>/<trial_id>/<name>`."""
    return checkpoint.parents[2]


def check_there(root: Path) -> None:
    """Raises Unavailable where the root of a store is gone: then nothing is known of what was in it."""
    try:
        found = root.stat()
    except FileNotFoundError:
        told = f"the folder {root} is gone; is its disk mounted? If it was deleted for good, make it again, empty"
        raise Unavailable(told) from None
    except OSError as error:
        raise Unavailable(f"the folder {root} is out of reach: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise Unavailable(f"{root} is no folder any more")


def link_to(checkpoint: Path) -> Path | None:
    """The first link on the way from the root of its store to a checkpoint, itself included; None where there is none.

    The storage itself may lie behind links.
    """
    root = root_of(checkpoint)
    return first_link(root.parent, checkpoint)


def first_link(folder: Path, path: Path) -> Path | None:
    """The first link on the way from a folder to a path below it."""
    steps = path.relative_to(folder).parts
    places = (folder.joinpath(*steps[: count + 1]) for count in range(len(steps)))
    return next((place for place in places if place.is_symlink()), None)


def is_ours(checkpoint: Path) -> bool:
    """Whether a folder has a manifest of ours, itself and not by a link."""
    manifest = checkpoint / MANIFEST
    try:
        return stat.S_ISREG(manifest.lstat().st_mode) and is_manifest_of_ours(manifest.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return False
