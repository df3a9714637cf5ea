"""An experiment as a piece of HTML for a notebook. A pure function; all that users wrote is escaped."""

from __future__ import annotations

from datetime import datetime
from html import escape

from ...shared.text.visible import visible
from ...shared.wire.model import Experiment, TrialState
from ..cli import text

_COLOURS = {
    "active": "#007A59",
    "paused": "#9A6500",
    "completed": "#0072B2",
    "cancelled": "#646A73",
    "failed": "#B34700",
}
_CELL = "padding:2px 10px;text-align:right"
_QUIET = "opacity:.7"


def experiment_html(experiment: Experiment, now: datetime) -> str:
    """Where an experiment stands: its state, progress, rungs, and the best trial with its hyperparameters."""
    parts = [_heading(experiment, now), _progress(experiment), _best(experiment), _rungs(experiment)]
    body = "".join(part for part in parts if part)
    return f'<div style="font-family:system-ui,sans-serif;line-height:1.5;max-width:60em">{body}</div>'


def _shown(words: str) -> str:
    return escape(visible(words))


def _heading(experiment: Experiment, now: datetime) -> str:
    colour = _COLOURS.get(experiment.state.value, "#8A8F98")
    badge = f"background:{colour};color:#fff;border-radius:4px;padding:1px 8px"
    state = f'<span style="{badge}">{experiment.state.value}</span>'
    took = text.duration(text.elapsed(experiment, now))
    reason = f' <span style="{_QUIET}">{_shown(experiment.state_reason)}</span>' if experiment.state_reason else ""
    name = f"<b>{_shown(experiment.name)}</b> (experiment {experiment.experiment_id})"
    return f'<div style="font-size:1.1em">{name} {state} {took}{reason}</div>'


def _progress(experiment: Experiment) -> str:
    ended = sum(count for state, count in experiment.trial_counts.items() if state.ended or state is TrialState.PAUSED)
    part = min(1.0, ended / experiment.planned_trials) if experiment.planned_trials else 0.0
    shape = "height:8px;border-radius:4px"
    bar = (
        f'<div role="progressbar" aria-valuenow="{100 * part:.0f}" style="background:rgba(128,128,128,.25);'
        f'margin:6px 0;{shape}">'
        f'<div style="background:#0072B2;width:{part:.1%};{shape}"></div></div>'
    )
    told = f"{text.counts(experiment)}; {text.trained(experiment)}"
    return f'{bar}<div style="{_QUIET}">{_shown(told)}</div>'


def _best(experiment: Experiment) -> str:
    trial = experiment.best_trial
    if trial is None:
        return f'<div style="margin-top:6px">no {_shown(experiment.metric)} yet</div>'
    value, resource = experiment.result_of(trial)
    told = f"best {experiment.metric}: {text.number(value)}"
    where = f"trial {trial.trial_id} at {resource:,} {experiment.unit}"
    rows = "".join(_row(name, text.exactly(setting)) for name, setting in trial.hparams.items())
    return (
        f'<div style="margin-top:6px"><b>{_shown(told)}</b> <span style="{_QUIET}">{_shown(where)}</span>'
        f'<table style="margin:2px 0;color:inherit">{rows}</table></div>'
    )


def _row(name: str, setting: str) -> str:
    cells = f'<td style="{_CELL};{_QUIET}">{_shown(name)}</td><td style="{_CELL}">{_shown(setting)}</td>'
    return f"<tr>{cells}</tr>"


def _rungs(experiment: Experiment) -> str:
    header = ("bracket", "rung", experiment.unit, "entered", "promoted", "failed", f"best {experiment.metric}")
    head = "".join(f'<th style="{_CELL}">{_shown(name)}</th>' for name in header)
    rows = [
        (bracket.bracket_id, rung.rung_id, rung.resource, rung.entered, rung.promoted, rung.failed, rung.best_metric)
        for bracket in experiment.brackets
        for rung in bracket.rungs
    ]
    if not rows:
        return ""
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{_number(value)}</td>' for value in row) + "</tr>" for row in rows
    )
    table = f'<table style="color:inherit"><tr>{head}</tr>{body}</table>'
    return f"<details><summary>rungs</summary>{table}</details>"


def _number(value: float | None) -> str:
    return f"{value:,}" if isinstance(value, int) else text.number(value)
