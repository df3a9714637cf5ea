"""Whether a checkpoint store is there at all, which a checkpoint that is missing does not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from ...shared.checkpoints import buckets
from ...shared.checkpoints.local_stores import check_there, root_of


class Roots:
    """The folders of local stores that this worker has used, and so knows to exist."""

    def __init__(self) -> None:
        self._used: set[Path] = set()

    def used(self, folder: Path) -> None:
        """This folder is there, and if it is gone one day its store is away."""
        self._used.add(folder)

    def check_used(self, checkpoint: Path) -> None:
        """Raises Unavailable where a known folder is gone in which a checkpoint is to be saved.

        Made anew, it would hide below the disk that is mounted there again.
        """
        for folder in self._used & set(checkpoint.parents):
            check_there(folder)

    def check(self, files: Any, path: str) -> None:
        """Raises Unavailable where nothing is left of the store in which a checkpoint was saved."""
        if isinstance(files, LocalFileSystem):
            # That a checkpoint was saved there tells that it exists, above all where it is away now.
            self.used(root_of(Path(path)))
            check_there(root_of(Path(path)))
        else:
            # An object store has no folders: what can be gone is the first part of a path, and all with it.
            buckets.check_there(files, path)
