"""Random search and grid search: every trial trains to the end, whatever happens to the others."""

from __future__ import annotations

import math
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.master_harness import Master, make_spec
from unit.search_ledger import Event, Ledger, events, finish, happen
from unit.test_new_searcher import BesideLedger

from rungmaster.master.cli import plan, simulate
from rungmaster.master.maintenance.check import check_database
from rungmaster.master.search.interface import Done, Goal, SearchContext, Searcher, Train, UnknownTrial, Wait
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.space.hyperparameters import CategoricalSpec, Hyperparameter
from rungmaster.shared.spec.searchers import SEARCHERS, GridSpec, RandomSpec
from rungmaster.shared.spec.spec import spec_from_json, spec_to_json
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import ExitOutcome

SPACE: dict[str, Hyperparameter] = {"choice": CategoricalSpec(choices=tuple("abcdef"))}


def grid(initial: int = 0, **fields: Any) -> Searcher:
    context = SearchContext(Goal.MINIMIZE, SPACE, initial_trials=initial)
    return build_searcher(GridSpec(max_resource=9, **fields), context)


def random(max_trials: int = 3, **fields: Any) -> Searcher:
    spec = RandomSpec(max_trials=max_trials, max_resource=9, **fields)
    return build_searcher(spec, SearchContext(Goal.MINIMIZE))


@st.composite
def searchers(draw: st.DrawFn) -> Searcher:
    at_once = draw(st.one_of(st.none(), st.integers(1, 4)))
    if draw(st.booleans()):
        most = draw(st.one_of(st.none(), st.integers(1, 8)))
        return grid(draw(st.integers(0, 2)), max_trials=most, max_concurrent_trials=at_once)
    return random(draw(st.integers(1, 8)), max_concurrent_trials=at_once)


@given(spec=searchers(), happenings=events)
@settings(deadline=None)
def test_every_search_ends_and_no_trial_trains_twice(spec: Searcher, happenings: list[Event]) -> None:
    searcher, ledger = spec, Ledger()
    for event in happenings:
        happen(searcher, ledger, event)
        searcher.check()
    finish(searcher, ledger)
    searcher.check()
    assert searcher.done
    assert len(ledger.results) == sum(not trial.discarded for trial in ledger.trials.values())
    (bracket,) = searcher.plan
    used_up = len(ledger.trials) == bracket.max_trials
    assert used_up or len(ledger.results) == bracket.max_trials or searcher.plan[0].max_trials >= len(ledger.results)


@given(happenings=events, which=st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_searcher_restored_at_any_moment_goes_on_the_same(happenings: list[Event], which: bool) -> None:
    def fresh() -> Searcher:
        return grid(1, max_trials=5) if which else random(5)

    searcher, ledger = fresh(), Ledger()
    restored = [ledger.restored(fresh())]
    for event in happenings:
        happen(searcher, ledger, event)
        restored.append(ledger.restored(fresh()))
    for i, again in enumerate(restored):
        for event, step in ledger.calls[i:]:
            assert event(again) == step
        assert again.done == searcher.done
        again.check()


def trains(searcher: Searcher) -> list[Train]:
    """All that it wants trained at once."""
    wanted: list[Train] = []
    while isinstance(train := searcher.next().answer, Train):
        wanted.append(train)
    return wanted


def test_a_grid_makes_each_combination_once_in_its_order() -> None:
    made = trains(grid())
    assert [train.hparams for train in made] == [{"choice": choice} for choice in "abcdef"]
    assert {train.origin for train in made} == {"grid"}


def test_max_trials_cuts_a_grid() -> None:
    assert [train.hparams for train in trains(grid(max_trials=2))] == [{"choice": "a"}, {"choice": "b"}]


def test_trials_of_the_spec_come_before_those_of_the_grid() -> None:
    searcher = grid(initial=2, max_trials=4)
    assert searcher.draws
    assert [train.hparams for train in trains(searcher)] == [None, None, {"choice": "a"}, {"choice": "b"}]
    assert not searcher.draws


def test_a_combination_that_is_invalid_is_not_tried_again_and_the_next_one_is() -> None:
    searcher = grid(max_trials=2)
    trains(searcher)
    searcher.discard(0)
    assert [train.hparams for train in trains(searcher)] == [{"choice": "c"}]
    whole = grid()
    trains(whole)
    for trial in range(6):
        whole.discard(trial)
    assert isinstance(whole.next().answer, Done)


def test_a_random_search_makes_another_trial_in_place_of_an_invalid_one() -> None:
    searcher = random(2)
    trains(searcher)
    searcher.discard(0)
    assert [train.trial for train in trains(searcher)] == [2]


def test_no_more_trials_than_may_train_at_once() -> None:
    searcher = random(3, max_concurrent_trials=1)
    assert [train.trial for train in trains(searcher)] == [0]
    assert isinstance(searcher.next().answer, Wait)
    searcher.report(0, 9, math.nan)
    assert [train.trial for train in trains(searcher)] == [1]


def test_a_report_of_a_trial_that_does_not_run_is_refused() -> None:
    searcher = random()
    with pytest.raises(UnknownTrial, match="trial 0 is not running in this search"):
        searcher.report(0, 9, 0.5)


def full_spec(searcher: dict[str, Any]) -> Any:
    space = {"choice": {"type": "categorical", "choices": ["a", "b", "c"]}}
    return spec_from_json(spec_to_json(make_spec()) | {"searcher": searcher, "hyperparameters": space})


@pytest.mark.parametrize("name", ["random", "grid"])
def test_a_master_trains_every_trial_to_the_end(name: str, tmp_path: Any) -> None:
    database = tmp_path / "full.db"
    master = Master(BesideLedger(database))
    master.submit(full_spec({"name": name, "max_trials": 3, "max_resource": 9}))
    worker = master.worker()
    while master.experiment().state == ExperimentState.ACTIVE:
        worker.train(0.3)
    assert [master.trial(trial).state for trial in range(3)] == [TrialState.COMPLETED] * 3
    assert {master.trial(trial).origin for trial in range(3)} == {name}
    assert (master.experiment().resource_spent, master.experiment().resource_full) == (27, 27)
    assert check_database(str(database)).violations == []


def test_a_grid_ends_when_its_combinations_are_used_up_though_one_was_invalid(tmp_path: Any) -> None:
    database = tmp_path / "grid.db"
    master = Master(BesideLedger(database))
    master.submit(full_spec({"name": "grid", "max_resource": 9}))
    worker = master.worker()
    worker.exit(worker.work(), ExitOutcome.INVALID_HPARAMS, "a does not work")
    worker.train(0.3)
    worker.train(0.2)
    assert master.experiment().state == ExperimentState.COMPLETED
    assert [master.trial(trial).state for trial in range(3)] == [
        TrialState.DISCARDED,
        TrialState.COMPLETED,
        TrialState.COMPLETED,
    ]
    assert master.store.hparams({(1, 1), (1, 2)}) == {(1, 1): {"choice": "b"}, (1, 2): {"choice": "c"}}
    assert check_database(str(database)).violations == []


def test_plan_and_simulate_show_them(tmp_path: Any) -> None:
    path = tmp_path / "spec.yaml"
    space = "hyperparameters: {rate: {type: float, low: 0, high: 1, count: 4}}\n"
    path.write_text(space + "searcher: {name: grid, max_resource: 9}\n")
    shown = CliRunner().invoke(plan.command, [str(path)])
    assert "grid, 4 trials in 1 bracket" in shown.output
    assert "expected resource 36 of 36" in shown.output
    shown = CliRunner().invoke(simulate.command, [str(path), "--workers", "2"])
    assert "4 trials in 4 assignments" in shown.output


def test_the_registries_know_them() -> None:
    assert SEARCHERS["random"] is RandomSpec
    assert SEARCHERS["grid"] is GridSpec
