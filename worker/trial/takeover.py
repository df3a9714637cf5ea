"""Takes a folder over as a checkpoint: plain files that nobody else writes to, whatever links led to their content.

A link to a file, and a hard link, becomes a file with the content that it shows now; a link to a folder inside the
checkpoint becomes that folder. Links are followed before anything is moved, while they still lead where they should.
Everything here blocks.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...shared.checkpoints.manifest import check_names
from ...shared.errors import InvalidInput

#: So many files may be reached through links to folders: links beside each other multiply what they lead to.
MAX_LINKED = 10_000

#: What the file system says where a file is gone or cannot be had, and not where the machine is short of something.
_NOT_THERE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM}
)
_SPECIAL = {
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """A file by its name in the checkpoint, and where its content lies. `own`: nothing else leads to it."""

    name: str
    content: Path
    own: bool


def take_over(folder: Path, staged: Path, own: Path | None = None) -> None:
    """Fills the folder `staged` with the files of another one: moved if that lies inside `own`, else copied.

    Raises InvalidInput for what a checkpoint cannot hold, and then nothing was moved.
    """
    if not folder.is_dir():
        raise InvalidInput(f"path: {str(folder)!r} is not a folder; give the one that holds the checkpoint's files")
    root = Path(os.path.realpath(folder))
    movable = own is not None and Path(os.path.realpath(own)) in root.parents
    found = list(_survey(_Walk(root), root, "", (root,), linked=False))
    check_names((file.name for file in found), folder)
    # What is copied may lie in what is moved.
    for file in sorted(found, key=lambda file: movable and file.own):
        _bring(file, staged / file.name, move=movable and file.own)
    if movable:
        shutil.rmtree(root, ignore_errors=True)


def _bring(file: _Found, target: Path, *, move: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if move:
            shutil.move(file.content, target)
        else:
            shutil.copyfile(file.content, target)
    except OSError as error:
        raise _refused(file.name, error) from error


def _refused(name: str, error: OSError) -> Exception:
    """What is wrong with a file is the training code's error; what is wrong with the machine stays what it is."""
    if error.errno not in _NOT_THERE:
        return error
    return InvalidInput(f"checkpoint: {name!r} cannot be read: {error.strerror}")


@dataclass(slots=True)
class _Walk:
    """Through one checkpoint: where it lies, and how many files were reached through links to folders."""

    root: Path
    linked: int = 0


def _survey(walk: _Walk, folder: Path, prefix: str, above: tuple[Path, ...], *, linked: bool) -> Iterator[_Found]:
    """The files below a folder that shows as `prefix`; `above` are the real places of it and of those it lies in."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise _refused(prefix.rstrip("/"), error) from error
    for path in paths:
        name, link = prefix + path.name, path.is_symlink()
        content, status = _resolved(name, path)
        if stat.S_ISDIR(status.st_mode):
            _check_folder(walk, name, content, above, link=link)
            yield from _survey(walk, content, f"{name}/", (*above, content), linked=linked or link)
        elif stat.S_ISREG(status.st_mode):
            _count(walk, name, linked=linked)
            yield _Found(name, content, own=not (linked or link or status.st_nlink > 1))
        else:
            what = _SPECIAL.get(stat.S_IFMT(status.st_mode), "something else")
            raise InvalidInput(f"checkpoint: {name!r} is neither a file nor a folder, but {what}; leave it out")


def _resolved(name: str, path: Path) -> tuple[Path, os.stat_result]:
    """Where a path leads in the end, and what is there."""
    try:
        content = Path(os.path.realpath(path, strict=True))
        return content, content.stat()
    except OSError as error:
        if not path.is_symlink() or error.errno not in _NOT_THERE:
            raise _refused(name, error) from error
        what = "a link that leads back to itself"
        if error.errno != errno.ELOOP:
            what = f"a link to {str(path.readlink())!r}, which is not there"
        raise InvalidInput(f"checkpoint: {name!r} is {what}; leave it out") from error


def _check_folder(walk: _Walk, name: str, content: Path, above: tuple[Path, ...], *, link: bool) -> None:
    if content in above:
        raise InvalidInput(f"checkpoint: {name!r} is a link to a folder that it lies in; leave it out")
    if link and walk.root not in content.parents:
        raise InvalidInput(
            f"checkpoint: {name!r} is a link to the folder {str(content)!r} outside the checkpoint; "
            "copy what is needed of it, or leave it out"
        )


def _count(walk: _Walk, name: str, *, linked: bool) -> None:
    walk.linked += linked
    if walk.linked > MAX_LINKED:
        raise InvalidInput(
            f"checkpoint: links to folders lead to more than {MAX_LINKED} files ({name!r} is one); leave the links out"
        )
