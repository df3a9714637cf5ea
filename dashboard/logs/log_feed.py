"""Reads the log of one trial for all who look at it, in a thread of its own."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ...client.client import Client
from ...client.trial_logs import LogPart, log_parts, told_assignment
from ...proto.v1.experiment_pb2 import ReadTrialLogRequest
from ...shared.errors import RungmasterError, Unavailable
from ...shared.wire.model import Lease
from .lines import MOST_CHARACTERS, MOST_LINES, LogLine, LogLines

PATIENCE_S = 600.0
"""A master may be away this long before a log is followed no more."""

BYTES = 1_000_000
"""So many bytes of one log are read in a second: who prints more is read behind what was dropped meanwhile."""

MOST_ASSIGNMENTS = 20
"""Assignments of which the log is shown, the newest ones."""


@dataclass(frozen=True, slots=True)
class LogView:
    """What is new of a log: its lines from number `first` on, the line that has no end yet, what it waits for or
    does, and whether nothing can follow."""

    first: int
    lines: list[LogLine]
    open: str
    status: str
    over: bool

    @property
    def next(self) -> int:
        """The number of the line after these."""
        return self.first + len(self.lines)


class LogFeed:
    """The log of one trial, read from its latest assignments and followed until `close`, or until nothing can follow.

    `name` tells it from every other, also from one of the same trial before it.
    """

    def __init__(self, client: Client, experiment_id: int, trial_id: int, unit: str) -> None:
        self.name = secrets.token_hex(4)
        self._client = client.with_timeout(PATIENCE_S)
        self._ids = experiment_id, trial_id
        self._unit = unit
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._lines = LogLines()
        self._status = "the log is being read"
        #: The assignment whose lines come now, whether it has any, and why there are no more of it.
        self._shown, self._begun, self._missing = 0, False, ""
        #: Whether all of it is read: a master that has just begun, without workers, knows less than we do.
        self._complete = False
        #: When (time.monotonic) nothing could follow any more; None while something can.
        self.over_at: float | None = None
        self._changed: Callable[[], None] = lambda: None

    def begin(self, changed: Callable[[], None]) -> None:
        """Begins to read; `changed` is called from its thread."""
        self._changed = changed
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def view(self, after: int) -> LogView:
        """What is new since the line of this number."""
        with self._lock:
            first = max(self._lines.first, min(after, self._lines.next))
            over = self.over_at is not None
            return LogView(first, self._lines.since(first), self._lines.open, self._status, over)

    @property
    def closed(self) -> bool:
        """Whether it was closed: who still looks begins another."""
        return self._closed.is_set()

    def close(self) -> None:
        """Ends its thread and its connection."""
        self._closed.set()
        self._client.close()

    def _run(self) -> None:
        try:
            ending = self._read()
        except ValueError:
            # A channel that was closed under a call says so.
            if not self.closed:
                raise
        else:
            with self._lock:
                if not self.closed:
                    self._told_if_nothing()
                self._status, self.over_at = ending, time.monotonic()
        self._changed()

    def _read(self) -> str:
        """All of it; why nothing follows."""
        try:
            self._follow(*self._read_what_there_is())
        except Unavailable as error:
            return f"it is followed no more: {error}. Reload the page to try again"
        except RungmasterError as error:
            return str(error)
        return "nothing follows: the trial has ended"

    def _read_what_there_is(self) -> tuple[int, int]:
        """Takes the newest lines of the assignments up to now, oldest first; from which one to go on, and where."""
        leases = sorted(self._client.trial(*self._ids).leases, key=lambda lease: lease.token)
        found: list[list[LogPart]] = []
        lines = size = 0
        for lease in reversed(leases[-MOST_ASSIGNMENTS:]):
            if lines >= MOST_LINES or size >= MOST_CHARACTERS:
                break
            parts = list(self._parts(token=lease.token, tail_lines=MOST_LINES - lines))
            lines += sum(part.content.count(b"\n") for part in parts)
            size += sum(len(part.content) for part in parts)
            found.append(parts)
        if len(found) < len(leases):
            with self._lock:
                self._lines.note(f"{len(leases) - len(found)} earlier assignments are left out; the text has them")
        for parts in reversed(found):
            for part in parts:
                self._take(part)
        last = [part for parts in found[:1] for part in parts if part.assignment is not None]
        return (leases[-1].token, last[-1].position + len(last[-1].content)) if last else (0, 0)

    def _follow(self, token: int, position: int) -> None:
        for part in self._parts(follow=True, from_token=token, from_position=position):
            self._take(part)
            # What it does not ask for, the master does not send.
            self._closed.wait(len(part.content) / BYTES)

    def _parts(self, **asked: Any) -> Iterator[LogPart]:
        experiment_id, trial_id = self._ids
        request = ReadTrialLogRequest(experiment_id=experiment_id, trial_id=trial_id, **asked)
        # No storage is looked into from here: its address is whatever somebody has submitted.
        with closing(log_parts(self._client.connection, request, ())) as parts:
            yield from itertools.takewhile(lambda _: not self.closed, parts)

    def _take(self, part: LogPart) -> None:
        with self._lock:
            if part.note:
                self._status = part.note
                # What the trial waits for is told once all that it printed is read.
                self._complete = self._complete or part.note.startswith(f"trial {self._ids[1]} ")
            elif part.assignment is not None:
                self._take_of(part, part.assignment)
        self._changed()

    def _take_of(self, part: LogPart, assignment: Lease) -> None:
        if assignment.token != self._shown:
            self._told_if_nothing()
            self._shown, self._begun, self._missing = assignment.token, False, ""
            self._complete = False
            self._lines.head(told_assignment(assignment, self._unit))
        if assignment.end_time is None:
            self._status = "live: it trains now"
        if part.content:
            if part.position and not self._begun:
                self._lines.note(f"what was printed before ({part.position:,} bytes) is left out; the text has it")
            self._begun = True
            self._lines.take(part.content)
        elif part.missing != self._missing and not self._complete:
            self._missing = part.missing
            self._begun = True
            self._lines.note(f"no more of this assignment: {part.missing}")

    def _told_if_nothing(self) -> None:
        if self._shown and not self._begun:
            self._begun = True
            self._lines.note("nothing was printed")
