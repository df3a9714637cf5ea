"""The log of a trial, part by part: from the master, and where that reaches nothing from the storage itself."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..proto.v1.experiment_pb2 import ReadTrialLogRequest
from ..shared.errors import RungmasterError
from ..shared.wire.convert import from_message
from ..shared.wire.model import Lease
from .connection import MasterConnection

#: Bytes that are read from a storage at a time.
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class LogPart:
    """A part of what was printed under an assignment.

    Each assignment begins with a part without content. `position` counts the bytes that were printed before; it jumps
    where the middle of a log was dropped. `missing` says why nothing more of the assignment can be had; `note`, in a
    part without an assignment, what is waited for.
    """

    assignment: Lease | None
    content: bytes = b""
    position: int = 0
    missing: str = ""
    note: str = ""

    @property
    def text(self) -> str:
        """The content as text; what is not UTF-8 is replaced."""
        return self.content.decode(errors="replace")


def log_parts(
    connection: MasterConnection, request: ReadTrialLogRequest, folders: Iterable[Path]
) -> Generator[LogPart, None, None]:
    """All parts until the last. A log that no worker could read is looked for from here, below each of `folders` where
    its address is relative."""
    assignment: Lease | None = None
    places = list(folders)
    for answer in connection.watch(request):
        if answer.note:
            yield LogPart(None, note=answer.note)
        if not answer.lease.token:
            continue
        if assignment is None or assignment.token != answer.lease.token:
            assignment = from_message(answer.lease, Lease)
            yield LogPart(assignment, position=answer.position)
        elif answer.content:
            yield LogPart(assignment, answer.content, answer.position)
        if answer.missing:
            yield from _from_storage(assignment, answer, request, places)


def told_assignment(assignment: Lease, unit: str) -> str:
    """An assignment for people, who read what was printed under it."""
    way = f"from {assignment.from_resource:,} to {assignment.target:,} {unit}"
    how = f", {assignment.outcome}" if assignment.outcome else ""
    return f"assignment {assignment.token}: {assignment.worker}, {way}{how}"


def _from_storage(
    assignment: Lease, answer: Any, request: ReadTrialLogRequest, folders: list[Path]
) -> Iterator[LogPart]:
    # Imported late: file systems take a while, and most calls need none.
    from ..shared.checkpoints.kept_logs import read_log

    position = answer.position
    tail = request.tail_lines if request.HasField("tail_lines") and not position else None
    more = bool(answer.uri)
    try:
        while more:
            piece = _first(read_log, answer.uri, position, tail, folders)
            position, tail, more = piece.position + len(piece.content), None, piece.more
            if piece.content:
                yield LogPart(assignment, piece.content, piece.position)
    except FileNotFoundError:
        yield LogPart(assignment, position=position, missing=answer.missing)
    except (RungmasterError, OSError) as error:
        yield LogPart(assignment, position=position, missing=f"{answer.missing}; nor from here: {error}")
    else:
        if not answer.uri:
            yield LogPart(assignment, position=position, missing=answer.missing)


def _first(read: Any, uri: str, position: int, tail: int | None, folders: list[Path]) -> Any:
    """What lies below the first folder in which there is something."""
    failure: Exception = FileNotFoundError(uri)
    for folder in folders:
        try:
            return read(uri, position, _PIECE, folder, tail)
        except (RungmasterError, OSError) as error:
            failure = error
    raise failure
