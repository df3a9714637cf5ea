"""A panel for each hyperparameter: its values against the results, with their median."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..axes import Extent, extent, value_axis
from ..fates import Fate
from ..history import History
from ..results import Results, no_result, results
from ..segments import small
from ..space import Dimension, dimensions, nothing_varies
from ..style import SYMBOLS, Style
from ..text import plain

_MOST_PANELS = 24
_MOST_POINTS, _MOST_SVG_POINTS = 80_000, 9_000
_PANEL_PX, _COLUMNS = 270, 3
_BINS = 9


def applies(history: History) -> str:
    """Why there is nothing to show; empty where there is something."""
    return nothing_varies(history) or no_result(history)


def draw(history: History, style: Style) -> Any:
    """The figure."""
    found, axes = results(history), dimensions(history)[:_MOST_PANELS]
    assert found is not None, "applies has looked"
    most = (_MOST_POINTS if style.webgl else _MOST_SVG_POINTS) // len(axes)
    drawn = found.thinned(most, history.sign)
    shown = extent(drawn.values, history.sign)
    few = f", {len(drawn.trials):,} drawn" if len(drawn.trials) < len(found.trials) else ""
    figure = style.figure("slices", "Each hyperparameter against the result", (history,), found.told(history) + few)
    columns = min(_COLUMNS, len(axes))
    rows = math.ceil(len(axes) / columns)
    for place, axis in enumerate(axes):
        _add_panel(figure, axis, place, (rows, columns), drawn, shown, history, style)
    figure.update_layout(height=_PANEL_PX * rows + 110, margin_b=10)
    return figure


def _add_panel(
    figure: Any,
    axis: Dimension,
    place: int,
    grid: tuple[int, int],
    drawn: Results,
    shown: Extent,
    history: History,
    style: Style,
) -> None:
    number = "" if place == 0 else str(place + 1)
    x = _spread(axis, axis.places(drawn.trials))
    active = np.isfinite(x)
    ids = np.array([trial.trial_id for trial in drawn.trials])
    fine = active & np.isfinite(drawn.values)
    where = {"xaxis": f"x{number}", "yaxis": f"y{number}", "showlegend": place == 0}
    total = len(ids) * grid[0] * grid[1]
    figure.add_trace(
        style.scatter(total)(
            x=small(x[fine]), y=small(shown.clipped(drawn.values[fine])), customdata=small(ids[fine]), mode="markers",
            name="trial", legendgroup="trial", opacity=0.65 if len(ids) < 500 else 0.35,
            marker={"size": 6 if len(ids) < 500 else 4, "color": style.of_fate(Fate.FULL)},
            hovertemplate="trial %{customdata}: %{y:.5g}<extra></extra>", **where,
        )
    )  # fmt: skip
    broken = active & ~np.isfinite(drawn.values)
    if broken.any() or place == 0:
        figure.add_trace(_failed(x[broken], ids[broken], shown, total, history, style, where))
    middle = _medians(axis, x[fine], drawn.values[fine])
    figure.add_scatter(
        x=middle[0], y=shown.clipped(np.array(middle[1])), mode="markers" if axis.values else "lines", name="median",
        legendgroup="median", line={"color": style.ink, "width": 2.4}, hoverinfo="skip",
        marker={"symbol": "line-ew", "size": 26, "line": {"width": 3, "color": style.ink}}, **where,
    )  # fmt: skip
    _lay_out(figure, axis, place, grid, shown, history)


def _failed(
    x: NDArray, ids: NDArray, shown: Extent, total: int, history: History, style: Style, where: dict[str, Any]
) -> Any:
    return style.scatter(total)(
        x=small(x), y=np.full(len(x), shown.worst(history.sign), np.float32), customdata=small(ids), mode="markers",
        name=Fate.FAILED.value, legendgroup="failed", marker={"symbol": SYMBOLS[Fate.FAILED], "size": 7,
        "color": style.of_fate(Fate.FAILED)}, hovertemplate="trial %{customdata}: failed or diverged<extra></extra>",
        **where,
    )  # fmt: skip


def _spread(axis: Dimension, x: NDArray) -> NDArray:
    """Choices a little apart, always in the same way, so that trials do not hide each other."""
    if not axis.values:
        return x
    golden = (np.arange(len(x)) * 0.6180339887) % 1.0
    return x + (golden - 0.5) * 0.5


def _medians(axis: Dimension, x: NDArray, y: NDArray) -> tuple[list[float], list[float]]:
    """The median result of each choice, or of bins that have equally many trials."""
    if axis.values:
        groups = [(float(index), y[np.round(x) == index]) for index in range(len(axis.values))]
    elif len(x) >= 16:
        parts = np.array_split(np.argsort(x, kind="stable"), min(_BINS, len(x) // 8))
        groups = [(float(np.median(x[part])), y[part]) for part in parts]
    else:
        groups = []
    known = [(at, float(np.median(values))) for at, values in groups if len(values)]
    return [at for at, _ in known], [value for _, value in known]


def _lay_out(figure: Any, axis: Dimension, place: int, grid: tuple[int, int], shown: Extent, history: History) -> None:
    row, column = divmod(place, grid[1])
    number = "" if place == 0 else str(place + 1)
    width, height = 1 / grid[1], 1 / grid[0]
    gap_x, gap_y = 0.03, 0.36 * _PANEL_PX / (_PANEL_PX * grid[0])
    ticks = axis.ticks(5)
    first, last = axis.ends
    beside = 0.5 if axis.values else 0.04 * (last - first)
    when = f"<br><sup>when {plain(axis.when)}</sup>" if axis.when else ""
    figure.layout[f"xaxis{number}"] = {
        "domain": [column * width + (gap_x if column else 0), (column + 1) * width - 0.005],
        "anchor": f"y{number}", "title": {"text": f"{plain(axis.name, 34)}{when}"},
        "tickvals": [at for at, _ in ticks], "ticktext": [plain(text, 14) for _, text in ticks],
        "range": [first - beside, last + beside],
    }  # fmt: skip
    bottom = 1 - (row + 1) * height
    figure.layout[f"yaxis{number}"] = value_axis(history, shown) | {
        "domain": [bottom + gap_y * (1 if grid[0] > 1 else 0), bottom + height], "anchor": f"x{number}",
        "showticklabels": column == 0, "matches": "y" if place else None,
        "title": {"text": plain(history.metric, 24) if column == 0 else ""},
    }  # fmt: skip
