"""Reading a checkpoint from its store: workers do it to train on, people to have the model.

A checkpoint is a folder at an fsspec URL; `manifest.json`, written last, names its files with sizes and SHA-256.
Everything here blocks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from ..errors import Unavailable
from ..wire.session import CheckpointRef
from .local_stores import first_link, link_to
from .manifest import MANIFEST, BrokenCheckpoint, FileEntry, Manifest, sha256_of
from .storage import resolve


def open_store(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a full URL, and the path in it. Raises Unavailable where it cannot be opened."""
    try:
        files, path = url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise Unavailable(f"{url!r} cannot be opened: {error}; is the file system's package installed?") from error
    return files, path


def fetch(checkpoint: CheckpointRef, folder: Path, directory: Path) -> None:
    """Copies a checkpoint into a folder that it makes. A relative URI is one below `directory`.

    Raises BrokenCheckpoint where it is not whole, in which case the folder may hold a part of it, and Unavailable
    where the store cannot be reached, for then nothing is known about the checkpoint.
    """
    files, path = open_store(resolve(checkpoint.uri, directory))
    folder.mkdir(parents=True)
    local = Path(path) if isinstance(files, LocalFileSystem) else None
    _refuse_link(None if local is None else link_to(local))
    manifest = Manifest.from_bytes(_read(files, f"{path}/{MANIFEST}"), checkpoint.checksum)
    for entry in manifest.files:
        _refuse_link(None if local is None else first_link(local, local / entry.path))
        _fetch(files, path, entry, folder / entry.path)


def _refuse_link(link: Path | None) -> None:
    """What a link leads to may be anywhere, and is not what was saved."""
    if link is not None:
        raise BrokenCheckpoint(f"{link} is a link")


def text_of(error: Exception) -> str:
    """What an error of a file system says, or where it says nothing its kind."""
    return str(error) or type(error).__name__


def _read(files: Any, path: str) -> bytes:
    try:
        return files.cat_file(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BrokenCheckpoint(f"{MANIFEST} is missing") from error
    except Exception as error:
        raise Unavailable(f"{path!r} cannot be read: {text_of(error)}") from error


def _fetch(files: Any, path: str, entry: FileEntry, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        files.get_file(f"{path}/{entry.path}", str(target))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise BrokenCheckpoint(f"{entry.path} is missing") from error
    except Exception as error:
        raise Unavailable(f"{path}/{entry.path} cannot be read: {text_of(error)}") from error
    if target.stat().st_size != entry.size_bytes:
        raise BrokenCheckpoint(f"{entry.path} has {target.stat().st_size} bytes instead of {entry.size_bytes}")
    if sha256_of(target) != entry.sha256:
        raise BrokenCheckpoint(f"{entry.path} was changed (its SHA-256 differs)")
