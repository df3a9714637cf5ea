"""The rung picture: brackets side by side, their rungs as steps, and each trial a mark that climbs.

On a step the trials stand in order of their results there, best first; those that went on have left a gap. A trial that
trains is on its way up from the step that it left. Marks have stable ids, so that a page can move them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...shared.wire.model import Bracket, TrialInfo
from ..fates import Fate, fates
from ..history import History
from ..segments import small
from ..style import SYMBOLS, Style
from ..text import lines, number, plain, settings

#: So many marks move; more are drawn by WebGL, which does not move them.
MOST_MOVING = 2000
_MOST_SVG_MARKS = 4000
_MOST_TOLD = 1500
_WIDTH, _GAP = 1.0, 0.22
_ON_STEP, _ROOM = 0.1, 0.62
_MOST_TEXTS = 40
_LEAST_ROOM = 12
#: In pixels.
_LEAST_HEIGHT, _MOST_HEIGHT = 400, 720
#: How wide a figure may be expected to be, and how high what stands on a step, in pixels.
_PIXELS, _STEP_PIXELS = 960.0, 64.0
#: A step has room for so many rows, however few there are.
_LEAST_ROWS = 4
_MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class _Mark:
    trial: TrialInfo
    fate: Fate
    x: float
    y: float
    size: float


def applies(history: History) -> str:
    """Why there is nothing to show; empty where there is something."""
    if history.trials and any(bracket.rungs for bracket in history.experiment.brackets):
        return ""
    return f"experiment {history.experiment.experiment_id} has no trial at a rung yet"


def draw(history: History, style: Style) -> Any:
    """The figure."""
    brackets = [bracket for bracket in history.experiment.brackets if bracket.rungs]
    marks = [mark for place, bracket in enumerate(brackets) for mark in _marks(history, bracket, place, len(brackets))]
    waiting = sum(trial.resource == 0 and not trial.state.ended for trial in history.trials)
    told = [f"{waiting:,} trial{' has' if waiting == 1 else 's have'} reported nothing yet"] if waiting else []
    if not style.webgl and len(marks) > _MOST_SVG_MARKS:
        told.append(f"{_MOST_SVG_MARKS:,} of {len(marks):,} trials drawn")
        marks = _fewer(marks)
    figure = style.figure("rungs", "Rungs", (history,), ", ".join(told))
    figure.add_trace(_trace(history, marks, style))
    _add_legend(figure, marks, style)
    for place, bracket in enumerate(brackets):
        _add_steps(figure, bracket, place, len(brackets), history, style)
    _add_best(figure, history, marks, style)
    top = max(len(bracket.rungs) for bracket in brackets)
    hidden: dict[str, Any] = {"showgrid": False, "showticklabels": False, "ticks": "", "fixedrange": False}
    right = len(brackets) * (_WIDTH + _GAP)
    figure.update_layout(
        height=max(_LEAST_HEIGHT, min(_MOST_HEIGHT, 120 + 95 * (top + 1))),
        xaxis=hidden | {"range": [-0.16, right - _GAP + 0.04]},
        yaxis=hidden | {"range": [-1.0, top - 0.05]},
    )
    return figure


def _marks(history: History, bracket: Bracket, place: int, brackets: int) -> list[_Mark]:
    what = fates(history)
    trials = [trial for trial in history.trials if trial.bracket_id == bracket.bracket_id]
    begun = [trial for trial in trials if trial.resource > trial.start_resource or what[trial.trial_id] is Fate.FAILED]
    stands = {trial.trial_id: _stands(history, trial, bracket) for trial in begun}
    columns, rows, size = _grid(_room_for(bracket, len(begun)), brackets)
    left = place * (_WIDTH + _GAP)
    found = []
    for step in range(-1, len(bracket.rungs)):
        here = [trial for trial in begun if stands[trial.trial_id] >= step]
        here.sort(key=lambda trial: _rank(history, trial, bracket.rungs[max(step, 0)].resource))
        for order, trial in enumerate(here):
            if stands[trial.trial_id] != step:
                continue
            column, row = divmod(order, rows)
            x, y = left + _WIDTH * (column + 0.5) / columns, _height(step, (row + 0.5) / max(rows, _LEAST_ROWS))
            fate = what[trial.trial_id]
            if fate is Fate.RUNNING:
                # Above those that wait on the step.
                y = max(y, _height(step, rows / max(rows, _LEAST_ROWS))) if step >= 0 else y
                y += _progress(trial, bracket, step) * (step + 1 - y)
            found.append(_Mark(trial, fate, x, y, size))
    return found


def _room_for(bracket: Bracket, begun: int = 0) -> int:
    """For how many trials a step has room: more than there are, so that a new one does not move all the others."""
    made = max(1, bracket.trials_created, begun)
    return max(made, min(bracket.max_trials, max(_LEAST_ROOM, 1 << (made - 1).bit_length())))


class _Grid(NamedTuple):
    """The marks on a step of a bracket, the same on all its steps: columns, rows, and the size of a mark in pixels."""

    columns: int
    rows: int
    size: float


def _grid(most: int, brackets: int) -> _Grid:
    """As few rows as have room for so many marks beside each other."""
    wide, rows = _PIXELS / brackets / (_WIDTH + _GAP), 1
    while rows < _MOST_ROWS and -(-most // rows) * _STEP_PIXELS / max(rows, _LEAST_ROWS) > wide:
        rows += 1
    columns = -(-most // rows)
    return _Grid(columns, rows, max(3.0, 0.85 * min(_STEP_PIXELS / max(rows, _LEAST_ROWS), wide / columns)))


def _height(step: int, part: float) -> float:
    """Where a mark stands on a step, or below the first; `part` of the room above it."""
    return step + _ON_STEP + _ROOM * part if step >= 0 else -0.6 + 0.4 * part


def _stands(history: History, trial: TrialInfo, bracket: Bracket) -> int:
    """The highest step that a trial has reached; -1 for none yet."""
    curve = history.curves.get(trial.trial_id)
    resource = int(curve.resource[-1]) if curve is not None and len(curve) else 0
    resource = max(resource, trial.metric_resource)
    return sum(rung.resource <= resource for rung in bracket.rungs) - 1


def _progress(trial: TrialInfo, bracket: Bracket, step: int) -> float:
    """How much of the way to the next step a trial has trained."""
    before = bracket.rungs[step].resource if step >= 0 else 0
    after = bracket.rungs[step + 1].resource if step + 1 < len(bracket.rungs) else before + 1
    return min(0.9, max(0.25, (trial.resource - before) / max(1, after - before)))


def _rank(history: History, trial: TrialInfo, resource: int) -> tuple[float, int]:
    curve = history.curves.get(trial.trial_id)
    value = curve.value_at(resource) if curve is not None else None
    if value is None and trial.metric is not None:
        value = trial.metric
    return (np.inf if value is None or not np.isfinite(value) else history.sign * value), trial.trial_id


def _fewer(marks: list[_Mark]) -> list[_Mark]:
    """The highest ones, and of the others every so many."""
    order = sorted(marks, key=lambda mark: (-mark.y, mark.trial.trial_id))
    high, low = order[: _MOST_SVG_MARKS // 2], order[_MOST_SVG_MARKS // 2 :]
    spaced = np.linspace(0, len(low) - 1, _MOST_SVG_MARKS - len(high)).astype(int)
    return high + [low[place] for place in spaced]


def _trace(history: History, marks: list[_Mark], style: Style) -> Any:
    kinds = list(Fate)
    told = len(marks) <= _MOST_TOLD
    extra: dict[str, Any] = (
        {"ids": [f"trial {mark.trial.trial_id}" for mark in marks]} if len(marks) <= MOST_MOVING else {}
    )
    if told:
        extra["text"] = [_text(history, mark) for mark in marks]
    colours = [[place / (len(kinds) - 1), style.of_fate(kind)] for place, kind in enumerate(kinds)]
    return style.scatter(len(marks), MOST_MOVING)(
        x=small(np.array([mark.x for mark in marks])),
        y=small(np.array([mark.y for mark in marks])),
        customdata=small(np.array([mark.trial.trial_id for mark in marks])),
        name="trials", mode="markers", showlegend=False,
        marker={
            "size": small(np.array([mark.size for mark in marks])), "opacity": 1, "colorscale": colours,
            "cmin": 0, "cmax": len(kinds) - 1,
            "color": small(np.array([kinds.index(mark.fate) for mark in marks])),
            "symbol": [SYMBOLS[mark.fate] for mark in marks] if told else "circle",
            "line": {"width": 0.6 if told else 0, "color": style.paper},
        },
        hovertemplate=("%{text}" if told else "trial %{customdata}") + "<extra></extra>", **extra,
    )  # fmt: skip


def _text(history: History, mark: _Mark) -> str:
    trial, unit = mark.trial, plain(history.experiment.unit)
    value, resource = history.experiment.result_of(trial)
    result = f"{number(value)} at {resource:,} {unit}" if value is not None else "no result"
    return lines(
        (
            f"<b>trial {trial.trial_id}</b>, {mark.fate}",
            f"{plain(history.experiment.metric, 30)}: {result}",
            plain(trial.state_reason, 90),
            settings(trial.hparams),
        )
    )


def _add_legend(figure: Any, marks: list[_Mark], style: Style) -> None:
    for kind in Fate:
        count = sum(mark.fate is kind for mark in marks)
        if count:
            figure.add_scatter(
                x=[None], y=[None], mode="markers", name=f"{kind} ({count:,})",
                marker={"color": style.of_fate(kind), "symbol": SYMBOLS[kind], "size": 10},
            )  # fmt: skip


def _add_steps(figure: Any, bracket: Bracket, place: int, brackets: int, history: History, style: Style) -> None:
    left, unit = place * (_WIDTH + _GAP), plain(history.experiment.unit, 12)
    small_text = {"size": 12 if brackets <= 3 else 10, "color": style.quiet}
    for step, rung in enumerate(bracket.rungs):
        figure.add_shape(
            type="rect", x0=left, x1=left + _WIDTH, y0=step - 0.02, y1=step + _ON_STEP - 0.05, layer="below",
            line={"width": 0}, fillcolor=style.grid,
        )  # fmt: skip
        figure.add_annotation(
            x=left, y=step + 0.02, text=f"<b>{rung.resource:,}</b>", showarrow=False,
            xanchor="right", yanchor="middle", xshift=-4, font=small_text,
        )  # fmt: skip
        went = f"{rung.entered:,} came, {rung.promoted:,} went on" if step + 1 < len(bracket.rungs) else (
            f"{rung.entered:,} came")  # fmt: skip
        if rung.entered and len(bracket.rungs) * brackets <= _MOST_TEXTS:
            figure.add_annotation(
                x=left + _WIDTH, y=step - 0.03, text=went, showarrow=False, xanchor="right", yanchor="top",
                font=small_text,
            )  # fmt: skip
        _add_way(figure, bracket, step, left, brackets, style)
    figure.add_annotation(
        x=left, y=len(bracket.rungs) - 0.75, text=unit, showarrow=False, xanchor="right", xshift=-4, font=small_text
    )
    named = f"bracket {bracket.bracket_id}: " if brackets > 1 else ""
    figure.add_annotation(
        x=left + _WIDTH / 2, y=-0.82, text=f"{named}{bracket.trials_created:,} of {bracket.max_trials:,} trials",
        showarrow=False, yanchor="middle", font={"size": 13, "color": style.ink},
    )  # fmt: skip


def _add_way(figure: Any, bracket: Bracket, step: int, left: float, brackets: int, style: Style) -> None:
    """A band from where the promoted ones stood on a step up to the next."""
    columns, rows, _ = _grid(_room_for(bracket), brackets)
    promoted = bracket.rungs[step].promoted
    if step + 1 < len(bracket.rungs) and promoted:
        width = _WIDTH * min(1.0, -(-promoted // rows) / columns)
        figure.add_shape(
            type="rect", x0=left, x1=left + width, y0=step + _ON_STEP - 0.05, y1=step + 0.98, layer="below",
            line={"width": 0}, fillcolor=style.band,
        )  # fmt: skip


def _add_best(figure: Any, history: History, marks: list[_Mark], style: Style) -> None:
    best = history.experiment.best_trial
    for mark in marks:
        if best is not None and mark.trial.trial_id == best.trial_id:
            value = number(history.experiment.result_of(best)[0])
            figure.add_annotation(
                x=mark.x, y=mark.y, text=f"<b>best: trial {best.trial_id}, {value}</b>", showarrow=True, arrowwidth=1.5,
                arrowhead=0, arrowcolor=style.ink, ax=46, ay=-30, xanchor="left", font={"size": 14, "color": style.ink},
                bgcolor=style.paper, standoff=mark.size / 2 + 1,
            )  # fmt: skip
