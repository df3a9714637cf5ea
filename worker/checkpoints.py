"""The checkpoint store: an fsspec URL under which each checkpoint is one folder, written whole or not at all.

`<storage>/<experiment_id>/<trial_id>/<token>-<resource>-<random>/` holds the files and, written last, `manifest.json`.
Everything here blocks; the agent calls it in threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from ..shared.errors import InvalidInput, Unavailable
from ..shared.files import sync
from ..shared.model import LeaseRef
from ..shared.session import CheckpointRef, CheckpointSaved
from ..shared.storage import check_folder, check_packages
from .manifest import MANIFEST, BrokenCheckpoint, FileEntry, Manifest, describe, sha256_of

_LOCAL = "file://"
_ADDRESS = re.compile(r"/\d+/\d+/\d+-\d+-[0-9a-f]+/?$")
_PARTIAL = re.compile(r"\.(\d+)-\d+-[0-9a-f]+\.partial$")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a trial starts from: `source` is None for nothing. `broken`: what was tried before, and what ailed it."""

    source: CheckpointRef | None
    broken: tuple[str, ...]


class CheckpointStore:
    """Saves, loads and deletes checkpoints. Relative storage paths are relative to `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._usable: set[str] = set()

    def check(self, storage: str) -> None:
        """Raises CannotStart where this machine lacks what it takes to keep checkpoints there.

        Looked at until it is good: a store that could be used once and cannot be now is out of reach.
        """
        if storage in self._usable:
            return
        url = self._resolve(storage)
        check_packages(url)
        if url.startswith(_LOCAL):
            try:
                check_folder(Path(url.removeprefix(_LOCAL)))
            except OSError:
                return
        self._usable.add(storage)

    def save(self, storage: str, lease: LeaseRef, resource: int, folder: Path) -> CheckpointSaved:
        """Copies a folder into the store. It exists there only once all of it is there.

        Raises InvalidInput for content that cannot be kept, Unavailable where the store cannot be written.
        """
        manifest = describe(folder)
        content = manifest.to_bytes()
        name = f"{lease.token}-{resource}-{secrets.token_hex(4)}"
        url = f"{self._resolve(storage).rstrip('/')}/{lease.experiment_id}/{lease.trial_id}/{name}"
        try:
            files, path = _open(url)
            if isinstance(files, LocalFileSystem):
                _save_locally(Path(path), lease.token, folder, manifest, content)
            else:
                _save_remotely(files, path, folder, manifest, content)
        except Exception as error:
            raise Unavailable(f"the checkpoint store {storage!r} cannot be written: {_text(error)}") from error
        return CheckpointSaved(url, resource, manifest.size_bytes, hashlib.sha256(content).hexdigest())

    def load(self, checkpoints: Sequence[CheckpointRef], folder: Path) -> Loaded:
        """Copies the first whole checkpoint into a folder that it makes; broken ones are passed over and named.

        Raises Unavailable where the store cannot be reached, for then nothing is known about the checkpoint.
        """
        broken: list[str] = []
        for checkpoint in checkpoints:
            try:
                self._load(checkpoint, folder)
            except BrokenCheckpoint as error:
                broken.append(f"{checkpoint.uri}: {error}")
                shutil.rmtree(folder, ignore_errors=True)
            else:
                return Loaded(checkpoint, tuple(broken))
        return Loaded(None, tuple(broken))

    def _load(self, checkpoint: CheckpointRef, folder: Path) -> None:
        files, path = _open(self._resolve(checkpoint.uri))
        folder.mkdir(parents=True)
        manifest = Manifest.from_bytes(_read(files, f"{path}/{MANIFEST}"), checkpoint.checksum)
        for entry in manifest.files:
            _fetch(files, path, entry, folder / entry.path)

    def delete(self, uri: str) -> None:
        """Removes a checkpoint, its manifest first; one that is gone already is no error.

        Raises InvalidInput for what is not the address of a checkpoint, Unavailable where the store cannot be reached.
        """
        if not _ADDRESS.search(uri) or ".." in uri.split("/"):
            raise InvalidInput(f"{uri!r} is not the address of a checkpoint; nothing was deleted")
        try:
            files, path = _open(self._resolve(uri))
            with contextlib.suppress(FileNotFoundError):
                files.rm_file(f"{path}/{MANIFEST}")
            with contextlib.suppress(FileNotFoundError):
                files.rm(path, recursive=True)
            if isinstance(files, LocalFileSystem):
                _remove_if_empty(Path(path).parent)
        except Exception as error:
            raise Unavailable(f"the checkpoint {uri!r} cannot be deleted: {_text(error)}") from error

    def _resolve(self, url: str) -> str:
        """A full URL: a plain path becomes an absolute `file:` one."""
        if url.startswith("file:"):
            url = url.removeprefix("file:").removeprefix("//")
        elif "://" in url or "::" in url:
            return url
        return f"{_LOCAL}{os.path.normpath(self._directory / Path(url).expanduser())}"


def _open(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URL, and the path in it."""
    try:
        files, path = url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise Unavailable(f"{url!r} cannot be opened: {error}; is the file system's package installed?") from error
    return files, path


def _save_locally(path: Path, token: int, folder: Path, manifest: Manifest, content: bytes) -> None:
    """Writes beside the final place, makes it durable, and moves it there in one step."""
    partial = path.with_name(f".{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent, token)
    try:
        for entry in manifest.files:
            target = partial / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / entry.path, target)
            sync(target)
        partial.mkdir(exist_ok=True)
        (partial / MANIFEST).write_bytes(content)
        sync(partial / MANIFEST)
        for inner in [partial, *(each for each in partial.rglob("*") if each.is_dir())]:
            sync(inner)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync(path.parent)


def _sweep(trial_folder: Path, token: int) -> None:
    """Removes what workers that died while saving this trial left behind: the unfinished, under smaller tokens."""
    for left in trial_folder.glob(".*.partial"):
        unfinished = _PARTIAL.match(left.name)
        if unfinished and int(unfinished[1]) < token:
            shutil.rmtree(left, ignore_errors=True)


def _remove_if_empty(trial_folder: Path) -> None:
    """Removes the folders of a trial and its experiment that hold nothing any more; a save makes them again."""
    with contextlib.suppress(OSError):
        trial_folder.rmdir()
        trial_folder.parent.rmdir()


def _save_remotely(files: Any, path: str, folder: Path, manifest: Manifest, content: bytes) -> None:
    for entry in manifest.files:
        target = f"{path}/{entry.path}"
        files.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        files.put_file(str(folder / entry.path), target)
    files.makedirs(path, exist_ok=True)
    files.pipe_file(f"{path}/{MANIFEST}", content)


def _read(files: Any, path: str) -> bytes:
    try:
        return files.cat_file(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BrokenCheckpoint(f"{MANIFEST} is missing") from error
    except Exception as error:
        raise Unavailable(f"{path!r} cannot be read: {_text(error)}") from error


def _fetch(files: Any, path: str, entry: FileEntry, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        files.get_file(f"{path}/{entry.path}", str(target))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise BrokenCheckpoint(f"{entry.path} is missing") from error
    except Exception as error:
        raise Unavailable(f"{path}/{entry.path} cannot be read: {_text(error)}") from error
    if target.stat().st_size != entry.size_bytes:
        raise BrokenCheckpoint(f"{entry.path} has {target.stat().st_size} bytes instead of {entry.size_bytes}")
    if sha256_of(target) != entry.sha256:
        raise BrokenCheckpoint(f"{entry.path} was changed (its SHA-256 differs)")


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
