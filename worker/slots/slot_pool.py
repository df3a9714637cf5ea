"""Who has which slots: trials that train, trials about to leave, and assignments that wait for their slots.

A trial that was told to end has only to save and to exit. Its slots count as free already when work is asked for, so
that the next assignment is on its way, and its checkpoint loaded, while the process ends. Nothing is asked for on a
guess, and an assignment that does not get its slots in time goes back, for another worker may be idle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

#: Seconds that an assignment waits for its slots, and that a trial which was told to end is expected to be gone in.
PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class GrantedSlots:
    """The slots of one trial, and the GPUs behind them; None on a worker without GPUs."""

    slots: tuple[int, ...]
    devices: Sequence[str] | None


class SlotRequest:
    """One trial's right to slots: it waits for them, has them, or is over."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self._granted: asyncio.Future[GrantedSlots | None] = asyncio.get_running_loop().create_future()

    async def granted(self) -> GrantedSlots | None:
        """Waits for the slots; None where they did not become free in time."""
        return await asyncio.shield(self._granted)

    def settle(self, granted: GrantedSlots | None) -> None:
        """The slots are there, or will not be."""
        if not self._granted.done():
            self._granted.set_result(granted)

    @property
    def taken(self) -> GrantedSlots | None:
        """The slots that it has got."""
        return self._granted.result() if self._granted.done() and not self._granted.cancelled() else None


class SlotPool:
    """Gives slots 0 … count−1, the lowest first, to trials in the order in which they came.

    With GPUs, slot i stands for device i; with more slots than devices, slots share them.
    """

    def __init__(self, count: int, devices: Sequence[str] = ()) -> None:
        """`devices`: what to put into CUDA_VISIBLE_DEVICES for each GPU. Raises ValueError for less than one slot."""
        if count < 1:
            raise ValueError(f"a worker has at least 1 slot, got {count}")
        self.count = count
        self._devices = tuple(devices)
        self._free = list(range(count))
        self._waiting: list[SlotRequest] = []
        #: Those that have their slots.
        self._holders: set[SlotRequest] = set()
        #: Those of them that are about to leave.
        self._leaving: set[SlotRequest] = set()

    @property
    def free(self) -> int:
        """How many slots nobody has."""
        return len(self._free)

    @property
    def waiting(self) -> int:
        """How many trials wait for their slots."""
        return len(self._waiting)

    @property
    def offered(self) -> int:
        """The slots that another trial could have now or in a moment."""
        leaving = sum(slot_request.wanted for slot_request in self._leaving)
        return max(0, self.free + leaving - sum(slot_request.wanted for slot_request in self._waiting))

    def admit(self, wanted: int) -> SlotRequest | None:
        """A right to so many slots, at once or in a moment; None where there are not so many."""
        if not 0 < wanted <= self.offered:
            return None
        slot_request = SlotRequest(wanted)
        self._waiting.append(slot_request)
        self._grant_to_waiting()
        return slot_request

    def leaving(self, slot_request: SlotRequest) -> None:
        """The trial was told to end: its slots will be free in a moment."""
        if slot_request in self._holders:
            self._leaving.add(slot_request)

    def stays(self, slot_request: SlotRequest) -> None:
        """The trial takes longer to leave than was thought."""
        self._leaving.discard(slot_request)

    def give_up(self, slot_request: SlotRequest) -> None:
        """A trial that still waits does so no longer."""
        if slot_request in self._waiting:
            self._waiting.remove(slot_request)
            slot_request.settle(None)
            self._grant_to_waiting()

    def turn_away(self) -> None:
        """Nobody waits any longer."""
        for slot_request in list(self._waiting):
            self.give_up(slot_request)

    def leave(self, slot_request: SlotRequest) -> None:
        """The trial is gone, and its slots are free; said again it means nothing."""
        self.give_up(slot_request)
        self._leaving.discard(slot_request)
        if slot_request in self._holders and slot_request.taken is not None:
            self._holders.remove(slot_request)
            self._free = sorted([*self._free, *slot_request.taken.slots])
            self._grant_to_waiting()

    def _grant_to_waiting(self) -> None:
        while self._waiting and self._waiting[0].wanted <= self.free:
            slot_request = self._waiting.pop(0)
            slots, self._free = tuple(self._free[: slot_request.wanted]), self._free[slot_request.wanted :]
            self._holders.add(slot_request)
            slot_request.settle(GrantedSlots(slots, self._devices_of(slots)))

    def _devices_of(self, slots: Sequence[int]) -> tuple[str, ...] | None:
        """The devices behind slots, each once; None on a worker without GPUs."""
        if not self._devices:
            return None
        return tuple(dict.fromkeys(self._devices[slot % len(self._devices)] for slot in slots))
