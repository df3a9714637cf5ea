"""Messages and bytes in a second, kept to by all who wait for their turn."""

from __future__ import annotations

import asyncio
import math
import time


class Pace:
    """Lets so many bytes pass in a second, in so many messages. Used from one event loop."""

    def __init__(self, bytes_per_second: float, messages_per_second: float = math.inf) -> None:
        self._bytes = bytes_per_second
        self._messages = messages_per_second
        self._next_at = 0.0

    async def keep(self, size: int) -> None:
        """Returns when a message of so many bytes may pass."""
        now = time.monotonic()
        at = max(self._next_at, now)
        self._next_at = at + 1 / self._messages + size / self._bytes
        if at > now:
            await asyncio.sleep(at - now)
