"""Saving a checkpoint in an object store: its files, and the manifest last, which makes it one. It all blocks."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from ...shared.checkpoints.manifest import MANIFEST, Manifest, describe
from ...shared.checkpoints.opening import FLAT, is_of
from ...shared.checkpoints.transfers import batches, send


class BegunSave:
    """One checkpoint on its way to its store. In an object store another attempt goes on where the one before broke
    off, in the same place: nothing is sent twice, and nothing is left beside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = secrets.token_hex(4)
        #: Of what files, once that was looked at, and which of them are there.
        self.manifest: Manifest | None = None
        self.there: set[str] = set()

    def described(self) -> Manifest:
        """Its manifest. Raises InvalidInput for content that cannot be kept."""
        if self.manifest is None:
            self.manifest = describe(self.folder)
        return self.manifest


def save_remotely(files: Any, path: str, save: BegunSave) -> None:
    """Sends what is not there yet."""
    manifest = save.described()
    missing = [entry for entry in manifest.files if entry.path not in save.there]
    for batch in batches(files, missing):
        send(files, path, save.folder, batch)
        save.there.update(entry.path for entry in batch)
    if not is_of(files, FLAT):
        files.makedirs(path, exist_ok=True)
    files.pipe_file(f"{path}/{MANIFEST}", manifest.to_bytes())
