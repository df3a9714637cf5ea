"""A search that begins from earlier ones: what of them fits, what does not and why, and which trials come first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from integration.small_master import experiment, trial
from unit.master_harness import make_spec

from rungmaster.master.experiment import earlier
from rungmaster.master.services.warm_start import warm_started
from rungmaster.shared.errors import InvalidSpec, NotFound
from rungmaster.shared.spec.spec import Spec, is_spec_of, spec_from_json, spec_to_json
from rungmaster.shared.wire.model import Experiment, TrialInfo, TrialState

SPACE: dict[str, Any] = {
    "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0, "high": 0.9, "when": {"solver": "sgd"}},
    "width": {"type": "int", "low": 16, "high": 256},
}


def spec(**fields: Any) -> Spec:
    given = {"warm_start": [3], "initial_trials": "best", "unit": "epochs", "hyperparameters": SPACE}
    return make_spec(**(given | fields))


class Earlier:
    """Experiments that have been, page by page."""

    def __init__(self, spec: Spec, **trials: Iterable[TrialInfo]) -> None:
        self._metric = {"metric": spec.metric.name, "goal": spec.metric.goal, "unit": spec.unit}
        self._trials = {int(name.removeprefix("e")): list(each) for name, each in trials.items()}

    def get_experiment(self, number: int) -> Experiment:
        if number not in self._trials:
            raise NotFound(f"there is no experiment {number}")
        return replace(experiment(number), **self._metric)

    def list_trials(self, number: int, _: Any, __: Any, size: int, token: str) -> tuple[list[TrialInfo], str]:
        begin = int(token or 0)
        found = self._trials[number][begin : begin + size]
        more = begin + size < len(self._trials[number])
        return found, str(begin + size) if more else ""


def tried(number: int, metric: float | None, state: TrialState = TrialState.STOPPED, **hparams: Any) -> TrialInfo:
    given = hparams or {"solver": "adam", "width": 16 + number}
    return replace(trial(3, number), hparams=given, metric=metric, best_metric=metric, state=state)


def first(spec: Spec, earlier: Earlier) -> list[dict[str, Any]]:
    return [dict(each) for each in warm_started(spec, earlier)[0].first_trials]


def refused(spec: Spec, earlier: Earlier) -> list[str]:
    with pytest.raises(InvalidSpec) as caught:
        warm_started(spec, earlier)
    return [str(problem) for problem in caught.value.problems]


def test_the_best_of_all_earlier_experiments_come_first_and_none_twice() -> None:
    wanted = spec(warm_start=[3, 4], searcher={"name": "random", "max_trials": 3, "max_resource": 9})
    once = tried(7, 0.1, solver="adam", width=99)
    before = Earlier(wanted, e3=[tried(n, 1.0 + n) for n in range(5)], e4=[once, once, tried(1, 0.5)])
    assert first(wanted, before) == [
        {"solver": "adam", "width": 99},
        {"solver": "adam", "width": 17},
        {"solver": "adam", "width": 16},
    ]


def test_no_more_come_first_than_a_grid_makes_trials() -> None:
    space = {"width": {"type": "int", "low": 16, "high": 256, "count": 3}}
    grid = {"name": "grid", "max_resource": 9, "max_trials": 2}
    wanted = spec_from_json(spec_to_json(spec()) | {"hyperparameters": space, "searcher": grid})
    before = Earlier(wanted, e3=[tried(n, 1.0 + n, width=16 + n) for n in range(5)])
    assert first(wanted, before) == [{"width": 16}, {"width": 17}]


def test_where_more_is_better_the_best_are_those_with_most() -> None:
    wanted = spec(metric={"name": "accuracy", "goal": "maximize"})
    before = Earlier(wanted, e3=[tried(n, n / 10) for n in range(9)])
    assert [each["width"] for each in first(wanted, before)] == [24, 23, 22, 21, 20]


def test_what_does_not_fit_is_told_with_the_commonest_reason() -> None:
    wanted = spec(sampler="bohb", initial_trials=[])
    fits = [tried(0, 0.5), tried(1, None, TrialState.FAILED), tried(2, 0.25, solver="sgd", momentum=0.5, width=16.0)]
    waits = tried(3, None, TrialState.PENDING)
    too_wide = [tried(number, 0.5, solver="adam", width=512) for number in (4, 5)]
    unknown = tried(6, 0.5, solver="adam", depth=3)
    told = warm_started(wanted, Earlier(wanted, e3=[*fits, waits, *too_wide, unknown]))[1]
    assert told == [
        'warm_start: of experiment 3, 3 of 6 results fit; most others do not: "width": must be from 16 to 256, got 512'
    ]


def test_an_experiment_whose_results_mean_something_else_is_left_out_as_a_whole() -> None:
    wanted = spec(sampler="bohb", initial_trials=[])
    before = Earlier(spec(unit="steps", metric={"name": "accuracy", "goal": "maximize"}), e3=[tried(0, 0.5)])
    (told,) = warm_started(wanted, before)[1]
    assert told == (
        f"warm_start: nothing of experiment 3 fits: its metric.name is accuracy, not {wanted.metric.name}; "
        "its metric.goal is maximize, not minimize; its unit is steps, not epochs"
    )


def test_where_the_best_are_wanted_and_nothing_fits_the_spec_is_refused() -> None:
    before = Earlier(spec(), e3=[tried(0, 0.5, solver="lbfgs", width=16)])
    assert refused(spec(), before) == [
        "initial_trials: best: there is nothing to begin with",
        'warm_start: of experiment 3, 0 of 1 results fit; all others do not: "solver": cannot be "lbfgs"; it can be '
        '"sgd", "adam"',
    ]
    assert refused(spec(), Earlier(spec(), e3=[tried(0, None, TrialState.PENDING)]))[1:] == [
        "warm_start: experiment 3 has no results yet"
    ]
    assert refused(spec(warm_start=[3, 9]), Earlier(spec(), e3=[tried(0, 0.5)])) == [
        "warm_start[1]: there is no experiment 9"
    ]


def test_of_a_long_search_only_its_first_trials_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rungmaster.master.services.warm_start.TRIALS_TOLD", 1000)
    before = Earlier(spec(), e3=[tried(n % 200, 5000.0 - n) for n in range(2500)])
    assert warm_started(spec(), before)[1] == ["warm_start: of experiment 3, 1,000 of 1,000 results fit"]
    assert earlier.TRIALS_TOLD == 10_000


def test_a_stored_spec_has_the_trials_that_were_chosen_and_is_still_the_spec_that_asked_for_the_best() -> None:
    asked = spec()
    stored = spec_to_json(warm_started(asked, Earlier(asked, e3=[tried(0, 0.5)]))[0])
    assert stored["initial_trials"] == [{"solver": "adam", "width": 16}]
    assert is_spec_of(stored, asked)
    assert not is_spec_of(stored, spec(warm_start=[4]))
    assert spec_from_json(stored).first_trials == ({"solver": "adam", "width": 16},)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"warm_start": []}, "initial_trials: best needs the experiments whose best they are, as warm_start: [3, 7]"),
        (
            {"initial_trials": []},
            "warm_start: serves nothing with sampler random, which learns from no results; name another one, or add "
            "initial_trials: best",
        ),
        ({"warm_start": [3, 3]}, "warm_start[1]: is there already"),
        ({"warm_start": 3}, "warm_start: must be a list of experiments, such as [3, 7]; got 3"),
        ({"initial_trials": "first"}, 'initial_trials: must be a list of hyperparameters, or best; got text "first"'),
    ],
)
def test_what_serves_nothing_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        spec(**fields)
    assert [str(each) for each in caught.value.problems] == [problem]
