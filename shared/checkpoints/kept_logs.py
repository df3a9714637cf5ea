"""What training printed, kept in the storage of its checkpoints once an assignment has ended: written, read, removed.

Nothing outside the folder of an experiment's logs is touched, nothing in it by other names than ours, and no link is
followed. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fsspec.implementations.local import LocalFileSystem

from ..errors import Unavailable
from .local_stores import check_there, link_to, root_of
from .opening import FLAT, is_of, opened, text_of
from .paths import LOG
from .storage import resolve

#: Bytes at the end of a log that are searched for the beginning of its last lines.
TAIL_WINDOW = 4 << 20


class LogPiece(NamedTuple):
    """A part of a log: where it begins, and whether there is more."""

    position: int
    content: bytes
    more: bool


def lines_from_end(content: bytes, lines: int) -> int:
    """Where the last so many lines of a text begin; a line that has no end yet is one."""
    at = len(content) - content.endswith(b"\n")
    for _ in range(lines):
        at = content.rfind(b"\n", 0, at)
        if at < 0:
            return 0
    return at + 1 if lines else len(content)


def keep_log(url: str, log: Path) -> None:
    """Copies a log to a full address. Raises OSError, or what the file system raises."""
    with opened(url) as (files, path):
        if isinstance(files, LocalFileSystem):
            _keep_locally(Path(path), log)
            return
        if not is_of(files, FLAT):
            files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        files.put_file(str(log), path)


def _keep_locally(target: Path, log: Path) -> None:
    check_there(root_of(target))
    if link := link_to(target):
        raise OSError(f"{link} is a link; the log was not kept")
    target.parent.mkdir(parents=True, exist_ok=True)
    begun = target.with_name(f".{target.name}.partial")
    try:
        shutil.copyfile(log, begun, follow_symlinks=False)
        begun.rename(target)
    finally:
        begun.unlink(missing_ok=True)


def read_log(uri: str, position: int, most: int, directory: Path, tail_lines: int | None = None) -> LogPiece:
    """At most so many bytes of a kept log from a position on, or from where so many lines follow. A relative address is
    one below `directory`.

    Raises FileNotFoundError where there is none, though its storage is there; Unavailable where that is out of reach.
    """
    try:
        with opened(resolve(uri, directory)) as (files, path):
            if isinstance(files, LocalFileSystem):
                return _read_locally(Path(path), position, most, tail_lines)
            return _read_remotely(files, path, position, most, tail_lines)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise Unavailable(f"the log {uri!r} cannot be read: {text_of(error)}") from error


def _read_remotely(files: Any, path: str, position: int, most: int, tail_lines: int | None) -> LogPiece:
    return _piece(files.info(path)["size"], partial(files.cat_file, path), position, most, tail_lines)


def _piece(size: int, read: Callable[[int, int], bytes], position: int, most: int, tail_lines: int | None) -> LogPiece:
    """A part of a log of so many bytes, of which `read` gives those from one position up to another."""
    if tail_lines is not None:
        begin = max(0, size - TAIL_WINDOW)
        position = begin + lines_from_end(read(begin, size), tail_lines)
    content = read(position, min(size, position + most)) if position < size else b""
    return LogPiece(position, content, position + len(content) < size)


def _read_locally(path: Path, position: int, most: int, tail_lines: int | None) -> LogPiece:
    check_there(root_of(path))
    if link := link_to(path):
        raise OSError(f"{link} is a link")
    with open_regular(path) as log:
        return read_piece(log, position, most, tail_lines)


def open_regular(path: Path) -> Any:
    """Opens a file for reading that is one, and no link or pipe. Raises OSError."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(f"{path} is no file")
    return os.fdopen(number, "rb", buffering=0)


def read_piece(log: Any, position: int, most: int, tail_lines: int | None = None) -> LogPiece:
    """The same of an open file."""
    number = log.fileno()
    size = os.fstat(number).st_size
    return _piece(size, lambda begin, end: os.pread(number, end - begin, begin), position, most, tail_lines)


def remove_logs_in(url: str) -> None:
    """Removes an experiment's logs at the full address of their folder; those that are gone are no error. What has
    another name than ours stays. Raises OSError, or what the file system raises."""
    with opened(url) as (files, path):
        if isinstance(files, LocalFileSystem):
            _remove_locally(Path(path))
        else:
            _remove_remotely(files, path)


def _remove_remotely(files: Any, folder: str) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for found in files.ls(folder, detail=False):
            if LOG.fullmatch(str(found).rstrip("/").rsplit("/", 1)[-1]):
                with contextlib.suppress(FileNotFoundError):
                    files.rm_file(found)


def _remove_locally(folder: Path) -> None:
    check_there(folder.parents[1])
    for place in (folder.parents[1], folder.parent, folder):
        if place.is_symlink():
            raise OSError(f"{place} is a link; nothing was deleted")
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for log in folder.iterdir():
            if LOG.fullmatch(log.name):
                log.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
        folder.parent.rmdir()
