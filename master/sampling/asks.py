"""What a sampler program was asked and has not answered yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from .process import ProgramBroken


@dataclass(slots=True)
class Asks:
    """Of one process. `waiting_since` is the time (monotonic) from which on it owes its next answer; None: it owes
    none."""

    waiting_since: float | None = None
    _owed: dict[int, int] = field(default_factory=dict)
    _last: int = 0
    _in_hand: int = 0

    @property
    def under_way(self) -> int:
        """How many suggestions are to come, or have come and are not with the experiment yet."""
        return sum(self._owed.values()) + self._in_hand

    def ask(self, count: int, now: float) -> int:
        """It is asked for so many: the number of the ask."""
        self._last += 1
        self._owed[self._last] = count
        if self.waiting_since is None:
            self.waiting_since = now
        return self._last

    def suggested(self, ask: int, now: float) -> None:
        """A suggestion has come, in hand until it is `taken`. Raises ProgramBroken where none is owed for this ask."""
        if ask not in self._owed:
            raise ProgramBroken(f"it answers the ask {ask}, for which no suggestion is owed")
        self._owed[ask] -= 1
        if not self._owed[ask]:
            del self._owed[ask]
        self._in_hand += 1
        self.waiting_since = now if self._owed else None

    def taken(self) -> None:
        """What has come is with the experiment, or was refused."""
        self._in_hand -= 1

    def failed(self, ask: int, now: float) -> None:
        """No more suggestions come for this ask. Raises ProgramBroken where none is owed for it."""
        if self._owed.pop(ask, None) is None:
            raise ProgramBroken(f"it tells that the ask {ask} failed, for which no suggestion is owed")
        self.waiting_since = now if self._owed else None
