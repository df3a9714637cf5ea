"""Axes: the resource with its rungs, and the metric so that outliers hide nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .history import History
from .style import Style
from .text import plain

_LOG_LEVELS = 8.0
_LOG_VALUES = 15.0
_MOST_TICKS = 9
#: Room beside the values, as a part of their range; at the better end twice that, for labels.
_BESIDE = 0.05


@dataclass(frozen=True, slots=True)
class Extent:
    """The part of a value's axis that is shown, and whether the axis is logarithmic."""

    low: float
    high: float
    log: bool

    @property
    def range(self) -> list[float]:
        """As Plotly wants it: of a logarithmic axis the exponents."""
        return [math.log10(self.low), math.log10(self.high)] if self.log else [self.low, self.high]

    def clipped(self, values: NDArray) -> NDArray:
        """Values within the extent; what is no number stays."""
        return np.clip(values, self.low, self.high)

    def worst(self, sign: int) -> float:
        """Where what has no finite value is shown: at the worst end, a little inside."""
        share = 0.985 if sign > 0 else 0.015
        if self.log:
            low, high = self.range
            return 10 ** (low + share * (high - low))
        return self.low + share * (self.high - self.low)


def extent(values: NDArray, sign: int) -> Extent:
    """Where an axis begins and ends for these values: from the best a little further, but not to outliers that are
    worse than nearly all."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Extent(0.0, 1.0, False)
    low, high = (float(each) for each in np.quantile(finite, (0.0, 0.98) if sign > 0 else (0.02, 1.0)))
    full_low, full_high = float(finite.min()), float(finite.max())
    # What is not far away is shown as well.
    margin = 1.0 * (high - low)
    low, high = max(full_low, low - margin), min(full_high, high + margin)
    if low == high:
        low, high = low - (abs(low) or 1.0) * 0.1, high + (abs(high) or 1.0) * 0.1
    log = low > 0 and high / low > _LOG_VALUES
    if log:
        ends = (high / low) ** _BESIDE
        return Extent(low / ends ** (2 if sign > 0 else 1), high * ends ** (1 if sign > 0 else 2), True)
    ends, floor = _BESIDE * (high - low), (0.0 if full_low >= 0 else -math.inf)
    return Extent(max(floor, low - ends * (2 if sign > 0 else 1)), high + ends * (1 if sign > 0 else 2), False)


def value_axis(history: History, shown: Extent) -> dict[str, Any]:
    """The axis of the metric, with which way is better."""
    better = f" ({'lower' if history.sign > 0 else 'higher'} is better)" if history.is_searched else ""
    axis: dict[str, Any] = {"title": {"text": f"{plain(history.metric)}{better}"}, "range": shown.range}
    return axis | (log_ticks(shown.low, shown.high) if shown.log else {})


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis with numbers that can be read: 1, 2 and 5 times powers of ten, or these alone where many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if math.log10(high / low) <= 2.5 else (1,)
    apart = max(1, (last - first) // 8)
    values = [step * 10.0**power for power in range(first, last + 1, apart) for step in steps]
    values = [value for value in values if low <= value <= high]
    return {"type": "log", "tickvals": values, "ticktext": [f"{value:g}" for value in values]}


def resource_axis(history: History, style: Style, furthest: int) -> dict[str, Any]:
    """The axis of the resource, with the rungs as its ticks; logarithmic where they grow by a factor."""
    levels = [level for level in history.levels if level > 0]
    log = len(levels) > 1 and levels[-1] / levels[0] >= _LOG_LEVELS and _is_geometric(levels)
    end = max([furthest, *levels, 1])
    axis: dict[str, Any] = {"title": {"text": plain(history.experiment.unit or "resource")}}
    if 1 <= len(levels) <= _MOST_TICKS:
        axis |= {"tickvals": levels, "ticktext": [f"{level:,}" for level in levels]}
        axis |= {"gridcolor": style.quiet, "griddash": "dot", "gridwidth": 1}
    if log:
        return axis | {"type": "log", "range": [math.log10(0.85), math.log10(end * 1.25)]}
    return axis | {"range": [0 if end > 3 else 0.5, end * 1.07]}


def _is_geometric(levels: Sequence[int]) -> bool:
    """Whether the steps between rungs grow."""
    steps = [later - earlier for earlier, later in pairwise(levels)]
    return len(steps) == 1 or steps[-1] > 1.5 * steps[0]


def two_panels(value: dict[str, Any], left: str, right: str) -> dict[str, Any]:
    """Axes of two panels beside each other, which share that of the value; what stands below each."""
    return {
        "yaxis": value,
        "yaxis2": {key: item for key, item in value.items() if key != "title"}
        | {"anchor": "x2", "showticklabels": False},
        "xaxis": {"title": {"text": left}, "rangemode": "tozero", "domain": [0, 0.485]},
        "xaxis2": {"title": {"text": right}, "rangemode": "tozero", "domain": [0.515, 1], "anchor": "y2"},
    }


def time_unit(seconds: float) -> tuple[str, float]:
    """The unit in which a length of time is shown, and its seconds."""
    for name, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return name, size
    return "seconds", 1.0


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, evenly spaced."""
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]
