"""Deleting a checkpoint from its store, whole ones and what was left of one that never became whole; and the folder of
an experiment's logs, which is deleted in the same way.

Everything here blocks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from ..errors import InvalidInput, Unavailable
from . import buckets
from .kept_logs import remove_logs_in
from .local_stores import check_there, is_ours, link_to, root_of
from .manifest import MANIFEST, is_manifest_of_ours
from .opening import FLAT, is_of, opened, text_of
from .paths import LOG_FOLDER, CheckpointPath
from .s3_requests import abort, left_in
from .storage import is_relative, resolve

logger = logging.getLogger(__name__)


def remove(uri: str, directory: Path) -> None:
    """Removes a checkpoint, or the folder of an experiment's logs; one that is gone already is no error. A relative
    address is one below `directory`.

    A folder that has no manifest of ours stays, whatever it is called; the log tells of it.
    Raises InvalidInput for what is not the address of a checkpoint, Unavailable where the store cannot be reached.
    """
    place = CheckpointPath.parse(uri)
    logs = LOG_FOLDER.search(uri) is not None
    if not (place or logs) or _strays(uri):
        raise InvalidInput(f"{uri!r} is not the address of a checkpoint; nothing was deleted")
    try:
        if place is None:
            remove_logs_in(resolve(uri, directory))
            return
        with opened(resolve(uri, directory)) as (files, path):
            if isinstance(files, LocalFileSystem):
                _remove_locally(Path(path), place)
            else:
                _remove_remotely(files, path, place)
    except Exception as error:
        what = "folder of logs" if logs else "checkpoint"
        raise Unavailable(f"the {what} {uri!r} cannot be deleted: {text_of(error)}") from error


def _strays(uri: str) -> bool:
    """Whether it leads out of where it begins; a relative storage may itself lie above the worker's folder."""
    if is_relative(uri):
        return os.path.normpath(uri) != uri.rstrip("/")
    return ".." in uri.split("/")


def _remove_locally(path: Path, place: CheckpointPath) -> None:
    """In one step it is no checkpoint any more; where the rest takes too long, what is left has a name that says so."""
    check_there(root_of(path))
    partial = path if place.partial else path.with_name(f".{path.name}.partial")
    if link := link_to(path) or link_to(partial):
        raise OSError(f"{link} is a link; nothing was deleted")
    if not place.partial and path.exists() and not is_ours(path):
        logger.warning("%s has no manifest of Rungmaster's and is left; delete it by hand if it is not wanted", path)
        return
    with contextlib.suppress(FileNotFoundError):
        path.rename(partial)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(partial)
    _remove_if_empty(path.parent)


def _remove_if_empty(trial_folder: Path) -> None:
    """Removes the folders of a trial and its experiment that hold nothing; a save makes them again.

    The folder above stays: that it is there tells a store without checkpoints from one that is away.
    """
    with contextlib.suppress(OSError):
        trial_folder.rmdir()
        trial_folder.parent.rmdir()


def _remove_remotely(files: Any, path: str, place: CheckpointPath) -> None:
    """What has no manifest never became whole; it is one of ours where it lies in the part of a database."""
    try:
        ours = whole = is_manifest_of_ours(files.cat_file(f"{path}/{MANIFEST}"))
    except FileNotFoundError:
        if is_of(files, FLAT):
            buckets.check_there(files, path)
        ours, whole = bool(place.database_id), False
    if not ours:
        logger.warning("%s has no manifest of Rungmaster's and is left; delete it by hand if it is not wanted", path)
        return
    with contextlib.suppress(FileNotFoundError):
        files.rm_file(f"{path}/{MANIFEST}")
    with contextlib.suppress(FileNotFoundError):
        files.rm(path, recursive=True)
    if not whole:
        abort(files, path)
    if left := left_in(files, path):
        raise OSError(f"{len(left)} of its objects could not be deleted, {left[0]} for one")
