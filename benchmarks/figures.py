"""What the benchmarks find, as plain values: figures beside their floor and their peer, and curves to plot."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, with what bounds it (the floor) and what a user would otherwise pick (the peer), of the same run.

    `floor_ratio` is set where it is not simply value / floor: the median of the ratios of interleaved rounds.
    `met` tells whether `aim` was reached; None where nothing was aimed at.
    """

    name: str
    value: float
    unit: str
    higher_is_better: bool = True
    floor: float | None = None
    floor_name: str = ""
    floor_ratio: float | None = None
    peer: float | None = None
    peer_name: str = ""
    aim: str = ""
    met: bool | None = None

    @property
    def to_floor(self) -> float | None:
        """The figure as a multiple of its floor."""
        if self.floor_ratio is not None:
            return self.floor_ratio
        return self.value / self.floor if self.floor else None

    @property
    def to_peer(self) -> float | None:
        """How many times better than the peer it is, whichever way is better."""
        if not self.peer or not self.value:
            return None
        return self.value / self.peer if self.higher_is_better else self.peer / self.value


@dataclass(frozen=True, slots=True)
class Plot:
    """Series of points by name, with what stands at the axes."""

    title: str
    x: str
    y: str
    series: dict[str, list[tuple[float, float]]]
    log_x: bool = True
    log_y: bool = False


@dataclass(slots=True)
class Result:
    """What one benchmark found; `text` is its docstring, `notes` are what a reader must know of this run."""

    benchmark: str
    text: str
    figures: list[Figure] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The result as JSON has it."""
        return asdict(self)


def result_from_json(document: dict[str, Any]) -> Result:
    """The result that `as_json` was made from."""
    figures = [Figure(**figure) for figure in document["figures"]]
    plots = [_plot_from_json(plot) for plot in document["plots"]]
    return Result(**{**document, "figures": figures, "plots": plots})


def _plot_from_json(document: dict[str, Any]) -> Plot:
    series = {name: [(x, y) for x, y in points] for name, points in document["series"].items()}
    return Plot(**{**document, "series": series})


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median_ratio(values: Sequence[float], floors: Sequence[float]) -> float:
    """The median of the ratios of rounds that were measured one after the other: noise of minutes cancels out."""
    return statistics.median(value / floor for value, floor in zip(values, floors, strict=True))
