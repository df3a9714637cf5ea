"""Who sits in which slots: trials that train, trials about to leave, and assignments that wait for their slots.

A trial that was told to end has only to save and to exit. Its slots count as free already when work is asked for, so
that the next assignment is on its way, and its checkpoint loaded, while the process ends. Nothing is asked for on a
guess, and an assignment that does not get its slots in time goes back, for another worker may be idle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from .slots import Slots

#: Seconds that an assignment waits for its slots, and that a trial which was told to end is expected to be gone in.
PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Seat:
    """The slots of one trial, and the GPUs behind them; None on a worker without GPUs."""

    slots: tuple[int, ...]
    devices: Sequence[str] | None


class Ticket:
    """One trial's right to slots: waiting, seated, or over."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self._seat: asyncio.Future[Seat | None] = asyncio.get_running_loop().create_future()

    async def seat(self) -> Seat | None:
        """Waits for the slots; None where they did not become free in time."""
        return await asyncio.shield(self._seat)

    def settle(self, seat: Seat | None) -> None:
        """The slots are there, or will not be."""
        if not self._seat.done():
            self._seat.set_result(seat)

    @property
    def taken(self) -> Seat | None:
        """The slots that it has."""
        return self._seat.result() if self._seat.done() and not self._seat.cancelled() else None


class Seats:
    """Gives slots to trials in the order in which they came."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._waiting: list[Ticket] = []
        self._leaving: set[Ticket] = set()

    @property
    def waiting(self) -> int:
        """How many trials wait for their slots."""
        return len(self._waiting)

    @property
    def offered(self) -> int:
        """The slots that another trial could have now or in a moment."""
        leaving = sum(ticket.wanted for ticket in self._leaving)
        return max(0, self._slots.free + leaving - sum(ticket.wanted for ticket in self._waiting))

    def admit(self, wanted: int) -> Ticket | None:
        """A right to so many slots, at once or in a moment; None where there are not so many."""
        if not 0 < wanted <= self.offered:
            return None
        ticket = Ticket(wanted)
        self._waiting.append(ticket)
        self._seat_who_waits()
        return ticket

    def leaving(self, ticket: Ticket) -> None:
        """The trial was told to end: its slots will be free in a moment."""
        self._leaving.add(ticket)

    def stays(self, ticket: Ticket) -> None:
        """The trial takes longer to leave than was thought."""
        self._leaving.discard(ticket)

    def give_up(self, ticket: Ticket) -> None:
        """A trial that still waits does so no longer."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)
            ticket.settle(None)
            self._seat_who_waits()

    def turn_away(self) -> None:
        """Nobody waits any longer."""
        for ticket in list(self._waiting):
            self.give_up(ticket)

    def leave(self, ticket: Ticket) -> None:
        """The trial is gone, and its slots are free; said again it means nothing."""
        self.give_up(ticket)
        self._leaving.discard(ticket)
        if ticket.taken is not None and ticket.wanted:
            ticket.wanted = 0
            self._slots.give_back(ticket.taken.slots)
            self._seat_who_waits()

    def _seat_who_waits(self) -> None:
        while self._waiting and (slots := self._slots.take(self._waiting[0].wanted)) is not None:
            self._waiting.pop(0).settle(Seat(slots, self._slots.devices(slots)))
