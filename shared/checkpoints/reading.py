"""Reading a checkpoint from its store: workers do it to train on, people to have the model.

A checkpoint is a folder at an fsspec URL; `manifest.json`, written last, names its files with sizes and SHA-256.
Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from ..errors import Unavailable
from ..wire.session import CheckpointRef
from .local_stores import first_link, link_to
from .manifest import MANIFEST, BrokenCheckpoint, FileEntry, Manifest, sha256_of
from .opening import opened, text_of
from .storage import resolve
from .transfers import batches, bring


def fetch(checkpoint: CheckpointRef, folder: Path, directory: Path) -> None:
    """Copies a checkpoint into a folder that it makes. A relative URI is one below `directory`.

    Raises BrokenCheckpoint where it is not whole, in which case the folder may hold a part of it, and Unavailable
    where the store cannot be reached, for then nothing is known about the checkpoint.
    """
    with opened(resolve(checkpoint.uri, directory)) as (files, path):
        folder.mkdir(parents=True)
        _copy(files, path, checkpoint.checksum, folder)


def _copy(files: Any, path: str, checksum: str, folder: Path) -> None:
    local = Path(path) if isinstance(files, LocalFileSystem) else None
    _refuse_link(None if local is None else link_to(local))
    manifest = Manifest.from_bytes(_read(files, f"{path}/{MANIFEST}"), checksum)
    if local is not None:
        for entry in manifest.files:
            _refuse_link(first_link(local, local / entry.path))
    for batch in batches(files, manifest.files):
        _fetch(files, path, batch, folder)


def _refuse_link(link: Path | None) -> None:
    """What a link leads to may be anywhere, and is not what was saved."""
    if link is not None:
        raise BrokenCheckpoint(f"{link} is a link")


def _read(files: Any, path: str) -> bytes:
    try:
        return files.cat_file(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BrokenCheckpoint(f"{MANIFEST} is missing") from error
    except Exception as error:
        raise Unavailable(f"{path!r} cannot be read: {text_of(error)}") from error


def _fetch(files: Any, path: str, batch: Sequence[FileEntry], folder: Path) -> None:
    try:
        bring(files, path, batch, folder)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        if len(batch) == 1:
            raise BrokenCheckpoint(f"{batch[0].path} is missing") from error
        # Which of them it is shows one by one.
        for entry in batch:
            _fetch(files, path, [entry], folder)
    except Exception as error:
        raise Unavailable(f"{path}/{batch[0].path} cannot be read: {text_of(error)}") from error
    for entry in batch:
        _verify(entry, folder / entry.path)


def _verify(entry: FileEntry, file: Path) -> None:
    if file.stat().st_size != entry.size_bytes:
        raise BrokenCheckpoint(f"{entry.path} has {file.stat().st_size} bytes instead of {entry.size_bytes}")
    if sha256_of(file) != entry.sha256:
        raise BrokenCheckpoint(f"{entry.path} was changed (its SHA-256 differs)")
