"""A small picture of a search's best result so far, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 96, 24
_POINTS = 48
_MARGIN = 2


def sparkline(values: Sequence[float], label: str) -> Markup:
    """A line through the values, evenly spaced, its end marked; nothing for fewer than two."""
    if len(values) < 2:
        return Markup("")
    thinned = [values[round(index * (len(values) - 1) / (_POINTS - 1))] for index in range(min(_POINTS, len(values)))]
    if len(values) <= _POINTS:
        thinned = list(values)
    low, high = min(thinned), max(thinned)
    span = high - low if high > low and math.isfinite(high - low) else 1.0
    points = [
        (
            _MARGIN + index * (WIDTH - 2 * _MARGIN) / (len(thinned) - 1),
            _MARGIN + (high - value) / span * (HEIGHT - 2 * _MARGIN),
        )
        for index, value in enumerate(thinned)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">'
        '<polyline points="{}"/><circle cx="{:.1f}" cy="{:.1f}" r="2"/></svg>'
    ).format(WIDTH, HEIGHT, WIDTH, HEIGHT, label, line, x, y)
