"""Figures: what they show, how large they are, and that text stays text."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rungmaster import plots
from rungmaster.plots.history import History
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire.model import TrialState

from .plot_history import large, search

HOSTILE = "<img src=x onerror=alert(1)>%{x}$a$&amp;\u202e"
MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def history() -> History:
    return search()


@pytest.fixture(scope="module")
def many() -> History:
    return large()


def trace(figure: Any, name: str) -> Any:
    (found,) = [each for each in figure.data if each.name and each.name.startswith(name)]
    return found


def drawn(figure: Any) -> str:
    return json.dumps(figure.to_plotly_json(), default=list)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", plots.KINDS)
def test_every_figure_of_ten_thousand_trials_with_a_hundred_reports_each_stays_below_two_megabytes(
    many: History, kind: str, theme: Any
) -> None:
    if plots.KINDS[kind].applies(many):
        pytest.skip("not of this searcher")
    assert len(plots.draw(kind, many, theme=theme).to_json()) < MOST_BYTES


@pytest.mark.parametrize("kind", plots.KINDS)
def test_what_users_wrote_is_shown_as_text(kind: str) -> None:
    named = hostile(search(40))
    if plots.KINDS[kind].applies(named):
        pytest.skip("not of this searcher")
    text = drawn(plots.draw(kind, named))
    assert "<img" not in text
    assert "%{x}$" not in text
    assert "\u202e" not in text


def hostile(history: History) -> History:
    experiment = history.experiment
    space = {HOSTILE: experiment.spec["hyperparameters"]["learning_rate"]}
    space[f"{HOSTILE}!"] = {"type": "categorical", "choices": [HOSTILE, "plain"]}
    trials = tuple(
        replace(
            trial,
            hparams={HOSTILE: trial.hparams["learning_rate"], f"{HOSTILE}!": (HOSTILE, "plain")[trial.trial_id % 2]},
            state_reason=HOSTILE,
        )
        for trial in history.trials
    )
    best = next(trial for trial in trials if experiment.best_trial and trial.trial_id == experiment.best_trial.trial_id)
    events = tuple(replace(event, data={**event.data, "worker": HOSTILE}) for event in history.events)
    spec = {**experiment.spec, "hyperparameters": space}
    changed = replace(experiment, name=HOSTILE, metric=HOSTILE, unit=HOSTILE, spec=spec, best_trial=best)
    return replace(history, experiment=changed, trials=trials, events=events, metric=HOSTILE)


@pytest.mark.parametrize("kind", plots.KINDS)
def test_a_search_without_a_report_says_what_is_missing(history: History, kind: str) -> None:
    empty = replace(history, trials=(), curves={}, records=(), events=())
    missing = plots.KINDS[kind].applies(empty)
    assert "experiment 3" in missing
    with pytest.raises(plots.NothingToShow, match="experiment 3"):
        plots.draw(kind, empty)


def test_an_unknown_figure_is_told_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="did you mean curves"):
        plots.draw("curvs", search(3))


def test_curves_have_a_trace_for_each_fate_with_every_trial_in_it(history: History) -> None:
    figure = plots.curves(history)
    for name, state in (("trained in full", TrialState.COMPLETED), ("stopped early", TrialState.STOPPED)):
        lines = trace(figure, f"{name} (")
        expected = {
            trial.trial_id
            for trial in history.trials
            if trial.state is state and np.isfinite(history.curves[trial.trial_id].value[-1])
        }
        assert set(np.asarray(lines.customdata).tolist()) - {-1} == expected


def test_what_diverged_is_marked_at_the_worse_end_of_the_axis(history: History) -> None:
    for goal, low in (("minimize", False), ("maximize", True)):
        figure = plots.curves(search(goal=goal))
        (marks,) = [each for each in figure.data if each.name == "failed or diverged"]
        diverged = [place for place, text in enumerate(marks.text) if "nan" in text]
        bottom, top = figure.layout.yaxis.range
        middle = (bottom + top) / 2
        at = [float(marks.y[place]) for place in diverged]
        at = at if figure.layout.yaxis.type != "log" else list(np.log10(at))
        assert at
        assert all((value < middle) == low for value in at)


def test_rungs_are_the_ticks_of_the_resource_on_a_logarithmic_axis(history: History) -> None:
    axis = plots.curves(history).layout.xaxis
    assert list(axis.tickvals) == [1, 3, 9, 27]
    assert axis.type == "log"


def test_the_best_so_far_never_gets_worse_in_either_panel(history: History) -> None:
    figure = plots.best(history)
    steps = [each for each in figure.data if each.name == "best so far"]
    assert [each.xaxis for each in steps] == ["x", "x2"]
    for each in steps:
        assert list(each.y) == sorted(each.y, reverse=True)
        assert list(each.x) == sorted(each.x)


def test_without_webgl_a_large_figure_draws_fewer_trials_and_says_so(many: History) -> None:
    figure = plots.curves(many, webgl=False)
    assert not [each for each in figure.data if each.type.endswith("gl")]
    assert "1,500 of 10,000 trials drawn" in figure.layout.title.text
    best = many.experiment.best_trial
    assert best is not None
    assert best.trial_id in {
        number for each in figure.data if each.customdata is not None for number in each.customdata
    }


def test_a_figure_has_no_title_where_the_page_has_headings(history: History) -> None:
    assert plots.curves(history, title=False).layout.title.text is None
