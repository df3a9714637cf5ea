"""How long those who read for people rest after a look at the database: the longer, the more else the master does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: A look beside a busy master is followed by a rest of so many times what it took.
REST = 2.0
#: What the master's other threads take of one core: up to the first it is idle, from the second on it is busy.
IDLE, BUSY = 0.2, 0.5


def rest_after(took_s: float, others_s: float) -> float:
    """Seconds to rest after a look that took so long, in which all other threads together used so much CPU."""
    if took_s <= 0:
        return 0.0
    busy = (others_s / took_s - IDLE) / (BUSY - IDLE)
    return REST * took_s * min(1.0, max(0.0, busy))


class Look:
    """One look at the database; `rest_s` says afterwards how long to rest. To be used in one thread."""

    def __init__(self) -> None:
        self.rest_s = 0.0

    def run(self, query: Callable[[], T]) -> T:
        """What the query gives or raises."""
        began, all_s, own_s = time.monotonic(), time.process_time(), time.thread_time()
        try:
            return query()
        finally:
            others_s = (time.process_time() - all_s) - (time.thread_time() - own_s)
            self.rest_s = rest_after(time.monotonic() - began, others_s)
