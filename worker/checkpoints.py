"""The checkpoint store: an fsspec URL under which each checkpoint is one folder, written whole or not at all.

`<storage>/<database_id>/<experiment_id>/<trial_id>/<token>-<resource>-<random>/` holds the files and, written last,
`manifest.json`; what older versions saved lies without the database's id.
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

from fsspec.implementations.local import LocalFileSystem

from ..shared.checkpoints import LOCAL, address_in, fetch, is_relative, open_store, resolve, text_of
from ..shared.errors import InvalidInput, Unavailable
from ..shared.files import sync
from ..shared.manifest import MANIFEST, BrokenCheckpoint, Manifest, describe
from ..shared.model import LeaseRef
from ..shared.session import CheckpointRef, CheckpointSaved
from ..shared.storage import check_folder, check_packages

_ADDRESS = re.compile(r"(^|/)\d+/\d+/\d+-\d+-[0-9a-f]+/?$")
_DATABASE = re.compile(r"[0-9a-f]{16}")
_PARTIAL = re.compile(r"\.(\d+)-\d+-[0-9a-f]+\.partial$")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a trial starts from: `source` is None for nothing. `broken`: what was tried before, and what ailed it."""

    source: CheckpointRef | None
    broken: tuple[str, ...]
    broken_uris: tuple[str, ...] = ()


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
        if url.startswith(LOCAL):
            try:
                check_folder(Path(url.removeprefix(LOCAL)))
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
        place = address_in(storage, str(lease.experiment_id), str(lease.trial_id), name)
        uri = place if is_relative(place) else self._resolve(place)
        try:
            files, path = open_store(self._resolve(uri))
            if isinstance(files, LocalFileSystem):
                _save_locally(Path(path), lease.token, folder, manifest, content)
            else:
                _save_remotely(files, path, folder, manifest, content)
        except Exception as error:
            raise Unavailable(f"the checkpoint store {storage!r} cannot be written: {text_of(error)}") from error
        return CheckpointSaved(uri, resource, manifest.size_bytes, hashlib.sha256(content).hexdigest())

    def load(self, checkpoints: Sequence[CheckpointRef], folder: Path) -> Loaded:
        """Copies the first whole checkpoint into a folder that it makes; broken ones are passed over and named.

        Raises Unavailable where the store cannot be reached, for then nothing is known about the checkpoint.
        """
        broken: dict[str, str] = {}
        for checkpoint in checkpoints:
            try:
                fetch(checkpoint, folder, self._directory)
            except BrokenCheckpoint as error:
                broken[checkpoint.uri] = f"{checkpoint.uri}: {error}"
                shutil.rmtree(folder, ignore_errors=True)
            else:
                return Loaded(checkpoint, tuple(broken.values()), tuple(broken))
        return Loaded(None, tuple(broken.values()), tuple(broken))

    def delete(self, uri: str) -> None:
        """Removes a checkpoint, its manifest first; one that is gone already is no error.

        Raises InvalidInput for what is not the address of a checkpoint, Unavailable where the store cannot be reached.
        """
        if not _ADDRESS.search(uri) or _strays(uri):
            raise InvalidInput(f"{uri!r} is not the address of a checkpoint; nothing was deleted")
        try:
            files, path = open_store(self._resolve(uri))
            with contextlib.suppress(FileNotFoundError):
                files.rm_file(f"{path}/{MANIFEST}")
            with contextlib.suppress(FileNotFoundError):
                files.rm(path, recursive=True)
            if isinstance(files, LocalFileSystem):
                _remove_if_empty(Path(path).parent)
        except Exception as error:
            raise Unavailable(f"the checkpoint {uri!r} cannot be deleted: {text_of(error)}") from error

    def _resolve(self, url: str) -> str:
        """A full URL: a plain path becomes an absolute `file:` one."""
        return resolve(url, self._directory)


def _strays(uri: str) -> bool:
    """Whether it leads out of where it begins; a relative storage may itself lie above the worker's folder."""
    if is_relative(uri):
        return os.path.normpath(uri) != uri.rstrip("/")
    return ".." in uri.split("/")


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
    """Removes the folders of a trial, its experiment and its database that hold nothing; a save makes them again."""
    experiment_folder = trial_folder.parent
    with contextlib.suppress(OSError):
        trial_folder.rmdir()
        experiment_folder.rmdir()
        if _DATABASE.fullmatch(experiment_folder.parent.name):
            experiment_folder.parent.rmdir()


def _save_remotely(files: Any, path: str, folder: Path, manifest: Manifest, content: bytes) -> None:
    for entry in manifest.files:
        target = f"{path}/{entry.path}"
        files.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        files.put_file(str(folder / entry.path), target)
    files.makedirs(path, exist_ok=True)
    files.pipe_file(f"{path}/{MANIFEST}", content)
