"""Bounds how often somebody may try."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

_CALLERS = 10_000


class RateLimit:
    """A bucket of `burst` attempts for each caller, refilled at `rate_per_minute`. May be used from several threads."""

    def __init__(self, burst: int, rate_per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._rate = rate_per_minute / 60.0
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Takes one attempt; 0.0, or the seconds after which there is one again."""
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(caller, (float(self._burst), now))
            left = min(float(self._burst), left + (now - at) * self._rate)
            granted = left >= 1.0
            self._left[caller] = (left - 1.0 if granted else left, now)
            while len(self._left) > _CALLERS:
                self._left.popitem(last=False)
            return 0.0 if granted else (1.0 - left) / self._rate

    def give_back(self, caller: str) -> None:
        """Takes back an attempt that was none: it succeeded."""
        with self._lock:
            if caller in self._left:
                left, at = self._left[caller]
                self._left[caller] = (min(float(self._burst), left + 1.0), at)
