"""Checkpoints that tests save in a store and look for there, as workers and masters do."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rungmaster.shared.checkpoints.leftovers import look_through
from rungmaster.shared.checkpoints.opening import open_store
from rungmaster.shared.checkpoints.storage import address_in
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import BEFORE_ALL_TRIALS, CheckpointRef
from rungmaster.worker.checkpoints.remote_saves import BegunSave
from rungmaster.worker.checkpoints.store import CheckpointStore

DATABASE = "0123456789abcdef"
LEASE = LeaseRef(1, 7, 3)


def filled(folder: Path, **sizes: int) -> Path:
    """A folder with files of random content, by name and size in bytes."""
    folder.mkdir(parents=True)
    for name, size in sizes.items():
        (folder / name).write_bytes(os.urandom(size))
    return folder


def read(folder: Path) -> dict[str, bytes]:
    """The files of a folder, by path inside it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Place:
    """A storage, which workers reach by stores of their own."""

    storage: str

    def save(self, store: CheckpointStore, folder: Path | BegunSave, lease: LeaseRef = LEASE) -> CheckpointRef:
        """Saves a folder at resource 9."""
        begun = folder if isinstance(folder, BegunSave) else BegunSave(folder)
        saved = store.save(self.storage, DATABASE, lease, 9, begun)
        return CheckpointRef(address_in(self.storage, saved.path), 9, saved.checksum)

    def objects(self, *below: str) -> list[str]:
        """What lies there, by its names in the store."""
        files, path = open_store(address_in(self.storage, *below))
        return [name for name in files.find(path) if name != path]

    def found(self, least_age_s: float = 0.0) -> list[str]:
        """The addresses that a look into the storage tells of."""
        portion = look_through(self.storage, DATABASE, BEFORE_ALL_TRIALS, least_age_s, Path.cwd())
        return [address_in(self.storage, each.path) for each in portion.found]
