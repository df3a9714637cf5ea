"""Population based training: with which hyperparameters each model was trained, along its way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..axes import log_ticks
from ..history import History
from ..lineages import Part, ancestry, leaves
from ..segments import joined, small
from ..space import Dimension, dimensions, nothing_varies
from ..style import Style
from ..text import number, plain
from . import lineage

_MOST_PANELS, _MOST_MODELS = 12, 300
_PANEL_PX, _COLUMNS = 290, 2


def applies(history: History) -> str:
    """Why there is nothing to show; empty where there is something."""
    return lineage.applies(history) or nothing_varies(history)


def draw(history: History, style: Style) -> Any:
    """The figure."""
    axes = dimensions(history)[:_MOST_PANELS]
    models = sorted(leaves(history), key=lambda trial: (-trial.resource, trial.trial_id))[:_MOST_MODELS]
    ways = [ancestry(history, trial) for trial in models]
    best = history.experiment.best_trial
    way = ancestry(history, history.by_id[best.trial_id]) if best and best.trial_id in history.by_id else ()
    few = f"; {len(models)} models drawn" if len(models) == _MOST_MODELS else ""
    figure = style.figure("schedules", "Schedules of hyperparameters", (history,), f"one line for each model{few}")
    columns = min(_COLUMNS, len(axes))
    rows = math.ceil(len(axes) / columns)
    for place, axis in enumerate(axes):
        where = {"xaxis": f"x{place + 1 if place else ''}", "yaxis": f"y{place + 1 if place else ''}"}
        figure.add_scatter(
            **_line(axis, ways), mode="lines", line={"color": style.of_series(0), "width": 1.3}, opacity=0.45,
            name="every model", legendgroup="every", showlegend=place == 0,
            hovertemplate="trial %{customdata}: %{y}<extra></extra>", **where,
        )  # fmt: skip
        if way and best is not None:
            figure.add_scatter(
                **_line(axis, [way]), mode="lines", line={"color": style.ink, "width": 3},
                name=f"the best: trial {best.trial_id}, {number(history.experiment.result_of(best)[0])}",
                legendgroup="best", showlegend=place == 0, hovertemplate="trial %{customdata}: %{y}<extra></extra>",
                **where,
            )  # fmt: skip
        _lay_out(figure, axis, place, (rows, columns), history)
    figure.update_layout(height=_PANEL_PX * rows + 130)
    return figure


def _line(axis: Dimension, ways: list[tuple[Part, ...]] | list[tuple[Part, ...] | tuple[()]]) -> dict[str, Any]:
    """Steps of a hyperparameter's value along each way."""
    x, y, ids = [], [], []
    for way in ways:
        places = axis.places([part.trial for part in way])
        values = places if axis.values or not axis.log else 10**places
        x.append(np.array([resource for part in way for resource in (part.begin, part.end)], float))
        y.append(np.repeat(values, 2))
        ids.append(np.repeat(np.array([part.trial.trial_id for part in way]), 2))
    return {"x": small(joined(x, np.nan)), "y": small(joined(y, np.nan)), "customdata": small(joined(ids, -1))}


def _lay_out(figure: Any, axis: Dimension, place: int, grid: tuple[int, int], history: History) -> None:
    row, column = divmod(place, grid[1])
    suffix = str(place + 1) if place else ""
    width, height, gap = 1 / grid[1], 1 / grid[0], 0.28 / grid[0]
    bottom = 1 - (row + 1) * height
    figure.layout[f"xaxis{suffix}"] = {
        "domain": [column * width + (0.06 if column else 0), (column + 1) * width - 0.01], "anchor": f"y{suffix}",
        "title": {"text": plain(history.experiment.unit) if row + 1 == grid[0] else ""}, "rangemode": "tozero",
    }  # fmt: skip
    shape: dict[str, Any] = {}
    if axis.values:
        ticks = axis.ticks()
        shape = {"tickvals": [at for at, _ in ticks], "ticktext": [plain(text, 14) for _, text in ticks]}
    elif axis.log:
        # Explored values may leave the range of the spec.
        shape = log_ticks(axis.low / 3, axis.high * 3)
    figure.layout[f"yaxis{suffix}"] = shape | {
        "domain": [bottom + (gap if grid[0] > 1 else 0), bottom + height - 0.02], "anchor": f"x{suffix}",
        "title": {"text": plain(axis.name, 34)},
    }  # fmt: skip
