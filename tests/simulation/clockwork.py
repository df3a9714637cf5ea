"""Virtual time: everything that will happen, in a heap of (time, order, event). One seed decides all that is random."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from random import Random

Action = Callable[[], None]


class Clockwork:
    """Runs actions in the order of their times; of those at one time, in the order in which they were planned."""

    def __init__(self, seed: int, trace: Callable[[str], None] | None = None) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.counters: Counter[str] = Counter()
        self._trace = trace
        self._heap: list[tuple[float, int, Action]] = []
        self._order = itertools.count()

    def after(self, delay: float, action: Action) -> None:
        """Plans an action so many seconds from now."""
        heapq.heappush(self._heap, (self.now + delay, next(self._order), action))

    def run(self, until: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Lets everything happen that is due before `until`, or until it is enough."""
        while self._heap and self._heap[0][0] <= until and not enough():
            self.now, _, action = heapq.heappop(self._heap)
            action()
        if not enough():
            self.now = until

    def reseeding(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return self.random.random() < probability

    def happened(self, what: str, detail: object = "") -> None:
        """Counts something worth knowing that it was covered, and shows it in a replay."""
        self.counters[what] += 1
        self.tell(what, detail)

    def tell(self, what: str, detail: object = "") -> None:
        """Shows something in a replay."""
        if self._trace is not None:
            self._trace(f"{self.now:10.3f}  {what:<24} {detail}")
