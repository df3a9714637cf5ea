"""How much each hyperparameter matters for the result, with how sure that is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..forest import Importance, importances
from ..history import History
from ..results import results
from ..space import dimensions
from ..style import Style
from ..text import plain

FEWEST = 20
_WEAK = 0.2
_ROW_PX = 44


def applies(history: History) -> str:
    """Why there is nothing to show; empty where there is something."""
    experiment = history.experiment.experiment_id
    if len(dimensions(history)) < 2:
        return f"fewer than two hyperparameters of experiment {experiment} vary, so there is nothing to compare"
    found = results(history)
    number = 0 if found is None else int(np.isfinite(found.values).sum())
    if number < FEWEST:
        return f"importance needs {FEWEST} results at one rung; experiment {experiment} has {number}"
    return ""


def draw(history: History, style: Style) -> Any:
    """The figure. Raises MissingExtra where scikit-learn is not installed."""
    found = results(history)
    assert found is not None, "applies has looked"
    explained, rows = importances(found, dimensions(history), history.sign)
    rows = sorted(rows, key=lambda row: row.mean)
    doubt = "; too little to rely on" if explained < _WEAK else ""
    told = f"{found.told(history)}; a random forest explains {max(0.0, explained):.0%} of their order{doubt}"
    figure = style.figure("importance", "Importance of hyperparameters", (history,), told)
    labels = [_label(row) for row in rows]
    figure.add_bar(
        x=[max(0.0, row.mean) for row in rows], y=labels, orientation="h", name="importance", width=0.62,
        marker={"color": style.of_series(0), "opacity": 0.35 if explained < _WEAK else 0.9},
        error_x={"array": [row.std for row in rows], "color": style.ink, "thickness": 1.6, "width": 5},
        text=[f"{max(0.0, row.mean):.2f} ± {row.std:.2f}" for row in rows], hoverinfo="skip", textposition="none",
        showlegend=False,
    )  # fmt: skip
    for row, label in zip(rows, labels, strict=True):
        figure.add_annotation(
            x=max(0.0, row.mean) + row.std, y=label, text=f"{max(0.0, row.mean):.2f} ± {row.std:.2f}", showarrow=False,
            xanchor="left", xshift=10, font={"size": 13, "color": style.ink},
        )  # fmt: skip
    end = max(row.mean + row.std for row in rows)
    figure.update_layout(
        xaxis={
            "title": {"text": "loss of explained order (R²) when its values are shuffled"},
            "range": [0, end * 1.25 + 0.02],
        },
        yaxis={"showgrid": False, "ticks": "", "automargin": True},
        height=max(360, _ROW_PX * len(rows) + 190),
    )
    return figure


def _label(row: Importance) -> str:
    when = f"<br><sup>when {plain(row.when, 40)}</sup>" if row.when else ""
    return f"{plain(row.name, 36)}{when}"
