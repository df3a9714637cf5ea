"""Which of an experiment's results is the best."""

from __future__ import annotations

import math
from collections.abc import Iterable

#: A metric, less being better whatever the goal, whose it is, and at which resource.
Rank = tuple[float, int, int]


def least(ranks: Iterable[Rank | None]) -> Rank | None:
    """The best of them; None where there is none."""
    return min((rank for rank in ranks if rank is not None), default=None)


def finite(value: float | None) -> float | None:
    """The value for people and journals: None where it is not a finite number."""
    return value if value is not None and math.isfinite(value) else None
