"""Whether a result is as good as was asked for."""

from __future__ import annotations

import math


def reaches(metric: float | None, wanted: float | None, goal: str) -> bool:
    """Whether a metric is at most (`minimize`) or at least (`maximize`) what is wanted. One that is not finite never
    is, and nothing reaches None."""
    if metric is None or wanted is None or not math.isfinite(metric):
        return False
    return metric <= wanted if goal == "minimize" else metric >= wanted
