"""Figures: what they show, how large they are, and that text stays text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rungmaster import plots
from rungmaster.plots.history import History
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire.model import TrialState

from .plot_history import START, large, population, search

HOSTILE = "<img src=x onerror=alert(1)>%{x}$a$&amp;\u202e"
MOST_BYTES = 2_000_000
OF_POPULATIONS = ("lineage", "schedules")


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


@pytest.mark.parametrize("kind", plots.KINDS)
def test_every_figure_of_ten_thousand_trials_with_a_hundred_reports_each_stays_below_two_megabytes(
    many: History, kind: str
) -> None:
    many = population() if kind in OF_POPULATIONS else many
    assert len(plots.draw(kind, many, theme="dark").to_json()) < MOST_BYTES


@pytest.mark.parametrize("kind", plots.KINDS)
def test_what_users_wrote_is_shown_as_text(kind: str) -> None:
    named = hostile(population() if kind in OF_POPULATIONS else search(40))
    text = drawn(plots.draw(kind, named))
    # Ticks of parallel coordinates are the one text that Plotly shows without looking for markup.
    text = re.sub(r'"ticktext": \[[^]]*\]', "", text) if kind == "parallel" else text
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
    assert "1,000 of 10,000 trials drawn" in figure.layout.title.subtitle.text
    assert sum(len(each.x) for each in figure.data) < 20_000
    best = many.experiment.best_trial
    assert best is not None
    assert best.trial_id in {
        number for each in figure.data if each.customdata is not None for number in each.customdata
    }


def test_a_figure_has_no_title_where_the_page_has_headings(history: History) -> None:
    assert plots.curves(history, title=False).layout.title.text is None


def test_a_failing_trial_is_no_reason_to_fail(history: History) -> None:
    """Every figure of a search whose trials have all failed says so, or shows them."""
    failed = tuple(replace(trial, state=TrialState.FAILED, metric=None, best_metric=None) for trial in history.trials)
    curves = {number: replace(curve, value=curve.value * np.nan) for number, curve in history.curves.items()}
    experiment = replace(history.experiment, best_trial=None, leading_trial=None)
    broken = replace(history, experiment=experiment, trials=failed, curves=curves, records=())
    for kind, about in plots.KINDS.items():
        if not about.applies(broken):
            plots.draw(kind, broken)
    assert not plots.KINDS["curves"].applies(broken)


def test_each_trial_that_began_is_one_mark_with_an_id_that_stays(history: History) -> None:
    figure = plots.rungs(history)
    assert sorted(figure.data[0].ids) == sorted(f"trial {trial.trial_id}" for trial in history.trials)
    assert figure.layout.transition.duration is None, "Plotly bends the symbols on their way; who shows it moves them"
    levels = {1: 0, 3: 1, 9: 2, 27: 3}
    for number, y in zip(figure.data[0].customdata, figure.data[0].y, strict=True):
        step = levels[history.by_id[int(number)].resource]
        assert step < y < step + 1


def test_a_mark_climbs_while_its_trial_trains_and_stands_higher_at_the_next_rung(history: History) -> None:
    number = next(trial.trial_id for trial in history.trials if trial.resource == 27)
    heights = []
    for resource, state in ((9, TrialState.PAUSED), (12, TrialState.RUNNING), (20, TrialState.RUNNING), (27, None)):
        full, curve = history.by_id[number], history.curves[number]
        trial = replace(full, resource=resource, metric_resource=min(resource, 9), state=state or full.state)
        trial = full if state is None else trial
        curves = {**history.curves, number: replace(curve, **{
            name: getattr(curve, name)[:resource] for name in ("resource", "value", "time_s")
        })}  # fmt: skip
        trials = tuple(trial if each.trial_id == number else each for each in history.trials)
        marks = plots.rungs(replace(history, trials=trials, curves=curves)).data[0]
        heights.append(float(marks.y[list(marks.ids).index(f"trial {number}")]))
    assert heights == sorted(heights)
    assert len(set(heights)) == 4


def test_importance_finds_what_matters_and_keeps_conditions(history: History) -> None:
    del history
    figure = plots.importance(search(300))
    (bars,) = [each for each in figure.data if each.type == "bar"]
    found = dict(zip(bars.y, bars.x, strict=True))
    assert max(found, key=lambda name: found[name]) == "learning_rate"
    assert found["noise"] < 0.1 * found["learning_rate"]
    assert any("momentum" in name and "when solver is sgd" in name for name in found)
    assert all(each > 0 for each in bars.error_x.array)


def test_importance_needs_results_that_can_be_compared() -> None:
    with pytest.raises(plots.NothingToShow, match=r"needs 20 results at one rung; experiment 3 has \d+"):
        plots.importance(search(10))


def test_slices_have_the_axes_of_the_spec(history: History) -> None:
    figure = plots.slices(history)
    assert list(figure.layout.xaxis.ticktext) == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]
    assert list(figure.layout.xaxis3.ticktext) == ["sgd", "adam"]
    assert "when solver is sgd" in figure.layout.xaxis4.title.text
    with_momentum = {trial.trial_id for trial in history.trials if "momentum" in trial.hparams}
    shown = {
        int(number)
        for each in figure.data
        if each.xaxis == "x4" and each.customdata is not None
        for number in each.customdata
    }
    assert shown <= with_momentum


def test_parallel_coordinates_have_the_best_on_top_and_a_place_for_what_is_not_used() -> None:
    for goal, ascending in (("minimize", False), ("maximize", True)):
        axes = plots.parallel(search(goal=goal)).data[0].dimensions
        assert (axes[-1].range[0] < axes[-1].range[1]) == ascending
        (momentum,) = [axis for axis in axes if axis.label == "momentum"]
        assert momentum.ticktext[0] == "not used"


def test_the_time_line_shows_who_was_lost_and_how_busy_a_slot_was(history: History) -> None:
    lost = tuple(
        replace(event, data={**event.data, "outcome": "expired"})
        if event.kind == "lease_ended" and event.trial_id == 3
        else event
        for event in history.events
    )
    figure = plots.timeline(replace(history, events=lost))
    lane = trace(figure, "lost with its worker")
    assert set(np.asarray(lane.customdata).tolist()) - {-1} == {3}
    assert [text.startswith("trial 3 to") for text in trace(figure, "ended badly").text].count(True) == 1
    assert len(figure.layout.yaxis.ticktext) == 4
    assert any("busy" in note.text for note in figure.layout.annotations)


def test_an_assignment_given_ahead_waits_in_its_worker_s_slot(history: History) -> None:
    """A worker of one slot that is given its next trial before the last has ended has one lane all the same."""
    events = []
    for event in history.events:
        early = event.kind == "assigned" and event.create_time > START
        ahead = replace(event, create_time=event.create_time - (event.create_time - START) * 0.02)
        events.append(replace(ahead if early else event, data={**event.data, "worker": f"w{len(events) // 2 % 4}"}))
    figure = plots.timeline(replace(history, events=tuple(events)))
    assert len(figure.layout.yaxis.ticktext) <= 8


def test_a_lineage_leads_from_each_trial_to_its_parent_in_the_place_of_the_one_it_replaced() -> None:
    figure = plots.lineage(population())
    links = trace(figure, "went on")
    assert [value for value in np.asarray(links.y).tolist() if value == value] == [0.0, 1.0, 1.0, 2.0]
    marks = trace(figure, "trials")
    assert dict(zip(marks.customdata.tolist(), marks.y.tolist(), strict=True)) == {0: 0, 1: 1, 2: 2, 3: 1, 4: 2}


def test_a_schedule_has_the_values_of_all_ancestors() -> None:
    figure = plots.schedules(population())
    lines = [each for each in figure.data if each.name == "every model" and each.xaxis == "x"]
    values, ids = np.asarray(lines[0].y), np.asarray(lines[0].customdata)
    assert {0, 3, 4} <= set(ids.tolist())
    assert np.isclose(values[~np.isnan(values)], 0.01).any()


def test_experiments_with_other_goals_are_not_compared() -> None:
    one, other = search(), search(goal="maximize")
    assert len(plots.compare([one, search(seed=2)]).data) == 4
    with pytest.raises(InvalidInput, match="other goals"):
        plots.compare([one, other])
    with pytest.raises(InvalidInput, match="is of one experiment, got 2"):
        plots.draw("curves", [one, one])
