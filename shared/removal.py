"""Deleting a checkpoint from its store, whole ones and what was left of one that never became whole.

Everything here blocks.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from .checkpoints import is_relative, open_store, resolve, text_of
from .errors import InvalidInput, Unavailable
from .manifest import MANIFEST

#: `<token>-<resource>-<random>`, and what is not whole yet, or not whole any more, on a disk.
CHECKPOINT = re.compile(r"(\d+)-\d+-[0-9a-f]+")
PARTIAL = re.compile(r"\.(\d+)-\d+-[0-9a-f]+\.partial")
DATABASE = re.compile(r"[0-9a-f]{16}")
_ADDRESS = re.compile(rf"(^|/)\d+/\d+/({CHECKPOINT.pattern}|{PARTIAL.pattern})/?$")


def remove(uri: str, directory: Path) -> None:
    """Removes a checkpoint; one that is gone already is no error. A relative address is one below `directory`.

    Raises InvalidInput for what is not the address of a checkpoint, Unavailable where the store cannot be reached.
    """
    if not _ADDRESS.search(uri) or _strays(uri):
        raise InvalidInput(f"{uri!r} is not the address of a checkpoint; nothing was deleted")
    try:
        files, path = open_store(resolve(uri, directory))
        if isinstance(files, LocalFileSystem):
            _remove_locally(Path(path))
        else:
            _remove_remotely(files, path)
    except Exception as error:
        raise Unavailable(f"the checkpoint {uri!r} cannot be deleted: {text_of(error)}") from error


def _strays(uri: str) -> bool:
    """Whether it leads out of where it begins; a relative storage may itself lie above the worker's folder."""
    if is_relative(uri):
        return os.path.normpath(uri) != uri.rstrip("/")
    return ".." in uri.split("/")


def _remove_locally(path: Path) -> None:
    """In one step it is no checkpoint any more; where the rest takes too long, what is left has a name that says so."""
    _check_there(path)
    partial = path if PARTIAL.fullmatch(path.name) else path.with_name(f".{path.name}.partial")
    if path.is_symlink() or partial.is_symlink():
        raise OSError(f"{path} is a link; nothing was deleted")
    with contextlib.suppress(FileNotFoundError):
        path.rename(partial)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(partial)
    _remove_if_empty(path.parent)


def _check_there(path: Path) -> None:
    """Raises FileNotFoundError where the whole store is gone: one that is away has not lost its checkpoints."""
    root = path.parents[2]
    if not root.is_dir():
        raise FileNotFoundError(f"the folder {root} is not there; is its disk mounted?")


def _remove_if_empty(trial_folder: Path) -> None:
    """Removes the folders of a trial and its experiment that hold nothing; a save makes them again.

    The folder above stays: that it is there tells a store without checkpoints from one that is away.
    """
    with contextlib.suppress(OSError):
        trial_folder.rmdir()
        trial_folder.parent.rmdir()


def _remove_remotely(files: Any, path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        files.rm_file(f"{path}/{MANIFEST}")
    with contextlib.suppress(FileNotFoundError):
        files.rm(path, recursive=True)
