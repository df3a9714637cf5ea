"""Lets only so much of what is large through at once, so that what is small finds its way between."""

from __future__ import annotations

import asyncio
from collections import deque


class Admission:
    """So many bytes that may be under way to the database at once. Who comes first is let through first."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._inside = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def enter(self, size: int) -> None:
        """Returns once there is room; something that is larger than that goes through alone."""
        if not self._waiting and self._fits(size):
            self._inside += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(size)
            else:
                # It may have been all that kept others waiting.
                self._waiting.remove((size, turn))
                self._let_through()
            raise

    def leave(self, size: int) -> None:
        """What had entered is through."""
        self._inside -= size
        self._let_through()

    def _let_through(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._inside += size
                turn.set_result(None)

    def _fits(self, size: int) -> bool:
        return not self._inside or self._inside + size <= self._width
