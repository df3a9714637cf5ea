"""The checkpoint store: an fsspec URL under which each checkpoint is one folder, written whole or not at all.

`<storage>/<database_id>/<experiment_id>/<trial_id>/<token>-<resource>-<random>/` holds the files and, written last,
`manifest.json`; what older versions saved lies without the database's id. The folder above the experiments outlives all
checkpoints: where it is gone, the store is away, and nothing is known about what was in it.
Everything here blocks; the agent calls it in threads.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from ...shared.checkpoints.buckets import check_bucket
from ...shared.checkpoints.kept_logs import LogPiece, keep_log, read_log
from ...shared.checkpoints.leftovers import Portion, look_through
from ...shared.checkpoints.local_stores import root_of
from ...shared.checkpoints.manifest import MANIFEST, BrokenCheckpoint, Manifest
from ...shared.checkpoints.opening import open_store, opened, text_of
from ...shared.checkpoints.paths import DATABASE, PARTIAL, CheckpointPath, log_path
from ...shared.checkpoints.reading import fetch
from ...shared.checkpoints.removal import remove
from ...shared.checkpoints.storage import LOCAL, address_in, check_allowed, check_folder, check_packages, resolve
from ...shared.errors import FULL, CannotStart, InvalidInput, Unavailable
from ...shared.files import sync
from ...shared.wire.model import LeaseRef
from ...shared.wire.session import CheckpointRef, CheckpointSaved, LogRequest, Sweep
from .remote_saves import BegunSave, save_remotely
from .roots import Roots


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a trial starts from: `source` is None for nothing. `broken`: what was tried before, and what ailed it."""

    source: CheckpointRef | None
    broken: tuple[str, ...]
    broken_uris: tuple[str, ...] = ()


class EmptyStorage(Exception):
    """Checkpoints should be here, and nothing is; the text says where."""


class CheckpointStore:
    """Saves, loads and deletes checkpoints. Relative storage paths are relative to `directory`."""

    def __init__(self, directory: Path, allowed: Sequence[str] = ()) -> None:
        """`allowed`: storages that may be used, with all below them; none named: any."""
        self._directory = directory
        self._allowed = [resolve(storage, directory) for storage in allowed]
        self._usable: set[str] = set()
        self._roots = Roots()

    def check(self, storage: str, database_id: str, *, used: bool) -> None:
        """Raises CannotStart where this machine lacks what it takes to keep a database's checkpoints there (a package,
        a right, the bucket), Unavailable where an object store does not answer, and EmptyStorage where others have
        saved some (`used`) and nothing is here.

        Looked at until it is good: a store that could be used once and cannot be now is out of reach.
        """
        if storage in self._usable:
            return
        url = self._resolve(storage)
        try:
            check_allowed(url, self._allowed)
        except InvalidInput as error:
            raise CannotStart(str(error)) from error
        check_packages(url)
        if not url.startswith(LOCAL):
            check_bucket(url)
        elif not self._is_made(Path(url.removeprefix(LOCAL)), database_id, used=used):
            return
        self._usable.add(storage)

    def _is_made(self, folder: Path, database_id: str, *, used: bool) -> bool:
        """Makes the folders of a local store; False where they are out of reach now."""
        root = folder / database_id
        try:
            if used:
                _check_used(root)
            check_folder(folder)
            root.mkdir(exist_ok=True)
        except OSError:
            return False
        self._roots.used(folder)
        self._roots.used(root)
        return True

    def save(self, storage: str, database_id: str, lease: LeaseRef, resource: int, save: BegunSave) -> CheckpointSaved:
        """Copies a folder into the store. It exists there only once all of it is there.

        Raises InvalidInput for content that cannot be kept, Unavailable where the store cannot be written.
        """
        manifest = save.described()
        local = self._resolve(storage).startswith(LOCAL)
        # On a disk nothing is left of an attempt that failed, and another one has a place of its own.
        place = CheckpointPath(database_id, *lease, resource, secrets.token_hex(4) if local else save.random)
        try:
            with opened(self._resolve(address_in(storage, str(place)))) as (files, path):
                if isinstance(files, LocalFileSystem):
                    self._roots.check_used(Path(path))
                    _save_locally(Path(path), lease.token, save.folder, manifest)
                    self._roots.used(root_of(Path(path)))
                else:
                    save_remotely(files, path, save)
        except Exception as error:
            raise Unavailable(f"the checkpoint store {storage!r} cannot be written: {text_of(error)}") from error
        return CheckpointSaved(str(place), resource, manifest.size_bytes, manifest.checksum)

    def load(
        self,
        storage: str,
        checkpoints: Sequence[CheckpointRef],
        folder: Path,
        *,
        experiment_id: int | None = None,
    ) -> Loaded:
        """Copies the first whole checkpoint into a folder that it makes; broken ones are passed over and named.

        One of another experiment than `experiment_id`, where that is given, is taken for broken.
        Raises Unavailable where the store cannot be reached, for then nothing is known about the checkpoint, and
        OSError where this machine's own disk is full. Nothing is left of the folder then.
        """
        broken: dict[str, str] = {}
        for checkpoint in checkpoints:
            try:
                self._check_inside(storage, checkpoint.uri, experiment_id)
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
        check_allowed(self._resolve(uri), self._allowed)
        remove(uri, self._directory)

    def keep_log(self, storage: str, database_id: str, lease: LeaseRef, log: Path) -> None:
        """Copies what was printed under a lease into the storage. Raises Unavailable where that is out of reach."""
        url = self._resolve(address_in(storage, log_path(database_id, lease)))
        check_allowed(url, self._allowed)
        try:
            if url.startswith(LOCAL):
                self._roots.check_used(Path(url.removeprefix(LOCAL)))
            keep_log(url, log)
        except Exception as error:
            raise Unavailable(f"the checkpoint store {storage!r} cannot be written: {text_of(error)}") from error

    def read_log(self, request: LogRequest) -> LogPiece:
        """A part of a log that was kept. Raises FileNotFoundError where it was not, Unavailable where the storage is
        out of reach, InvalidInput where it may not be used."""
        if not DATABASE.fullmatch(request.database_id):
            raise InvalidInput(f"{request.database_id!r} is not the id of a database")
        uri = address_in(request.storage, log_path(request.database_id, request.lease))
        check_allowed(self._resolve(uri), self._allowed)
        return read_log(uri, request.position, request.max_bytes, self._directory, request.tail_lines)

    def look_through(self, sweep: Sweep) -> Portion:
        """What lies in the database's part of a storage. Raises Unavailable, InvalidInput."""
        check_allowed(self._resolve(sweep.storage), self._allowed)
        return look_through(sweep.storage, sweep.database_id, sweep.after, sweep.least_age_s, self._directory)

    def _check_inside(self, storage: str, uri: str, experiment_id: int | None) -> None:
        """Raises BrokenCheckpoint for an address that is none of a checkpoint in this storage.

        What older versions saved has no database's id, and may have the whole path of the folder that was theirs.
        """
        place = CheckpointPath.parse(uri)
        inside = place is not None and self._resolve(uri) == self._resolve(address_in(storage, str(place)))
        if place is None or not (inside or (not place.database_id and not self._allowed)):
            raise BrokenCheckpoint(f"it is no checkpoint in the storage {storage!r}")
        if experiment_id not in (None, place.experiment_id):
            raise BrokenCheckpoint(f"it is one of experiment {place.experiment_id}, not of {experiment_id}")

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


def _check_used(root: Path) -> None:
    with contextlib.suppress(NotADirectoryError):
        try:
            root.stat()
        except FileNotFoundError:
            raise EmptyStorage(
                f"checkpoints were saved in {root}, and here is no such folder: is its disk mounted, and shared by all "
                "workers? If it was deleted for good, make it again, empty"
            ) from None


def _save_locally(path: Path, token: int, folder: Path, manifest: Manifest) -> None:
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
        (partial / MANIFEST).write_bytes(manifest.to_bytes())
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
