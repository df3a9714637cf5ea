"""What a checkpoint consists of: its files, their sizes and SHA-256. Written last, so that it proves the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InvalidInput

#: The manifest's name in the checkpoint's folder.
MANIFEST = "manifest.json"
_CHUNK = 1 << 20


class BrokenCheckpoint(Exception):
    """A checkpoint is missing, cut short or changed; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: its path inside the checkpoint with `/` between folders, its size, its SHA-256 in hexadecimal."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of one checkpoint, by path."""

    files: tuple[FileEntry, ...]

    @property
    def size_bytes(self) -> int:
        """The files together."""
        return sum(entry.size_bytes for entry in self.files)

    def to_bytes(self) -> bytes:
        """The content of `manifest.json`."""
        return json.dumps({"version": 1, "files": [asdict(entry) for entry in self.files]}, indent=1).encode()

    @property
    def checksum(self) -> str:
        """The SHA-256 of `manifest.json`, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, content: bytes, checksum: str) -> Manifest:
        """Reads `manifest.json`. Raises BrokenCheckpoint unless its SHA-256 is `checksum` and its paths stay inside."""
        if hashlib.sha256(content).hexdigest() != checksum:
            raise BrokenCheckpoint(f"{MANIFEST} is not the one that was saved (its SHA-256 differs)")
        document = _parsed(content)
        if document is None:
            raise BrokenCheckpoint(f"{MANIFEST} is not one of Rungmaster's, version 1")
        entries = tuple(_entry(index, found) for index, found in enumerate(document["files"]))
        for entry in entries:
            _check_inside(entry.path)
        _check_apart([entry.path for entry in entries])
        return cls(entries)


def is_manifest_of_ours(content: bytes) -> bool:
    """Whether it is the content of a `manifest.json` that this library wrote, as far as its outline tells."""
    return _parsed(content) is not None


def _parsed(content: bytes) -> dict[str, Any] | None:
    """A JSON object with the outline of a manifest; None for everything else."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    ours = isinstance(document, dict) and document.get("version") == 1 and isinstance(document.get("files"), list)
    return document if ours else None


def _entry(index: int, found: Any) -> FileEntry:
    match found:
        case {"path": str(path), "size_bytes": int(size), "sha256": str(digest)} if size is not True and size >= 0:
            return FileEntry(path, size, digest)
    raise BrokenCheckpoint(f"{MANIFEST}: files[{index}] is not a path with a size and a SHA-256")


def _check_apart(paths: list[str]) -> None:
    """Raises BrokenCheckpoint where a path is named twice, or as a file and as the folder of another."""
    known = {PurePosixPath(path) for path in paths}
    inside = next((path for path in paths if known & set(PurePosixPath(path).parents)), None)
    if inside is not None or len(known) < len(paths):
        raise BrokenCheckpoint(f"{MANIFEST} names {inside or 'a file'!r} twice, or as a folder too")


def _check_inside(path: str) -> None:
    parts = PurePosixPath(path)
    outside = parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path or not parts.parts
    if outside or path == MANIFEST:
        raise BrokenCheckpoint(f"{MANIFEST} names {path!r}, which is no file inside the checkpoint")


def describe(folder: Path) -> Manifest:
    """Reads the files of a folder into a manifest. Raises InvalidInput for what a checkpoint cannot hold."""
    return Manifest(
        tuple(FileEntry(name, (folder / name).stat().st_size, sha256_of(folder / name)) for name in list_files(folder))
    )


def list_files(folder: Path) -> tuple[str, ...]:
    """The files of a folder, by path inside it. Raises InvalidInput for what a checkpoint cannot hold."""
    names = tuple(path.relative_to(folder).as_posix() for path in _walk(folder))
    check_names(names, folder)
    return names


def check_names(names: Iterable[str], folder: Path) -> None:
    """Raises InvalidInput where a checkpoint in this folder has no files, or one by a name that it cannot have."""
    empty = True
    for name in names:
        empty = False
        if name == MANIFEST or "\\" in name:
            raise InvalidInput(f"checkpoint: a file cannot be called {name!r}; choose another name")
    if empty:
        raise InvalidInput(f"checkpoint: {folder} holds no files; write the checkpoint there before it is handed over")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path.is_file():
            yield path
        else:
            raise InvalidInput(f"checkpoint: {path.name!r} is neither a file nor a folder of files; leave it out")
