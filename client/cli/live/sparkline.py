"""A sparkline: one sign for each of some values, higher for a larger one."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Where the largest value is so many times the least, their logarithms are drawn: the least would look all the same.
_FAR_APART = 8.0


def sparkline(values: Sequence[float], width: int, heights: str) -> str:
    """Finite values as at most `width` signs of `heights`, which go from low to high; of many the last of each part."""
    count = min(len(values), width)
    if count < 1:
        return ""
    shown = [values[(place + 1) * len(values) // count - 1] for place in range(count)]
    if min(shown) > 0 and max(shown) / min(shown) >= _FAR_APART:
        shown = [math.log(value) for value in shown]
    low, high = min(shown), max(shown)
    top = len(heights) - 1
    # Halves, since the whole may be more than any number.
    span = high / 2 - low / 2
    return "".join(heights[round((value / 2 - low / 2) / span * top) if span > 0 else 0] for value in shown)
