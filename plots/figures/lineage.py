"""Population based training: the members of the population, and who went on from whose checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..axes import extent, resource_axis
from ..history import History
from ..lineages import ancestry, members
from ..segments import joined, small
from ..style import Style
from ..text import lines, number, plain, settings

_MOST_TOLD = 1500
_MOST_NUMBERED = 120
_PARTS = 5


def applies(history: History) -> str:
    """Why there is nothing to show; empty where there is something."""
    if history.is_lineage:
        return ""
    return f"no trial of experiment {history.experiment.experiment_id} went on from another's checkpoint (as with pbt)"


def draw(history: History, style: Style) -> Any:
    """The figure."""
    place = members(history)
    told = f"each row is a member; colour: {plain(history.metric)} at its end, {_brighter(style)} is better"
    figure = style.figure("lineage", "Lineage of the population", (history,), told)
    begun = [trial for trial in history.trials if trial.resource > trial.start_resource or trial.parent is not None]
    furthest = max((trial.resource for trial in history.trials), default=1)
    _add_links(figure, begun, place, 0.02 * furthest, style)
    _add_best(figure, history, place, style)
    _add_trials(figure, history, begun, place, style)
    rows = len(set(place.values()))
    figure.update_layout(
        xaxis=resource_axis(history, style, furthest) | {"showgrid": False},
        yaxis={
            "title": {"text": "member"},
            "range": [rows - 0.4, -0.6],
            "showgrid": False,
            "dtick": max(1, rows // 20),
        },
        height=max(380, min(1600, 30 * rows + 210)),
    )
    return figure


def _brighter(style: Style) -> str:
    return "darker" if style.theme == "light" else "brighter"


def _colours(style: Style) -> list[str]:
    light = ["#C9D6E4", "#93B8DA", "#4D97CC", "#0072B2", "#00406B"]
    dark = ["#33475C", "#3A6C92", "#479AC9", "#7CCBF2", "#F0E442"]
    return light if style.theme == "light" else dark


def _add_trials(figure: Any, history: History, begun: list[Any], place: dict[int, int], style: Style) -> None:
    """A line for each trial, in five colours by its last result, and its end as a mark."""
    last = {}
    for trial in begun:
        curve = history.curves.get(trial.trial_id)
        last[trial.trial_id] = float(curve.value[-1]) if curve is not None and len(curve) else np.nan
    shown = extent(np.array(list(last.values())), history.sign)
    parts: dict[int, list[Any]] = {}
    for trial in begun:
        parts.setdefault(_part(last[trial.trial_id], shown, history.sign), []).append(trial)
    for part, trials in sorted(parts.items()):
        ends = [np.array([trial.start_resource, max(trial.resource, trial.start_resource)]) for trial in trials]
        rows = [np.full(2, place[trial.trial_id], float) for trial in trials]
        figure.add_scatter(
            x=small(joined([each.astype(float) for each in ends], np.nan)), y=small(joined(rows, np.nan)), mode="lines",
            line={"color": _colours(style)[part], "width": 7}, showlegend=False, hoverinfo="skip",
        )  # fmt: skip
    if len(begun) <= _MOST_NUMBERED:
        _add_numbers(figure, begun, place, style)
    told = len(begun) <= _MOST_TOLD
    texts = {"text": [_text(history, trial, last[trial.trial_id]) for trial in begun]} if told else {}
    figure.add_trace(
        style.scatter(len(begun))(
            x=small(np.array([max(trial.resource, trial.start_resource) for trial in begun])),
            y=small(np.array([place[trial.trial_id] for trial in begun])),
            customdata=small(np.array([trial.trial_id for trial in begun])), mode="markers", showlegend=False,
            name="trials", marker={"size": 9, "color": style.paper, "line": {"width": 1.6, "color": style.ink}},
            hovertemplate=("%{text}" if told else "trial %{customdata}") + "<extra></extra>", **texts,
        )
    )  # fmt: skip


def _add_numbers(figure: Any, begun: list[Any], place: dict[int, int], style: Style) -> None:
    longest = [trial for trial in begun if trial.resource > trial.start_resource]
    figure.add_scatter(
        x=[(trial.start_resource + trial.resource) / 2 for trial in longest],
        y=[place[trial.trial_id] - 0.34 for trial in longest], text=[str(trial.trial_id) for trial in longest],
        mode="text", textfont={"size": 11, "color": style.quiet}, showlegend=False, hoverinfo="skip",
    )  # fmt: skip


def _part(value: float, shown: Any, sign: int) -> int:
    if not np.isfinite(value):
        return 0
    low, high = shown.range
    at = np.log10(max(value, 1e-300)) if shown.log else value
    better = (high - at) / (high - low) if sign > 0 else (at - low) / (high - low)
    return int(min(_PARTS - 1, max(0.0, better * _PARTS)))


def _text(history: History, trial: Any, value: float) -> str:
    unit = plain(history.experiment.unit, 20)
    origin = "" if trial.parent is None else f"went on from trial {trial.parent} at {trial.start_resource:,} {unit}"
    return lines(
        (
            f"<b>trial {trial.trial_id}</b>: {number(value)} at {trial.resource:,} {unit}",
            origin,
            settings(trial.hparams),
        )
    )


def _add_links(figure: Any, begun: list[Any], place: dict[int, int], before: float, style: Style) -> None:
    """From a parent's member to the one that went on from its checkpoint."""
    linked = [trial for trial in begun if trial.parent in place and place[trial.parent] != place[trial.trial_id]]
    x = [np.array([trial.start_resource - before, trial.start_resource], float) for trial in linked]
    y = [np.array([place[trial.parent], place[trial.trial_id]], float) for trial in linked]
    figure.add_scatter(
        x=small(joined(x, np.nan)), y=small(joined(y, np.nan)), mode="lines", name="went on from its checkpoint",
        line={"color": style.of_series(1), "width": 1.6}, hoverinfo="skip",
    )  # fmt: skip


def _add_best(figure: Any, history: History, place: dict[int, int], style: Style) -> None:
    """The way of the best model through the population."""
    best = history.experiment.best_trial
    if best is None or best.trial_id not in history.by_id:
        return
    way = ancestry(history, history.by_id[best.trial_id])
    x = [resource for part in way for resource in (part.begin, part.end)]
    y = [place[part.trial.trial_id] for part in way for _ in range(2)]
    value = number(history.experiment.result_of(best)[0])
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": style.ink, "width": 13}, hoverinfo="skip",
        name=f"the way of the best: trial {best.trial_id}, {value}",
    )  # fmt: skip
