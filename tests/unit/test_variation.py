"""Combinations made from others: completed where they are given in part, and explored from a parent's."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.space_values import agrees, fits, spaces, spec_with

from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.space.hyperparameters import same
from rungmaster.shared.space.space import Space
from rungmaster.shared.space.variation import completed, explored
from rungmaster.shared.spec.spec import Spec

SOLVERS: dict[str, Any] = {
    "rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "layers": {"type": "int", "low": 1, "high": 8},
    "width": {"type": "ordinal", "sequence": [16, 32, 64, 128]},
    "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"solver": "sgd"}},
    "nesterov": {"type": "categorical", "choices": [True, False], "when": {"solver": "sgd", "layers": [2, 3]}},
    "fixed": "text",
}
PARENT: dict[str, Any] = {"rate": 0.01, "layers": 4, "width": 32, "solver": "sgd", "momentum": 0.5, "fixed": "text"}


def complete(given: dict[str, Any], space: dict[str, Any] = SOLVERS, *forbidden: Any, trial: int = 0) -> dict[str, Any]:
    spec = spec_with(space, [*forbidden])
    return completed(spec.hyperparameters, spec.forbidden, given, 1, trial)


def explore(
    parent: dict[str, Any],
    trial: int,
    resample: float = 0.0,
    *forbidden: Any,
    space: dict[str, Any] = SOLVERS,
) -> dict[str, Any]:
    spec = spec_with(space, [*forbidden])
    return explored(spec.hyperparameters, spec.forbidden, parent, 1, trial, resample)


def problems(given: dict[str, Any], space: dict[str, Any] = SOLVERS, *forbidden: Any) -> list[str]:
    with pytest.raises(InvalidSpec) as refused:
        complete(given, space, *forbidden)
    return list(map(str, refused.value.problems))


def test_what_is_given_stays_and_the_rest_is_drawn_in_the_specs_order() -> None:
    rate = 0.012345678901234567
    found = [complete({"width": 64, "rate": rate}, trial=trial) for trial in range(200)]
    assert {(each["width"], each["rate"], each["fixed"]) for each in found} == {(64, rate, "text")}
    assert {each["layers"] for each in found} == {*range(1, 9)}
    assert all(("momentum" in each) == (each["solver"] == "sgd") for each in found)
    assert all([name for name in SOLVERS if name in each] == [*each] for each in found)


def test_a_number_is_given_the_type_of_its_hyperparameter() -> None:
    found = complete({"layers": 3.0, "momentum": 0, "width": 16.0})
    assert (type(found["layers"]), type(found["momentum"]), type(found["width"])) == (int, float, int)


def test_what_is_given_brings_what_it_needs_to_exist() -> None:
    found = [complete({"nesterov": True}, trial=trial) for trial in range(50)]
    assert {(each["solver"], each["layers"]) for each in found} == {("sgd", 2), ("sgd", 3)}


def test_what_it_needs_is_drawn_as_likely_as_the_space_has_it() -> None:
    space = {
        "kind": {"type": "categorical", "choices": ["a", "b", "c", "never"], "weights": [1, 3, 6, 0]},
        "child": {"type": "float", "low": 0, "high": 1, "when": {"kind": ["a", "b", "never"]}},
    }
    found = Counter(complete({"child": 0.5}, space, trial=trial)["kind"] for trial in range(2000))
    assert found.keys() == {"a", "b"}
    assert found["b"] / 2000 == pytest.approx(0.75, abs=0.04)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"layer": 1}, 'layer: there is no such hyperparameter; did you mean "layers"?'),
        ({"layers": 9}, "layers: must be from 1 to 8, got 9"),
        ({"layers": 2.5}, "layers: must be a whole number, got 2.5"),
        ({"layers": True}, "layers: must be a whole number, got true"),
        ({"rate": "fast"}, 'rate: must be a number, got text "fast"'),
        ({"rate": 1.0}, "rate: must be from 0.0001 to 0.1, got 1.0"),
        ({"rate": float("nan")}, "rate: must be a number, got nan"),
        ({"width": 17}, "width: cannot be 17; it can be 16, 32, 64, 128"),
        ({"solver": None}, 'solver: cannot be null; it can be "sgd", "adam"'),
        ({"fixed": 1}, 'fixed: cannot be 1; it can be "text"'),
        ({"momentum": 0.5, "solver": "adam"}, 'momentum: exists only where solver is "sgd", and it is "adam"'),
        ({"nesterov": True, "layers": 1}, "nesterov: exists only where layers is 2 or 3, and it is 1"),
    ],
)
def test_each_wrong_value_is_told_at_its_name(values: dict[str, Any], problem: str) -> None:
    assert problems(values) == [problem]


def test_every_problem_is_told() -> None:
    assert len(problems({"layer": 1, "layers": 0, "width": "wide", "momentum": 2})) == 4


def test_two_that_need_different_values_of_a_third_are_told() -> None:
    space: dict[str, Any] = {
        "kind": {"type": "categorical", "choices": ["a", "b"]},
        "one": {"type": "int", "low": 0, "high": 9, "when": {"kind": "a"}},
        "other": {"type": "int", "low": 0, "high": 9, "when": {"kind": "b"}},
    }
    (problem,) = problems({"one": 1, "other": 1}, space)
    assert "exists only where kind is" in problem
    assert "needs another value of that" in problem


def test_a_grandparent_with_another_value_is_told_at_what_was_given() -> None:
    space: dict[str, Any] = {
        "a": {"type": "categorical", "choices": [0, 1]},
        "b": {"type": "categorical", "choices": [0, 1], "when": {"a": 1}},
        "c": {"type": "categorical", "choices": [0, 1], "when": {"b": 1}},
    }
    assert problems({"c": 1, "a": 0}, space) == ["c: exists only where a is 1, and it is 0"]
    assert complete({"c": 1}, space) == {"a": 1, "b": 1, "c": 1}


def test_what_is_given_may_be_ruled_out_and_what_is_drawn_is_drawn_again() -> None:
    forbidden = {"layers": [1, 2, 3, 4, 5, 6, 7], "width": 16, "fixed": "text"}
    assert problems({"layers": 1, "width": 16}, SOLVERS, forbidden) == ["is ruled out by forbidden[0]"]
    assert all(complete({"width": 16}, SOLVERS, forbidden, trial=trial)["layers"] == 8 for trial in range(20))


def test_where_all_that_can_be_drawn_is_forbidden_drawing_ends() -> None:
    space = {name: {"type": "categorical", "choices": [0, 1]} for name in "abc"}
    forbidden = [{"a": 0, "b": 0}, {"a": 0, "b": 1, "c": 0}, {"a": 0, "b": 1, "c": 1}]
    (problem,) = problems({"a": 0}, space, *forbidden)
    assert "every one is forbidden" in problem


def test_a_prior_weights_and_a_logarithm_are_respected() -> None:
    space: dict[str, Any] = {
        "rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True, "prior": {"mean": 1e-2, "std": 0.1}},
        "size": {"type": "int", "low": 1, "high": 1024, "log": True},
        "near": {"type": "int", "low": 0, "high": 100, "prior": {"mean": 20, "std": 2}},
        "kind": {"type": "categorical", "choices": ["a", "b", "never"], "weights": [1, 4, 0]},
    }
    found = [complete({}, space, trial=trial) for trial in range(1000)]
    assert all(10**-2.6 < each["rate"] < 10**-1.4 for each in found)
    assert sum(each["size"] < 32 for each in found) / 1000 == pytest.approx(0.5, abs=0.06)
    assert all(8 < each["near"] < 32 for each in found)
    assert len({each["near"] for each in found}) > 8
    kinds = Counter(each["kind"] for each in found)
    assert kinds.keys() == {"a", "b"}
    assert kinds["b"] / 1000 == pytest.approx(0.8, abs=0.05)


def test_numbers_become_four_fifths_or_six_fifths_and_others_stay() -> None:
    found = [explore(PARENT, trial) for trial in range(200)]
    assert {each["rate"] for each in found} == {0.008, 0.012}
    assert {each["layers"] for each in found} == {3, 5}
    assert {each["momentum"] for each in found} == {0.4, 0.6}
    assert {each["width"] for each in found} == {16, 64}
    assert {(each["solver"], each["fixed"]) for each in found} == {("sgd", "text")}
    both = Counter((each["rate"], each["layers"]) for each in found)
    assert min(both[pair] for pair in [(0.008, 3), (0.008, 5), (0.012, 3), (0.012, 5)]) > 25


@pytest.mark.parametrize(("value", "moved"), [(1, {1, 2}), (2, {1, 3}), (8, {6, 8}), (7, {6, 8})])
def test_an_int_moves_by_one_at_least_and_is_cut_off_at_its_bounds(value: int, moved: set[int]) -> None:
    assert {explore({**PARENT, "layers": value}, trial)["layers"] for trial in range(60)} == moved


@pytest.mark.parametrize(("value", "moved"), [(0, {-1, 1}), (-1, {-2, 0}), (-10, {-12, -8}), (10, {8, 12})])
def test_an_int_moves_away_from_zero_too(value: int, moved: set[int]) -> None:
    space: dict[str, Any] = {"bias": {"type": "int", "low": -50, "high": 50}}
    assert {explore({"bias": value}, trial, space=space)["bias"] for trial in range(60)} == moved


def test_a_float_of_zero_is_drawn_anew() -> None:
    found = {explore({**PARENT, "momentum": 0.0}, trial)["momentum"] for trial in range(60)}
    assert len(found) > 50


def test_an_ordinal_moves_one_step_and_is_cut_off_at_its_ends() -> None:
    assert {explore({**PARENT, "width": 16}, trial)["width"] for trial in range(60)} == {16, 32}
    assert {explore({**PARENT, "width": 128}, trial)["width"] for trial in range(60)} == {64, 128}


def test_resample_is_the_part_that_is_drawn_anew() -> None:
    found = [explore(PARENT, trial, 0.25)["rate"] for trial in range(2000)]
    assert sum(each not in (0.008, 0.012) for each in found) / 2000 == pytest.approx(0.25, abs=0.04)
    assert all(explore(PARENT, trial, 1.0)["rate"] not in (0.008, 0.012) for trial in range(50))


def test_conditional_ones_appear_and_vanish_with_what_they_depend_on() -> None:
    found = [explore({**PARENT, "layers": 3}, trial, 0.3) for trial in range(200)]
    assert all(("momentum" in each) == (each["solver"] == "sgd") for each in found)
    appeared = [each for each in found if each["layers"] == 2 and each["solver"] == "sgd"]
    assert {each["nesterov"] for each in appeared} == {True, False}
    assert any("momentum" not in each for each in found)


def test_what_is_forbidden_is_explored_again_and_in_the_end_the_parents_own_are_kept() -> None:
    assert all(explore(PARENT, trial, 0.0, {"layers": 5})["layers"] == 3 for trial in range(50))
    stuck = explore(PARENT, 0, 0.0, {"layers": 5}, {"layers": 3})
    assert stuck == PARENT
    assert stuck is not PARENT


def test_what_comes_out_is_the_callers_own() -> None:
    space: dict[str, Any] = {"shape": {"type": "categorical", "choices": [[1, 2]]}}
    explore({"shape": [1, 2]}, 0, space=space)["shape"].append(3)
    complete({}, space)["shape"].append(3)
    assert explore({"shape": [1, 2]}, 0, space=space) == complete({}, space) == {"shape": [1, 2]}


def test_a_large_space_is_explored_in_time() -> None:
    space: dict[str, Any] = {f"h{n}": {"type": "float", "low": 0, "high": 1} for n in range(999)}
    space["kind"] = {"type": "categorical", "choices": [0, 1]}
    assert len(complete({"kind": 0}, space)) == 1000


def _made(spec: Spec, seed: int, trial: int, resample: float) -> list[dict[str, Any]]:
    """A draw, what completes a part of it, and what is explored from it."""
    hyperparameters, forbidden = spec.hyperparameters, spec.forbidden
    draw = Space(hyperparameters, forbidden).draw(seed, trial)
    some = {name: value for n, (name, value) in enumerate(draw.items()) if (n + seed) % 3}
    return [
        draw,
        completed(hyperparameters, forbidden, draw, seed, trial),
        completed(hyperparameters, forbidden, some, seed, trial),
        explored(hyperparameters, forbidden, draw, seed, trial, resample),
    ]


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 2**53 - 1), st.sampled_from([0.0, 0.25, 1.0]))
def test_in_any_space_what_is_made_keeps_to_bounds_conditions_and_prohibitions(
    declared: tuple[dict[str, Any], list[Any]], seed: int, resample: float
) -> None:
    try:
        spec = spec_with(*declared)
    except InvalidSpec:
        return
    for trial in range(3):
        draw, whole, part, _ = made = _made(spec, seed, trial, resample)
        assert made == _made(spec, seed, trial, resample)
        assert whole == draw
        assert all(same(part[name]) == same(value) for n, (name, value) in enumerate(draw.items()) if (n + seed) % 3)
        for each in made:
            assert [*each] == [name for name in spec.hyperparameters if name in each]
            for name, hyperparameter in spec.hyperparameters.items():
                assert (name in each) == agrees(hyperparameter.when, each)
                assert name not in each or fits(hyperparameter, each[name])
            assert not any(agrees(combination, each) for combination in spec.forbidden)


def test_what_is_made_is_the_same_in_every_version() -> None:
    assert complete({"layers": 2}, trial=7) == {
        "rate": 0.00133123172382,
        "layers": 2,
        "width": 128,
        "solver": "sgd",
        "momentum": 0.349709133375,
        "nesterov": True,
        "fixed": "text",
    }
    assert explore(PARENT, 7, 0.5) == {"rate": 0.008, "layers": 5, "width": 32, "solver": "adam", "fixed": "text"}


def test_it_needs_no_config_space() -> None:
    program = "import sys, rungmaster.shared.space.variation; assert 'ConfigSpace' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
