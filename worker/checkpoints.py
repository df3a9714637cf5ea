"""The checkpoint store: an fsspec URL under which each checkpoint is one folder, written whole or not at all.

`<storage>/<database_id>/<experiment_id>/<trial_id>/<token>-<resource>-<random>/` holds the files and, written last,
`manifest.json`; what older versions saved lies without the database's id. The folder above the experiments outlives all
checkpoints: where it is gone, the store is away, and nothing is known about what was in it.
Everything here blocks; the agent calls it in threads.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from ..shared.checkpoints import LOCAL, address_in, fetch, is_relative, open_store, resolve, text_of
from ..shared.errors import FULL, Unavailable
from ..shared.files import sync
from ..shared.leftovers import Portion, look_through
from ..shared.manifest import MANIFEST, BrokenCheckpoint, Manifest, describe
from ..shared.model import LeaseRef
from ..shared.removal import PARTIAL, remove
from ..shared.session import CheckpointRef, CheckpointSaved, Sweep
from ..shared.storage import check_folder, check_packages
from .roots import Roots, root_of


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
        self._roots = Roots()

    def check(self, storage: str) -> None:
        """Raises CannotStart where this machine lacks what it takes to keep checkpoints there.

        Looked at until it is good: a store that could be used once and cannot be now is out of reach.
        """
        if storage in self._usable:
            return
        url = self._resolve(storage)
        check_packages(url)
        if url.startswith(LOCAL):
            root = Path(url.removeprefix(LOCAL))
            try:
                check_folder(root)
            except OSError:
                return
            self._roots.used(root)
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
                self._roots.check_used(Path(path))
                _save_locally(Path(path), lease.token, folder, manifest, content)
                self._roots.used(root_of(Path(path)))
            else:
                _save_remotely(files, path, folder, manifest, content)
        except Exception as error:
            raise Unavailable(f"the checkpoint store {storage!r} cannot be written: {text_of(error)}") from error
        return CheckpointSaved(uri, resource, manifest.size_bytes, hashlib.sha256(content).hexdigest())

    def load(self, checkpoints: Sequence[CheckpointRef], folder: Path) -> Loaded:
        """Copies the first whole checkpoint into a folder that it makes; broken ones are passed over and named.

        Raises Unavailable where the store cannot be reached, for then nothing is known about the checkpoint, and
        OSError where this machine's own disk is full. Nothing is left of the folder then.
        """
        broken: dict[str, str] = {}
        for checkpoint in checkpoints:
            try:
                self._fetch(checkpoint, folder)
            except BrokenCheckpoint as error:
                broken[checkpoint.uri] = f"{checkpoint.uri}: {error}"
                shutil.rmtree(folder, ignore_errors=True)
            except Unavailable as error:
                shutil.rmtree(folder, ignore_errors=True)
                # What is read needs room here, and not in the store.
                if isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL:
                    raise error.__cause__ from None
                raise
            else:
                return Loaded(checkpoint, tuple(broken.values()), tuple(broken))
        return Loaded(None, tuple(broken.values()), tuple(broken))

    def delete(self, uri: str) -> None:
        """Removes a checkpoint; one that is gone already is no error.

        Raises InvalidInput for what is not the address of a checkpoint, Unavailable where the store cannot be reached.
        """
        remove(uri, self._directory)

    def look_through(self, sweep: Sweep) -> Portion:
        """What lies in the database's part of a storage. Raises Unavailable, InvalidInput."""
        return look_through(sweep.storage, sweep.database_id, sweep.after, sweep.least_age, self._directory)

    def _fetch(self, checkpoint: CheckpointRef, folder: Path) -> None:
        try:
            fetch(checkpoint, folder, self._directory)
        except BrokenCheckpoint:
            shutil.rmtree(folder, ignore_errors=True)
            self._roots.check(*open_store(self._resolve(checkpoint.uri)))
            # What was missing may have been the whole store, and back by now.
            fetch(checkpoint, folder, self._directory)

    def _resolve(self, url: str) -> str:
        """A full URL: a plain path becomes an absolute `file:` one."""
        return resolve(url, self._directory)


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
        unfinished = PARTIAL.fullmatch(left.name)
        if unfinished and int(unfinished[1]) < token:
            shutil.rmtree(left, ignore_errors=True)


def _save_remotely(files: Any, path: str, folder: Path, manifest: Manifest, content: bytes) -> None:
    for entry in manifest.files:
        target = f"{path}/{entry.path}"
        files.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        files.put_file(str(folder / entry.path), target)
    files.makedirs(path, exist_ok=True)
    files.pipe_file(f"{path}/{MANIFEST}", content)
