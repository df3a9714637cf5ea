"""The time line of workers and slots: who trained what, who was idle, and what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..axes import time_unit
from ..fates import Fate
from ..history import History
from ..leases import FAILED, LOST, Assignment, Lane, lanes
from ..segments import joined, small
from ..style import Style
from ..text import plain

_MOST_LANES = 120
_MOST_BARS, _MOST_SVG_BARS = 24_000, 3_000
_MOST_NUMBERED = 120


def applies(history: History) -> str:
    """Why there is nothing to show; empty where there is something."""
    if any(event.kind == "assigned" for event in history.events):
        return ""
    return f"no worker has had a trial of experiment {history.experiment.experiment_id} yet"


def draw(history: History, style: Style) -> Any:
    """The figure."""
    every = lanes(history)
    rows = every if len(every) <= _MOST_LANES else _busiest(every)
    bars = [(place, each) for place, lane in enumerate(rows) for each in lane.assignments]
    most = _MOST_BARS if style.webgl else _MOST_SVG_BARS
    drawn = bars if len(bars) <= most else sorted(bars, key=lambda bar: bar[1].begin_s - bar[1].end_s)[:most]
    end_s = max([history.elapsed_s, *(each.end_s for _, each in drawn)])
    busy, whole = sum(lane.busy_s for lane in every), end_s * len(every)
    slots = f"{len(every):,} slot{'' if len(every) == 1 else 's'}"
    told = [f"{slots} seen, in use {busy / whole:.0%} of the time" if whole else ""]
    told += [f"{len(rows):,} busiest drawn"] if len(rows) < len(every) else []
    told += [f"{len(drawn):,} longest of {len(bars):,} assignments drawn"] if len(drawn) < len(bars) else []
    figure = style.figure("timeline", "Workers and slots", (history,), ", ".join(told))
    unit, size = time_unit(history.elapsed_s)
    height = _lane_px(len(rows))
    for kind, colour, outcomes in _kinds(style):
        of_kind = [(place, each) for place, each in drawn if outcomes(each)]
        if of_kind:
            figure.add_trace(_bars(of_kind, kind, colour, size, height, len(drawn), style))
    _add_losses(figure, drawn, size, style)
    if len(drawn) <= _MOST_NUMBERED:
        _add_numbers(figure, drawn, size, style)
    _label(figure, rows, end_s, style)
    figure.update_layout(
        xaxis={"title": {"text": f"{unit} since the experiment was created"}, "range": [0, end_s / size * 1.005]},
        height=max(320, height * len(rows) + 210),
    )
    return figure


def _busiest(every: Sequence[Lane]) -> list[Lane]:
    chosen = sorted(every, key=lambda lane: -lane.busy_s)[:_MOST_LANES]
    return sorted(chosen, key=lambda lane: (lane.worker, lane.slot))


def _lane_px(rows: int) -> int:
    return 34 if rows <= 12 else 22 if rows <= 40 else 13


def _kinds(style: Style) -> list[tuple[str, str, Any]]:
    """What bars there are: their name, their colour, and which assignments are of the kind."""
    return [
        ("trained", style.of_fate(Fate.FULL), lambda each: each.outcome and each.outcome not in LOST | FAILED),
        ("trains now", style.of_fate(Fate.RUNNING), lambda each: not each.outcome),
        ("training failed", style.of_fate(Fate.FAILED), lambda each: each.outcome in FAILED),
        ("lost with its worker or machine", style.of_fate(Fate.WAITING), lambda each: each.outcome in LOST),
    ]


def _bars(
    of_kind: list[tuple[int, Assignment]], kind: str, colour: str, size: float, height: int, drawn: int, style: Style
) -> Any:
    # Lines with a point in their middle, which can be pointed at.
    part = np.array([0.0, 0.5, 1.0])
    x = [(each.begin_s + part * (each.end_s - each.begin_s)) / size for _, each in of_kind]
    y = [np.full(3, place) for place, _ in of_kind]
    ids = [np.full(3, each.trial_id) for _, each in of_kind]
    extra: dict[str, Any] = {"hovertemplate": f"trial %{{customdata}}: {kind}<extra></extra>"}
    if drawn <= _MOST_NUMBERED * 10:
        told = [_text(each) for _, each in of_kind]
        extra = {"text": [text for each in told for text in (each, each, each, "")][:-1],
                 "hovertemplate": "%{text}<extra></extra>"}  # fmt: skip
    return style.scatter(3 * drawn)(
        x=small(joined(x, np.nan)), y=small(joined([row.astype(np.float64) for row in y], np.nan)),
        customdata=small(joined(ids, -1)), name=kind, mode="lines", opacity=0.9,
        line={"color": colour, "width": height * 0.62}, **extra,
    )  # fmt: skip


def _text(each: Assignment) -> str:
    how = each.outcome.replace("_", " ") or "trains now"
    return f"trial {each.trial_id} to {each.target:,}: {plain(how)}<br>{plain(each.worker, 40)}"


def _add_losses(figure: Any, drawn: list[tuple[int, Assignment]], size: float, style: Style) -> None:
    """A cross where an assignment ended badly, so that it is seen in a bar of any length."""
    bad = [(place, each) for place, each in drawn if each.outcome in LOST | FAILED]
    if bad:
        figure.add_trace(
            style.scatter(len(bad))(
                x=small(np.array([each.end_s / size for _, each in bad])), y=small(np.array([row for row, _ in bad])),
                customdata=small(np.array([each.trial_id for _, each in bad])), mode="markers", showlegend=False,
                marker={"symbol": "x", "size": 8, "color": style.ink}, name="ended badly",
                text=[_text(each) for _, each in bad], hovertemplate="%{text}<extra></extra>",
            )
        )  # fmt: skip


def _add_numbers(figure: Any, drawn: list[tuple[int, Assignment]], size: float, style: Style) -> None:
    """The trials' numbers in the bars that have room for them."""
    longest = max(each.end_s for _, each in drawn)
    wide = [(place, each) for place, each in drawn if each.end_s - each.begin_s > longest * 0.025]
    figure.add_scatter(
        x=[(each.begin_s + each.end_s) / 2 / size for _, each in wide], y=[place for place, _ in wide], mode="text",
        text=[str(each.trial_id) for _, each in wide], textfont={"size": 11, "color": style.paper}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip


def _label(figure: Any, rows: Sequence[Lane], end_s: float, style: Style) -> None:
    """Each lane's worker, once for all its slots, and at its end how much of the time it trained."""
    several = {lane.worker for lane in rows if lane.slot > 0}
    texts = [plain(lane.worker, 28) + (f" · {lane.slot}" if lane.worker in several else "") for lane in rows]
    figure.update_layout(
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": texts,
            "range": [len(rows) - 0.4, -0.6],
            "showgrid": False,
        }
    )
    if len(rows) <= 40 and end_s:
        for place, lane in enumerate(rows):
            figure.add_annotation(
                x=1, xref="paper", y=place, text=f"{lane.busy_s / end_s:.0%} busy", showarrow=False,
                xanchor="left", xshift=8, font={"size": 12, "color": style.quiet},
            )  # fmt: skip
        figure.update_layout(margin_r=92)
