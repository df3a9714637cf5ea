"""The best result so far, over time and over the resource that was spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..axes import extent, time_unit, two_panels, value_axis
from ..history import History
from ..segments import places, small
from ..style import Style
from ..text import duration, number, plain

_MOST_RECORDS = 5000
_MOST_RESULTS, _MOST_SVG_RESULTS = 8_000, 1_500


def applies(history: History) -> str:
    """Why there is nothing to show; empty where there is something."""
    if not history.is_searched:
        return (
            f"the best is known of {history.experiment.metric}, by which the search goes, and not of {history.metric}"
        )
    return "" if history.records else f"experiment {history.experiment.experiment_id} has no result yet"


def draw(history: History, style: Style) -> Any:
    """The figure."""
    unit, size = time_unit(history.elapsed_s)
    figure = style.figure("best", "Best result so far", (history,))
    records = [history.records[place] for place in places(len(history.records), _MOST_RECORDS)]
    time, value = _results(history, _MOST_RESULTS if style.webgl else _MOST_SVG_RESULTS)
    shown = extent(np.array([*(record.value for record in records), *value[np.isfinite(value)]]), history.sign)
    figure.add_trace(_cloud(time / size, shown.clipped(value), style))
    spent = history.experiment.resource_spent
    texts = [_text(history, record) for record in records]
    for x, end, axis in (
        ([record.time_s / size for record in records], history.elapsed_s / size, ""),
        ([float(record.spent) for record in records], float(max(spent, records[-1].spent)), "2"),
    ):
        figure.add_trace(_steps(x, [record.value for record in records], texts, end, axis, style))
    best = history.records[-1]
    figure.add_scatter(
        x=[best.time_s / size], y=[best.value], mode="markers+text", showlegend=False, hoverinfo="skip",
        text=[f"<b>trial {best.trial_id}: {number(best.value)}</b>"], textfont={"size": 14, "color": style.ink},
        textposition=_beside(best.time_s, history.elapsed_s, history.sign),
        marker={"size": 9, "color": style.ink, "symbol": "circle-open", "line": {"width": 2}}, cliponaxis=False,
    )  # fmt: skip
    trained = f"{plain(history.experiment.unit)} trained by all trials"
    figure.update_layout(two_panels(value_axis(history, shown), unit, trained))
    return figure


def _cloud(time: Any, value: Any, style: Style) -> Any:
    return style.scatter(len(value))(
        x=small(time), y=small(value), mode="markers", name="every trial's results", opacity=0.35, hoverinfo="skip",
        marker={"size": 3, "color": style.quiet},
    )  # fmt: skip


def _results(history: History, most: int) -> tuple[Any, Any]:
    """When results came, and what they were; thinned."""
    curves = [curve for curve in history.curves.values() if len(curve)]
    if not curves:
        return np.empty(0), np.empty(0)
    time, value = (np.concatenate([getattr(curve, name) for curve in curves]) for name in ("time_s", "value"))
    order = np.argsort(time, kind="stable")
    kept = order[places(len(order), most)]
    return time[kept], value[kept]


def _steps(x: list[float], value: list[float], texts: Sequence[str], end: float, axis: str, style: Style) -> Any:
    return style.scatter(0)(
        x=[*x, max(end, x[-1])], y=[*value, value[-1]], text=[*texts, ""], mode="lines+markers",
        line={"shape": "hv", "width": 2.6, "color": style.of_series(0)},
        marker={"size": [7 if len(x) <= 60 else 4] * len(x) + [0], "color": style.of_series(0)},
        name="best so far", showlegend=not axis, legendgroup="best", xaxis=f"x{axis}", yaxis=f"y{axis}",
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _text(history: History, record: Any) -> str:
    unit = plain(history.experiment.unit)
    when = f"after {duration(record.time_s)}, {record.spent:,} {unit} by all trials"
    return f"trial {record.trial_id}: {number(record.value)} at {record.resource:,} {unit}<br>{when}"


def _beside(at: float, end: float, sign: int) -> str:
    """Where a label has room."""
    return ("bottom " if sign > 0 else "top ") + ("left" if at > end / 2 else "right")
