"""The population of PBT: its live trials by their latest results, the worst of them, and those that others start from.

Every operation is O(log n) in the number of members.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple, cast

from sortedcontainers import SortedList

from .rung import Result


class Member(NamedTuple):
    """A trial's latest result: what it is ranked by (less is better), its rung, the resource trained to, and the rung
    of the trial's first result."""

    key: float
    rung: int
    resource: int
    first_rung: int


class Population:
    """Live trials with a finite latest result; ties are settled by the trial's number."""

    def __init__(self, size: int, truncation: Fraction, last_rung: int) -> None:
        #: With less than one in `size`, nobody would ever be replaced.
        self._truncation = max(truncation, Fraction(1, size))
        self._last_rung = last_rung
        self._members: dict[int, Member] = {}
        self._ranked: SortedList = SortedList()
        #: Those of them that can be trained further.
        self._donors: SortedList = SortedList()

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, trial: int) -> bool:
        return trial in self._members

    def __getitem__(self, trial: int) -> Member:
        return self._members[trial]

    def enter(self, trial: int, member: Member) -> None:
        """A trial's latest result; it takes the place of the one before."""
        self.leave(trial)
        self._members[trial] = member
        self._ranked.add((member.key, trial))
        if member.rung < self._last_rung:
            self._donors.add((member.key, trial))

    def leave(self, trial: int) -> None:
        """A trial is no member any more, if it was one."""
        member = self._members.pop(trial, None)
        if member is None:
            return
        self._ranked.remove((member.key, trial))
        if member.rung < self._last_rung:
            self._donors.remove((member.key, trial))

    @property
    def worst(self) -> int:
        """How many of the members are the worst ones."""
        return len(self._members) * self._truncation.numerator // self._truncation.denominator

    def rank(self, trial: int) -> int:
        """A member's rank, 0 for the best."""
        return self._ranked.bisect_left((self._members[trial].key, trial))

    def is_replaceable(self, trial: int) -> bool:
        """Whether a member is one of the worst, and the best one that can be trained further is better and has come as
        far as where this one was compared first.

        Else trials that started from a checkpoint could be replaced by others from the same one, again and again, where
        results become worse with more training.
        """
        if self.rank(trial) < len(self) - self.worst or not self._donors:
            return False
        best = cast(Result, self._donors[0])[1]
        return best != trial and self._members[best].rung >= self._members[trial].first_rung

    def donor(self, bits: int, of: int) -> int | None:
        """The trial from which another starts, `bits` of `of` deciding which of the best of those that can be trained
        further; None where there is none."""
        best = min(max(1, self.worst), len(self._donors))
        return cast(Result, self._donors[bits * best // of])[1] if best else None

    def check(self) -> None:
        """Raises AssertionError where the orders contradict the results."""
        assert list(self._ranked) == sorted((member.key, trial) for trial, member in self._members.items())
        trainable = {trial: member for trial, member in self._members.items() if member.rung < self._last_rung}
        assert list(self._donors) == sorted((member.key, trial) for trial, member in trainable.items())
