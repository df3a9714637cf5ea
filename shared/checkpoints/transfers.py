"""How files go to an object store and come from it: large ones in parts, one after the other, and small ones together.

Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .manifest import FileEntry
from .opening import FLAT, GOOGLE, PART_BYTES, S3, is_of

#: Files of at most so many bytes go together, so many at once: what they cost is the way there and back.
SMALL_BYTES, AT_ONCE = 1 << 20, 16
#: Parts that a file may have in S3, less a few.
_MAX_PARTS = 9_900


def batches(files: Any, entries: Sequence[FileEntry]) -> Iterator[list[FileEntry]]:
    """The files in portions that may go at once: several small ones where the file system can, else one."""
    small: list[FileEntry] = []
    for entry in entries:
        if not files.async_impl or entry.size_bytes > SMALL_BYTES:
            yield [entry]
            continue
        small.append(entry)
        if len(small) == AT_ONCE:
            yield small
            small = []
    if small:
        yield small


def send(files: Any, path: str, folder: Path, batch: Sequence[FileEntry]) -> None:
    """Copies a portion from a folder to a path in the store."""
    sources = [str(folder / entry.path) for entry in batch]
    targets = [f"{path}/{entry.path}" for entry in batch]
    options = _options(files, max(entry.size_bytes for entry in batch))
    if len(batch) > 1:
        files.put(sources, targets, batch_size=AT_ONCE, **options)
        return
    if not is_of(files, FLAT):
        files.makedirs(targets[0].rsplit("/", 1)[0], exist_ok=True)
    files.put_file(sources[0], targets[0], **options)


def bring(files: Any, path: str, batch: Sequence[FileEntry], folder: Path) -> None:
    """Copies a portion from a path in the store into a folder. Raises FileNotFoundError where one is missing."""
    sources = [f"{path}/{entry.path}" for entry in batch]
    targets = [folder / entry.path for entry in batch]
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    if len(batch) > 1:
        files.get(sources, [str(target) for target in targets], batch_size=AT_ONCE)
    else:
        files.get_file(sources[0], str(targets[0]))


def _options(files: Any, size_bytes: int) -> dict[str, Any]:
    """What is said to the file system beside the paths of files of at most this size."""
    if is_of(files, S3):
        return {"chunksize": max(PART_BYTES, -(-size_bytes // _MAX_PARTS))}
    return {"chunksize": PART_BYTES} if is_of(files, GOOGLE) else {}
