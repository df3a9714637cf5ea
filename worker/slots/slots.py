"""A worker's slots: which are free, and which GPUs stand behind them."""

from __future__ import annotations

from collections.abc import Sequence


class Slots:
    """Slots 0 … count−1. With GPUs, slot i stands for device i; with more slots than devices, slots share them."""

    def __init__(self, count: int, devices: Sequence[str] = ()) -> None:
        """`devices`: what to put into CUDA_VISIBLE_DEVICES for each GPU. Raises ValueError for less than one slot."""
        if count < 1:
            raise ValueError(f"a worker has at least 1 slot, got {count}")
        self.count = count
        self._devices = tuple(devices)
        self._free = list(range(count))

    @property
    def free(self) -> int:
        """How many slots nobody uses."""
        return len(self._free)

    def take(self, count: int) -> tuple[int, ...] | None:
        """Takes the lowest free slots, or None where there are not so many."""
        if not 0 < count <= len(self._free):
            return None
        taken, self._free = self._free[:count], self._free[count:]
        return tuple(taken)

    def give_back(self, slots: Sequence[int]) -> None:
        """Frees slots that were taken."""
        self._free = sorted({*self._free, *slots})

    def devices(self, slots: Sequence[int]) -> tuple[str, ...] | None:
        """The devices behind slots, each once; None on a worker without GPUs."""
        if not self._devices:
            return None
        return tuple(dict.fromkeys(self._devices[slot % len(self._devices)] for slot in slots))
