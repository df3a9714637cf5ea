"""The search space and the results as samplers take them."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from unit.space_values import spaces, spec_with

from rungmaster.sampler.spaces.flat import FlatResults, FlatSpace
from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.sampling.protocol import TrialResult
from rungmaster.shared.sampling.spaces import RefusedSuggestion, accepted, neutral_space


@settings(max_examples=12)
@given(spaces(), st.data())
def test_any_flat_point_is_a_combination_of_the_space_or_forbidden(parts: Any, data: st.DataObject) -> None:
    """Whatever a model suggests between the bounds, conditions and values of the spec hold."""
    try:
        spec = spec_with(*parts)
    except InvalidSpec:
        assume(False)
        raise
    space = FlatSpace(neutral_space(spec.hyperparameters, spec.forbidden))
    flat = {each.name: data.draw(st.floats(each.low, each.high)) for each in space.searched}
    found = space.hyperparameters(flat)
    try:
        taken = accepted(spec.hyperparameters, spec.forbidden, found)
    except RefusedSuggestion:
        taken = None
    assert (taken is None) == space.is_forbidden(found)
    assert taken in (None, found)
    again = space.flat(found)
    assert space.hyperparameters(again) == found
    assert all(each.low <= again[each.name] <= each.high for each in space.searched)


def test_what_does_not_exist_has_its_middle_in_the_flat_space() -> None:
    space = FlatSpace(
        {
            "parameters": [
                {"name": "solver", "type": "categorical", "choices": ["sgd", "adam"]},
                {"name": "rate", "type": "float", "low": 1e-4, "high": 1.0, "log": True, "when": {"solver": ["sgd"]}},
                {"name": "depth", "type": "int", "low": 1, "high": 9, "log": False, "when": {"solver": ["sgd"]}},
                {"name": "fixed", "type": "constant", "value": [1]},
            ],
            "forbidden": [],
        }
    )
    flat = space.flat({"solver": "adam", "fixed": [1]})
    assert flat == {"solver": 1, "rate": 0.01, "depth": 5}
    assert space.hyperparameters(flat | {"solver": 0}) == {"solver": "sgd", "rate": 0.01, "depth": 5, "fixed": [1]}


def test_rounding_past_a_bound_is_taken_back() -> None:
    space = FlatSpace(
        {
            "parameters": [
                {"name": "rate", "type": "float", "low": 1e-4, "high": 0.1, "log": True},
                {"name": "n", "type": "int", "low": 1, "high": 8, "log": False},
            ]
        }
    )
    assert space.hyperparameters({"rate": 0.1000000001, "n": 8.4}) == {"rate": 0.1, "n": 8}
    assert space.hyperparameters({"rate": 0.0000999999, "n": 0.6}) == {"rate": 1e-4, "n": 1}


def results(goal: str, *told: TrialResult) -> list[Any]:
    found = FlatResults(goal)
    for each in told:
        found.tell(each)
    return [*zip(*found.bad_as_worst(), strict=True)]


def test_each_trial_counts_by_its_last_result_and_failures_as_the_worst() -> None:
    one, two, three = {"a": 1}, {"a": 2}, {"a": 3}
    told = (TrialResult(1, one, 1, 0.5), TrialResult(2, two, 1, 0.2), TrialResult(1, one, 4, 0.3))
    assert results("minimize", *told) == [(one, 0.3), (two, 0.2)]
    assert results("maximize", *told) == [(one, -0.3), (two, -0.2)]
    failed = (*told, TrialResult(3, three, 1, None, failed=True), TrialResult(2, two, 4, None))
    assert results("minimize", *failed) == [(one, 0.3), (two, 0.3), (three, 0.3)]
    assert results("maximize", *failed) == [(one, -0.3), (two, -0.3), (three, -0.3)]
    assert results("minimize", TrialResult(3, three, 1, None, failed=True)) == [(three, 0.0)]


def test_the_same_number_in_two_experiments_is_two_trials() -> None:
    assert (
        len(results("minimize", TrialResult(1, {"a": 1}, 1, 0.5), TrialResult(1, {"a": 2}, 1, 0.5, experiment=3))) == 2
    )
