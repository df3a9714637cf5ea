"""The events of one lease, in sequence: each is kept until the master has acknowledged it. No I/O of its own.

An event is in memory, or where that is full on disk; one that fits into neither and must not wait is in memory all the
same. What is sent next is always in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from ...shared.errors import Unavailable
from ...shared.wire.model import LeaseRef
from ...shared.wire.session import CheckpointSaved, Exit, ExitOutcome, LeaseEvent, Measurement

#: So many beats without progress mean that what was sent did not arrive.
BEATS_BORNE = 3
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


@dataclass(slots=True)
class Memory:
    """How many events all leases of a worker may keep in memory together, and how many they do."""

    limit: int
    used: int = 0


class LeaseLog:
    """Numbers the events of a lease 1, 2, 3, …"""

    def __init__(self, lease: LeaseRef, memory: Memory, open_spill: Callable[[LeaseRef], Spill] | None = None) -> None:
        """`open_spill` makes the lease's place on disk when it is needed first; None: there is none."""
        self.lease = lease
        self._memory = memory
        self._open_spill = open_spill
        self._spill: Spill | None = None
        #: What is not acknowledged; None for what is on disk, where it has the same order.
        self._events: deque[LeaseEvent | None] = deque()
        self._on_disk = 0
        #: So many of the first are in memory.
        self._ready = 0
        #: Why what was on disk, and all after it, is lost.
        self._lost = ""
        self._broken: tuple[str, tuple[str, ...], str] = ("", (), "")
        self._acknowledged = 0
        self._sent = 0
        self._exited = False
        self._held_back = False
        self._silent_beats = 0

    @property
    def full(self) -> bool:
        """Whether training code that wants to report has to wait, because memory and disk are full."""
        return not self._has_memory() and ((spill := self._place_on_disk()) is None or spill.full)

    @property
    def settled(self) -> bool:
        """Whether the lease has ended on both sides: its end is acknowledged."""
        return self._exited and not self._events and not self._lost

    def __len__(self) -> int:
        return len(self._events)

    def record(self, event: Measurement | CheckpointSaved | Exit) -> int:
        """Adds an event and returns its sequence number. Raises ValueError after the exit."""
        if self._exited:
            raise ValueError(f"lease {self.lease} has ended; {event} cannot follow")
        self._exited = isinstance(event, Exit)
        if not self._lost:
            self._keep(LeaseEvent(self.lease, self._recorded + 1, event, *self._broken))
        self._broken = ("", (), "")
        return self._recorded

    @property
    def _recorded(self) -> int:
        return self._acknowledged + len(self._events)

    def checkpoints_broken(self, text: str, uris: tuple[str, ...], started_from: str) -> None:
        """The next event says that the training starts from an earlier checkpoint than it should, or from nothing."""
        self._broken = (text, uris, started_from)

    def unsent(self, limit: int) -> list[LeaseEvent]:
        """What is to be sent now, in sequence, at most `limit` events, as far as they are in memory."""
        if self._held_back:
            return []
        first = self._sent - self._acknowledged
        return [event for event in islice(self._events, first, min(first + limit, self._ready)) if event is not None]

    def sent(self, sequence: int) -> None:
        """Notes that everything up to `sequence` is on its way."""
        self._sent = max(self._sent, sequence)

    def acknowledge(self, sequence: int) -> list[LeaseEvent]:
        """Drops everything up to `sequence`, and returns what was not acknowledged before.

        The first acknowledgement on a new stream tells where to go on from. Later ones may come late or twice,
        which means nothing.
        """
        self._held_back = False
        durable: list[LeaseEvent] = []
        while self._acknowledged < sequence and self._ready:
            event = self._events.popleft()
            assert event is not None
            durable.append(event)
            self._acknowledged += 1
            self._ready -= 1
            self._memory.used -= 1
            self._refill()
        if durable:
            self._sent = max(self._sent, self._acknowledged)
            self._silent_beats = 0
        return durable

    def reconnect(self) -> None:
        """A new stream: nothing that is not acknowledged counts as sent, and the master speaks first."""
        self._rewind()
        self._held_back = True

    def beat(self) -> None:
        """Called at each heartbeat: what was sent and stays unacknowledged for several beats is sent again."""
        if self._sent == self._acknowledged and not self._held_back:
            self._silent_beats = 0
            return
        self._silent_beats += 1
        if self._silent_beats >= BEATS_BORNE:
            self._rewind()
            self._held_back = False

    def _rewind(self) -> None:
        self._sent = self._acknowledged
        self._silent_beats = 0

    def give_up_what_is_lost(self) -> str | None:
        """Where events that the master has not seen were lost: why. The lease ends here, after those that are left."""
        if not (why := self._lost):
            return None
        self._lost = ""
        self._sent = min(self._sent, self._recorded)
        self._exited = False
        self.record(Exit(ExitOutcome.GIVEN_BACK, why))
        return why

    def close(self) -> None:
        """Forgets what it keeps."""
        self._ready = 0
        self._forget_the_rest()

    def _has_memory(self) -> bool:
        in_memory = len(self._events) - self._on_disk
        return self._memory.used < self._memory.limit or in_memory < min(MINIMUM, self._memory.limit)

    def _place_on_disk(self) -> Spill | None:
        if self._spill is None and self._open_spill is not None:
            self._spill = self._open_spill(self.lease)
        return self._spill

    def _keep(self, event: LeaseEvent) -> None:
        if not self._has_memory() and (spill := self._place_on_disk()) is not None and spill.append(event):
            self._events.append(None)
            self._on_disk += 1
            self._refill()
            return
        self._ready += not self._on_disk
        self._events.append(event)
        self._memory.used += 1

    def _refill(self) -> None:
        """Brings back what comes next, in good portions, as memory becomes free."""
        if not self._on_disk or self._ready > MINIMUM // 2:
            return
        assert self._spill is not None
        room = max(MINIMUM, self._memory.limit - self._memory.used) - self._ready
        try:
            events = self._spill.take(min(self._on_disk, room))
        except Unavailable as error:
            # What follows is of no use without them.
            self._forget_the_rest()
            self._lost = str(error)
            return
        # Only as far as is needed: there may be very many behind.
        on_disk = (place for place, event in enumerate(self._events) if event is None)
        places = list(islice(on_disk, len(events) + 1))
        for place, event in zip(places, events, strict=False):
            self._events[place] = event
        self._on_disk -= len(events)
        self._memory.used += len(events)
        self._ready = places[len(events)] if self._on_disk else len(self._events)

    def _forget_the_rest(self) -> None:
        """Forgets what is on disk, and all after it."""
        while len(self._events) > self._ready:
            self._memory.used -= self._events.pop() is not None
        self._on_disk = 0
        if self._spill is not None:
            self._spill.close()
            self._spill = None
