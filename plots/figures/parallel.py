"""Parallel coordinates: a line for each trial through all its hyperparameters to its result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...shared.text.visible import visible
from ..axes import extent, log_ticks, round_ticks
from ..errors import graph_objects
from ..history import History
from ..results import Results, no_result, results
from ..segments import MOST_SVG_LINES, joined, small
from ..space import Dimension, dimensions, nothing_varies
from ..style import Style
from ..text import number, plain

_MOST_AXES = 20
_MOST_LINES = 8_000
_PARTS = 5
#: Where a line is drawn that has no value on an axis, as a part of its length below the lowest.
_BELOW = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class _Axis:
    label: str
    places: NDArray[np.float64]
    ends: tuple[float, float]
    ticks: list[tuple[float, str]]


def applies(history: History) -> str:
    """Why there is nothing to show; empty where there is something."""
    return nothing_varies(history) or no_result(history)


def draw(history: History, style: Style) -> Any:
    """The figure."""
    found = results(history)
    assert found is not None, "applies has looked"
    drawn = found.thinned(_MOST_LINES if style.webgl else MOST_SVG_LINES, history.sign)
    few = f", {len(drawn.trials):,} drawn" if len(drawn.trials) < len(found.trials) else ""
    told = f"{found.told(history)}{few}; {'dark' if style.theme == 'light' else 'bright'} lines are the best"
    figure = style.figure("parallel", "Hyperparameters and results", (history,), told)
    axes = [*_hyperparameters(history, drawn), _result(history, drawn)]
    rank = _rank(drawn, history.sign)
    if style.webgl:
        figure.add_trace(_parcoords(axes, rank, style))
    else:
        _add_lines(figure, axes, rank, style)
    figure.update_layout(margin={"l": 90, "r": 90, "b": 36, "t": 134 if style.title else 78})
    return figure


def _hyperparameters(history: History, drawn: Results) -> list[_Axis]:
    axes = []
    for axis in dimensions(history)[:_MOST_AXES]:
        places, (first, last) = axis.places(drawn.trials), axis.ends
        ticks = axis.ticks() if axis.values else _to_the_ends(axis)
        if np.isnan(places).any():
            below = first - _BELOW * (last - first)
            places, first = np.where(np.isnan(places), below, places), below
            ticks = [(below, "not used"), *ticks]
        axes.append(_Axis(axis.name, places, (first, last), ticks))
    return axes


def _to_the_ends(axis: Dimension) -> list[tuple[float, str]]:
    """Ticks with the bounds of a number among them, since the axis is drawn from tick to tick."""
    first, last = axis.ends
    apart = 0.06 * (last - first)
    inner = [tick for tick in axis.ticks() if first + apart < tick[0] < last - apart]
    return [(first, f"{axis.low:g}"), *inner, (last, f"{axis.high:g}")]


def _result(history: History, drawn: Results) -> _Axis:
    """The last axis, with the best on top."""
    shown = extent(drawn.values, history.sign)
    broken = ~np.isfinite(drawn.values)
    values = np.where(broken, shown.worst(history.sign), shown.clipped(drawn.values))
    places, ends = (np.log10(values), shown.range) if shown.log else (values, [shown.low, shown.high])
    marks = log_ticks(shown.low, shown.high)["tickvals"] if shown.log else round_ticks(ends[0], ends[1])
    ticks = [(math.log10(mark) if shown.log else mark, number(mark)) for mark in marks]
    worst = 1 if history.sign > 0 else 0
    if broken.any():
        ticks = [tick for tick in ticks if abs(tick[0] - ends[worst]) > 0.05 * (ends[1] - ends[0])]
        ticks.append((ends[worst], "failed"))
    return _Axis(history.metric, places, (ends[worst], ends[1 - worst]), ticks)


def _rank(drawn: Results, sign: int) -> NDArray[np.float64]:
    """1 for the best, 0 for the worst, evenly."""
    order = np.argsort(np.argsort(np.where(np.isfinite(drawn.values), sign * drawn.values, np.inf), kind="stable"))
    return 1.0 - order / max(1, len(order) - 1)


def _colours(style: Style) -> list[str]:
    """From the worst to the best; told apart by their brightness alone."""
    light = ["#CBD3DD", "#A9BDD4", "#7FA8D1", "#2F7FBF", "#00366B"]
    dark = ["#2C323B", "#37506B", "#3E7BA6", "#56B4E9", "#F0E442"]
    return light if style.theme == "light" else dark


def _parcoords(axes: list[_Axis], rank: NDArray, style: Style) -> Any:
    order = np.argsort(rank, kind="stable")
    scale = [[place / (_PARTS - 1), colour] for place, colour in enumerate(_colours(style))]
    return graph_objects().Parcoords(
        line={"color": small(rank[order]), "colorscale": scale, "cmin": 0, "cmax": 1},
        dimensions=[
            {
                "label": plain(axis.label, 22), "values": small(axis.places[order]), "range": list(axis.ends),
                # Its ticks are shown as they are, without markup.
                "tickvals": [at for at, _ in axis.ticks], "ticktext": [_tick(text) for _, text in axis.ticks],
            }
            for axis in axes
        ],
        labelfont={"size": 13, "color": style.ink}, tickfont={"size": 12, "color": style.ink},
        rangefont={"size": 1, "color": "rgba(0,0,0,0)"}, labelangle=-18 if len(axes) > 7 else 0, labelside="top",
        unselected={"line": {"opacity": 0.06}},
    )  # fmt: skip


def _tick(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= 16 else f"{shown[:15]}…"


def _add_lines(figure: Any, axes: list[_Axis], rank: NDArray, style: Style) -> None:
    """The same with lines that need no WebGL, in five colours."""
    heights = np.array([(axis.places - axis.ends[0]) / (axis.ends[1] - axis.ends[0]) for axis in axes]).T
    across = np.arange(len(axes), dtype=np.float32)
    for part, colour in enumerate(_colours(style)):
        chosen = np.flatnonzero(np.minimum((rank * _PARTS).astype(int), _PARTS - 1) == part)
        figure.add_scatter(
            x=joined([across] * len(chosen), np.nan), y=small(joined([heights[line] for line in chosen], np.nan)),
            mode="lines", line={"color": colour, "width": 1 + part / 4}, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    for place, axis in enumerate(axes):
        figure.add_shape(type="line", x0=place, x1=place, y0=0, y1=1, line={"color": style.quiet, "width": 1})
        for at, text in axis.ticks:
            height = (at - axis.ends[0]) / (axis.ends[1] - axis.ends[0])
            figure.add_annotation(x=place, y=height, text=plain(text, 16), showarrow=False, xanchor="left", xshift=4,
                                  font={"size": 11}, bgcolor=style.paper, opacity=0.85)  # fmt: skip
        figure.add_annotation(
            x=place, y=1.04, text=f"<b>{plain(axis.label, 22)}</b>", showarrow=False, yanchor="bottom"
        )
    hidden = {"visible": False, "fixedrange": True}
    figure.update_layout(xaxis=hidden | {"range": [-0.1, len(axes) - 0.7]}, yaxis=hidden | {"range": [-0.03, 1.12]})
