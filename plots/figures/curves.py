"""Learning curves, coloured by what became of each trial, with the rungs marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..axes import Extent, extent, resource_axis, value_axis
from ..fates import Fate, fates
from ..history import Curve, History
from ..segments import MOST_POINTS, MOST_SVG_LINES, MOST_SVG_POINTS, joined, longest_line, places, small
from ..style import SYMBOLS, Style
from ..text import number, plain

_MOST_END_MARKS = 400
_ORDER = tuple(Fate)


def applies(history: History) -> str:
    """Why there is nothing to show; empty where there is something."""
    if any(len(curve) for curve in history.curves.values()):
        return ""
    return f"experiment {history.experiment.experiment_id} has no report of {history.metric} yet"


def draw(history: History, style: Style) -> Any:
    """The figure."""
    what = fates(history)
    drawn = _chosen(history, style)
    shown = extent(np.concatenate([curve.value for curve in drawn.values()]), history.sign)
    told = f"{len(drawn):,} of {len(history.curves):,} trials drawn" if len(drawn) < len(history.curves) else ""
    figure = style.figure("curves", "Learning curves", (history,), told)
    points = MOST_POINTS if style.webgl else MOST_SVG_POINTS
    most = longest_line([len(curve) for curve in drawn.values()], points)
    for kind in _ORDER:
        of_kind = {trial_id: curve for trial_id, curve in drawn.items() if what.get(trial_id) is kind}
        if of_kind:
            figure.add_trace(_lines(kind, of_kind, most, len(drawn), style))
            if kind is Fate.FAILED or len(drawn) <= _MOST_END_MARKS:
                figure.add_trace(_ends(kind, of_kind, shown, history, style))
    _add_best(figure, history, drawn, style)
    furthest = max(int(curve.resource[-1]) for curve in drawn.values())
    figure.update_layout(xaxis=resource_axis(history, style, furthest), yaxis=value_axis(history, shown))
    return figure


def _chosen(history: History, style: Style) -> Mapping[int, Curve]:
    """All curves, or where SVG would have too many the best ones and, evenly spaced, of the others."""
    known = {trial_id: curve for trial_id, curve in history.curves.items() if len(curve) and trial_id in history.by_id}
    if style.webgl or len(known) <= MOST_SVG_LINES:
        return known
    best = sorted(known, key=lambda trial_id: _rank(history, trial_id))[: MOST_SVG_LINES // 3]
    others = sorted(known.keys() - set(best))
    chosen = {*best, *(others[place] for place in places(len(others), MOST_SVG_LINES - len(best)))}
    return {trial_id: known[trial_id] for trial_id in sorted(chosen)}


def _rank(history: History, trial_id: int) -> float:
    best = history.by_id[trial_id].best_metric
    return np.inf if best is None else history.sign * best


def _lines(kind: Fate, curves: Mapping[int, Curve], most: int, drawn: int, style: Style) -> Any:
    resource, value, ids = [], [], []
    for trial_id, curve in curves.items():
        kept = places(len(curve), most)
        resource.append(curve.resource[kept])
        value.append(np.where(np.isfinite(curve.value[kept]), curve.value[kept], np.nan))
        ids.append(np.full(len(kept), trial_id))
    many = drawn > _MOST_END_MARKS
    return style.scatter(sum(map(len, ids)))(
        x=small(joined(resource, 0)),
        y=small(joined(value, np.nan)),
        customdata=small(joined(ids, -1)),
        name=f"{kind} ({len(curves):,})",
        legendgroup=kind.value,
        mode="lines",
        line={"color": style.of_fate(kind), "width": 1 if many else 1.4},
        opacity=_opacity(kind, drawn),
        hovertemplate=f"trial %{{customdata}}, {kind}<br>%{{x}}: %{{y:.5g}}<extra></extra>",
    )


def _opacity(kind: Fate, drawn: int) -> float:
    if kind in (Fate.STOPPED, Fate.WAITING, Fate.GONE, Fate.FAILED):
        return 0.75 if drawn <= 100 else 0.5 if drawn <= 1000 else 0.3
    return 0.95


def _ends(kind: Fate, curves: Mapping[int, Curve], shown: Extent, history: History, style: Style) -> Any:
    """A mark at each trial's last result; what is no number stands at the worst edge."""
    last = np.array([curve.value[-1] for curve in curves.values()])
    x = np.array([curve.resource[-1] for curve in curves.values()])
    y = np.where(np.isfinite(last), shown.clipped(last), shown.worst(history.sign))
    return style.scatter(len(curves))(
        x=small(x),
        y=small(y),
        customdata=small(np.array(list(curves))),
        text=[_end_text(history, trial_id, value) for trial_id, value in zip(curves, last, strict=True)],
        name=kind.value,
        legendgroup=kind.value,
        showlegend=False,
        mode="markers",
        marker={"symbol": SYMBOLS[kind], "size": 8 if kind in (Fate.FULL, Fate.FAILED) else 5,
                "color": style.of_fate(kind)},
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _end_text(history: History, trial_id: int, value: float) -> str:
    trial = history.by_id[trial_id]
    reason = plain(trial.state_reason, 80)
    return f"trial {trial_id}: {number(float(value))} at {trial.resource:,}<br>{trial.state}" + (
        f": {reason}" if reason else ""
    )


def _add_best(figure: Any, history: History, drawn: Mapping[int, Curve], style: Style) -> None:
    """The best trial in ink on top, with its number and result beside it."""
    best = history.experiment.best_trial
    curve = drawn.get(best.trial_id) if best is not None else None
    if best is None or curve is None:
        return
    result, resource = history.experiment.result_of(best)
    value = result if history.is_searched else curve.value_at(resource)
    common: dict[str, Sequence[Any] | Any] = {"showlegend": False, "hoverinfo": "skip", "cliponaxis": False}
    kept = places(len(curve), 500)
    figure.add_scatter(
        x=small(curve.resource[kept]), y=small(curve.value[kept]), mode="lines",
        line={"color": style.ink, "width": 2.6}, **common,
    )  # fmt: skip
    if value is not None:
        figure.add_scatter(
            x=[resource], y=[value], mode="markers+text", text=[f"<b>best: trial {best.trial_id}, {number(value)}</b>"],
            textposition="bottom left" if history.sign > 0 else "top left", textfont={"color": style.ink, "size": 14},
            marker={"color": style.ink, "size": 9, "symbol": "circle-open", "line": {"width": 2}}, **common,
        )  # fmt: skip
