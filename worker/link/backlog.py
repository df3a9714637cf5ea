"""The events of one lease that wait for the master: the next ones in memory, then those on disk. No I/O of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Protocol

from ...shared.errors import Unavailable
from ...shared.wire.session import LeaseEvent

#: Events of each lease that stay in memory, however many leases share it; enough to keep a stream busy.
MINIMUM = 64


class Spill(Protocol):
    """A place of limited size for what does not fit into memory, first in, first out."""

    @property
    def full(self) -> bool:
        """Whether it takes no more now."""
        ...

    def append(self, event: LeaseEvent) -> bool:
        """Adds an event at the end. False, and nothing happens, where there is no room."""
        ...

    def take(self, count: int) -> list[LeaseEvent]:
        """Removes so many events from the beginning. Raises Unavailable where they cannot be read back."""
        ...

    def close(self) -> None:
        """Removes everything."""
        ...


class Memory:
    """How many events all leases of a worker keep in memory together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class Backlog:
    """A queue of events in sequence. Its first part is in memory and can be looked at, the rest may be on disk."""

    def __init__(self, memory: Memory, open_spill: Callable[[], Spill] | None) -> None:
        """`open_spill` makes the place on disk when it is needed first; None: there is none."""
        self._memory = memory
        self._open_spill = open_spill
        self._spill: Spill | None = None
        self._first: deque[LeaseEvent] = deque()
        self._spilled = 0
        #: What follows those on disk and found no room there.
        self._last: deque[LeaseEvent] = deque()
        #: Why what was on disk, and all after it, is lost.
        self.lost = ""

    def __len__(self) -> int:
        return len(self._first) + self._spilled + len(self._last)

    @property
    def full(self) -> bool:
        """Whether what can wait should wait, because memory and disk are full."""
        return not self._has_memory() and (bool(self._last) or self._is_spill_full())

    def _has_memory(self) -> bool:
        if self._spilled or self._last:
            return False
        return self._memory.used < self._memory.limit or len(self._first) < min(MINIMUM, self._memory.limit)

    def _is_spill_full(self) -> bool:
        spill = self._place_on_disk()
        return spill is None or spill.full

    def _place_on_disk(self) -> Spill | None:
        if self._spill is None and self._open_spill is not None:
            self._spill = self._open_spill()
        return self._spill

    def append(self, event: LeaseEvent) -> None:
        """Adds an event at the end; beyond all limits where it has to be. Nothing follows what is lost."""
        if self.lost:
            return
        if self._has_memory():
            self._first.append(event)
            self._memory.used += 1
        elif not self._last and self._append_to_spill(event):
            self._spilled += 1
        else:
            self._last.append(event)
            self._memory.used += 1
        self._refill()

    def _append_to_spill(self, event: LeaseEvent) -> bool:
        spill = self._place_on_disk()
        return spill is not None and spill.append(event)

    def look(self, start: int, stop: int) -> list[LeaseEvent]:
        """The events at these places, as far as they are in memory."""
        return list(islice(self._first, start, stop))

    def pop(self) -> LeaseEvent:
        """Removes the first event."""
        event = self._first.popleft()
        self._memory.used -= 1
        self._refill()
        return event

    def _refill(self) -> None:
        """Brings on what comes next, in good portions, as memory becomes free."""
        if self._spilled and self._spill is not None and len(self._first) <= MINIMUM // 2:
            room = max(MINIMUM, self._memory.limit - self._memory.used) - len(self._first)
            try:
                events = self._spill.take(min(self._spilled, room))
            except Unavailable as error:
                self._lose(str(error))
                return
            self._spilled -= len(events)
            self._first += events
            self._memory.used += len(events)
        if not self._spilled and self._last:
            self._first += self._last
            self._last.clear()

    def _lose(self, why: str) -> None:
        """The events on disk cannot be read, and what follows them is of no use without them."""
        kept = list(self._first)
        self.clear()
        self._first.extend(kept)
        self._memory.used += len(kept)
        self.lost = why

    def clear(self) -> None:
        """Forgets everything, on disk as well."""
        self.lost = ""
        self._memory.used -= len(self._first) + len(self._last)
        self._first.clear()
        self._last.clear()
        self._spilled = 0
        if self._spill is not None:
            self._spill.close()
            self._spill = None
