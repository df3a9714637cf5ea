"""Many lines in one trace, thinned to what a figure can hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Points of all lines of a figure: at 16 bytes each, well below 2 MB.
MOST_POINTS = 90_000
#: Lines that SVG draws without a stutter, and points of all of them.
MOST_SVG_LINES, MOST_SVG_POINTS = 1_000, 15_000


def longest_line(lengths: Sequence[int], points: int = MOST_POINTS) -> int:
    """How many points a line may have at most, so that all together have at most so many; short ones keep all."""
    left, sizes = points, sorted(lengths)
    for place, size in enumerate(sizes):
        share = left // (len(sizes) - place)
        if size > share:
            return max(2, share)
        left -= size
    return max(2, sizes[-1] if sizes else 2)


def places(length: int, most: int) -> NDArray[np.int64]:
    """Which points of a line stay: evenly spaced, the first and the last among them."""
    if length <= most:
        return np.arange(length)
    return np.unique(np.linspace(0, length - 1, most).round().astype(np.int64))


def joined(parts: Sequence[NDArray], gap: float) -> NDArray:
    """Lines one after the other, with `gap` between them."""
    if not parts:
        return np.empty(0)
    separated = [piece for part in parts for piece in (part, np.array([gap], dtype=part.dtype))]
    return np.concatenate(separated[:-1])


def small(values: NDArray) -> NDArray:
    """Numbers in the fewest bytes that show the same on a screen."""
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    largest = np.abs(values).max(initial=0)
    return values.astype(np.int16 if largest < 2**15 else np.int32 if largest < 2**31 else np.float64)
