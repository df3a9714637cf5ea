"""The search space: what it draws, and that it draws it again."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.space_values import agrees, fits, spaces, spec_with

from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.space.hyperparameters import Condition, same
from rungmaster.shared.space.space import DRAW_RULES, SMALL, Space, repetition
from rungmaster.shared.spec.spec import spec_from_json, spec_to_json

DIGITS: dict[str, Any] = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "width": {"type": "int", "low": 16, "high": 256, "log": True},
    "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
    "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"solver": "sgd"}},
    "batch_size": 64,
}


def space_of(hyperparameters: dict[str, Any], forbidden: list[Any] | None = None) -> Space:
    """The space of such a spec."""
    spec = spec_with(hyperparameters, forbidden)
    return Space(spec.hyperparameters, spec.forbidden)


def draws(space: Space, number: int = 400) -> list[dict[str, Any]]:
    """The hyperparameters of the first trials."""
    return [space.draw(1, trial) for trial in range(number)]


def texts(space: Space, trials: range, seed: int = 1) -> list[str]:
    """The same, as texts that are equal where the hyperparameters are."""
    return [same(space.draw(seed, trial)) for trial in trials]


def test_a_draw_is_plain_values_in_the_order_of_the_spec() -> None:
    for drawn in draws(space_of(DIGITS)):
        assert list(drawn) == [name for name in DIGITS if name in drawn]
        assert type(drawn["learning_rate"]) is float
        assert 1e-4 <= drawn["learning_rate"] <= 1e-1
        assert type(drawn["width"]) is int
        assert 16 <= drawn["width"] <= 256
        assert drawn["activation"] in ("relu", "tanh")
        assert ("momentum" in drawn) == (drawn["solver"] == "sgd")
        assert 0 <= drawn.get("momentum", 0) <= 0.99
        assert drawn["batch_size"] == 64
        assert json.loads(json.dumps(drawn)) == drawn


def test_a_trial_is_drawn_the_same_wherever_and_whenever_it_is_drawn() -> None:
    """These values are kept in journals and papers: they must not change from one version to the next."""
    assert space_of(DIGITS).draw(1, 0) == {
        "learning_rate": 0.0204520363614,
        "width": 47,
        "activation": "relu",
        "solver": "sgd",
        "momentum": 0.917283420545,
        "batch_size": 64,
    }


def test_a_draw_depends_on_the_seed_and_the_trial_alone() -> None:
    space, other = space_of(DIGITS), space_of(dict(reversed(DIGITS.items())))
    forwards = [space.draw(7, trial) for trial in range(50)]
    backwards = [other.draw(7, trial) for trial in reversed(range(50))]

    assert forwards == backwards[::-1]
    assert len({json.dumps(each) for each in forwards}) == 50
    assert forwards != [space.draw(8, trial) for trial in range(50)]


def test_another_process_draws_the_same() -> None:
    program = f"""
import json
from rungmaster.shared.space.space import Space
from rungmaster.shared.spec.spec import spec_from_json
spec = spec_from_json(json.loads({json.dumps(json.dumps(spec_to_json(spec_with(DIGITS))))}))
space = Space(spec.hyperparameters)
print(json.dumps([space.draw(3, trial) for trial in range(20)]))
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    space = space_of(DIGITS)
    assert json.loads(done.stdout) == [space.draw(3, trial) for trial in range(20)]


def test_threads_draw_the_same() -> None:
    space = space_of(DIGITS, [{"solver": "sgd", "activation": "relu"}])
    alone = draws(space, 200)
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(lambda trial: space.draw(1, trial), range(200))] == alone


def test_searches_that_take_turns_find_what_each_finds_alone() -> None:
    space = space_of(DIGITS | {"digit": {"type": "int", "low": 0, "high": 99}}, [{"digit": [*range(98)]}])
    alone = draws(space, 20)
    searches, found = {trial: space.search(1, trial) for trial in range(20)}, dict[int, Any]()
    portions = 0
    while searches:
        for trial, step in [(trial, next(search)) for trial, search in searches.items()]:
            portions += 1
            if step is not None:
                found[trial] = step
                del searches[trial]
    assert [found[trial] for trial in range(20)] == alone
    assert portions > 40, "most take several portions"


@pytest.mark.parametrize(("rules", "drawn"), [(2, "1,000,000"), (DRAW_RULES, "10,000")])
def test_where_everything_is_forbidden_drawing_ends_with_the_reason(rules: int, drawn: str) -> None:
    switch, number = {"type": "categorical", "choices": [False, True]}, {"type": "float", "low": 0, "high": 1}
    # Of old they were accepted: by the rules of today they are not specs any more.
    conditions: list[Condition] = [{"on": (False,)}, {"on": (True,)}]
    countable, endless = (spec_with(each).hyperparameters for each in ({"on": switch}, {"on": switch, "x": number}))
    with pytest.raises(InvalidSpec, match="no combination is left"):
        next(Space(countable, conditions).search(1, 0))
    steps = Space(endless, conditions, rules).search(1, 0)
    assert [next(steps) for _ in range(50)] == [None] * 50
    with pytest.raises(InvalidSpec, match=f"of {drawn} combinations that were drawn, every one is forbidden"):
        next(step for step in steps if step is not None)


def test_choices_keep_their_types() -> None:
    choices = [True, 1, "1", 0.5, None, [64, 64], {"layers": [8]}]
    seen = {
        same(drawn["x"]): drawn["x"] for drawn in draws(space_of({"x": {"type": "categorical", "choices": choices}}))
    }

    assert {key: type(value) for key, value in seen.items()} == {same(value): type(value) for value in choices}
    assert [*seen.values()].count(True) == 2  # 1 and True are equal for Python


def test_what_was_drawn_is_the_callers_own() -> None:
    space = space_of({"layers": {"type": "constant", "value": [1, 2]}})
    space.draw(1, 1)["layers"].append(3)
    assert space.draw(1, 1) == {"layers": [1, 2]}


def test_every_value_is_drawn_and_evenly() -> None:
    drawn = draws(
        space_of(
            {
                "float": {"type": "float", "low": -1, "high": 3},
                "log": {"type": "float", "low": 1e-12, "high": 1e-4, "log": True},
                "int": {"type": "int", "low": 1, "high": 4},
                "logint": {"type": "int", "low": 1, "high": 4096, "log": True},
                "ordinal": {"type": "ordinal", "sequence": ["s", "m", "l"]},
                "weighted": {"type": "categorical", "choices": ["often", "seldom", "never"], "weights": [9, 1, 0]},
            }
        ),
        2000,
    )

    assert statistics.mean(each["float"] for each in drawn) == pytest.approx(1, abs=0.15)
    assert statistics.mean(math.log10(each["log"]) for each in drawn) == pytest.approx(-8, abs=0.3)
    assert min(each["log"] for each in drawn) < 2e-12
    assert set(Counter(each["int"] for each in drawn)) == {1, 2, 3, 4}
    assert min(Counter(each["int"] for each in drawn).values()) > 400
    assert statistics.mean(math.log2(each["logint"]) for each in drawn) == pytest.approx(6, abs=0.5)
    assert min(Counter(each["ordinal"] for each in drawn).values()) > 550
    weights = Counter(each["weighted"] for each in drawn)
    assert weights["often"] == pytest.approx(1800, abs=80)
    assert weights["never"] == 0


def test_a_prior_draws_near_its_mean_and_within_the_bounds() -> None:
    drawn = draws(
        space_of(
            {
                "float": {"type": "float", "low": 0, "high": 10, "prior": {"mean": 9.5, "std": 1}},
                "log": {"type": "float", "low": 1e-6, "high": 1, "log": True, "prior": {"mean": 0.001, "std": 0.5}},
                "int": {"type": "int", "low": 0, "high": 1000, "prior": {"mean": 200, "std": 10}},
            }
        ),
        300,
    )

    assert max(each["float"] for each in drawn) <= 10
    assert statistics.mean(each["float"] for each in drawn) == pytest.approx(9.1, abs=0.3)
    logs = [math.log10(each["log"]) for each in drawn]
    assert (statistics.mean(logs), statistics.stdev(logs)) == pytest.approx((-3, 0.5), abs=0.1)
    ints = [each["int"] for each in drawn]
    assert (statistics.mean(ints), statistics.stdev(ints)) == pytest.approx((200, 10), abs=2)


def test_forbidden_combinations_are_never_drawn_even_where_the_first_choices_are() -> None:
    seen = {
        (drawn["solver"], drawn["activation"])
        for drawn in draws(space_of(DIGITS, [{"solver": "sgd", "activation": ["relu"]}]))
    }
    assert seen == {("sgd", "tanh"), ("adam", "relu"), ("adam", "tanh")}


@pytest.mark.parametrize("rate", [0.1, {"type": "float", "low": 0, "high": 1}])
def test_what_does_not_exist_agrees_with_no_prohibition(rate: object) -> None:
    """Neither where combinations are counted nor where they are drawn."""
    space = {
        "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
        "nesterov": {"type": "categorical", "choices": [False, True], "when": {"solver": "sgd"}},
        "rate": rate,
    }
    seen = {(drawn["solver"], drawn.get("nesterov")) for drawn in draws(space_of(space, [{"nesterov": True}]))}
    assert seen == {("sgd", False), ("adam", None)}


def test_one_combination_left_of_a_thousand_is_found() -> None:
    switches = {f"x{number}": {"type": "categorical", "choices": [False, True]} for number in range(10)}
    space = space_of(switches, [{name: True} for name in switches])
    assert space.draw(1, 1) == dict.fromkeys(switches, False)


def test_prohibitions_that_leave_nothing_are_told() -> None:
    spec = spec_with(DIGITS)
    nothing = spec.model_copy(update={"forbidden": ({"solver": ("sgd",)}, {"solver": ("adam",)})})
    (problem,) = Space(nothing.hyperparameters, nothing.forbidden).problems()

    assert str(problem).startswith("forbidden: rules out too much: ")
    assert Space(spec.hyperparameters, spec.forbidden).problems() == []


def test_prohibitions_that_leave_less_than_one_in_a_hundred_are_told_where_it_cannot_be_counted() -> None:
    """A trial that takes a hundred candidates is drawn in milliseconds; one that takes a million stops everything."""
    choices = {"type": "categorical", "choices": [*range(1000)]}
    space = {"x": choices, "y": {"type": "float", "low": 0, "high": 1}}

    def told(allowed: int) -> list[str]:
        spec = spec_with(space)
        forbidden = ({"x": tuple(range(1000 - allowed))},)
        return [str(problem) for problem in Space(spec.hyperparameters, forbidden).problems()]

    (few,) = told(5)
    assert few.startswith("forbidden: rules out too much: of 10,000 combinations that were drawn, ")
    assert few.endswith(" are allowed, and one in 100 has to be")
    assert told(20) == []


def test_one_combination_left_of_a_million_is_found_at_once() -> None:
    switches = {f"x{number}": {"type": "categorical", "choices": [False, True]} for number in range(20)}
    space = space_of(switches, [{name: True} for name in switches])
    assert space.number == 1
    assert space.draw(1, 7) == dict.fromkeys(switches, False)


def test_a_child_of_an_inactive_parent_is_inactive() -> None:
    """`c` needs `b`, which needs `z`; ConfigSpace alone draws `c` without `b` here, since `a` comes before `z`."""
    choice = {"type": "categorical", "choices": [0, 1]}
    space = space_of(
        {"a": choice, "z": choice, "b": choice | {"when": {"z": 1}}, "c": choice | {"when": {"a": 1, "b": 1}}}
    )
    for drawn in draws(space):
        assert ("b" in drawn) == (drawn["z"] == 1)
        assert ("c" in drawn) == (drawn["a"] == 1 and drawn.get("b") == 1)


def test_a_long_chain_of_conditions_is_no_burden() -> None:
    chain: dict[str, Any] = {
        f"h{number}": {"type": "categorical", "choices": [0, 1], "when": {f"h{number - 1}": 1} if number else {}}
        for number in range(300)
    }
    for drawn in draws(space_of(chain), 20):
        assert [*drawn.values()] == [1] * (len(drawn) - 1) + [0]


@pytest.mark.parametrize("log", [False, True])
def test_a_whole_number_can_be_a_parent(log: bool) -> None:
    space = space_of(
        {
            "layers": {"type": "int", "low": 1, "high": 9, "log": log},
            "second": {"type": "float", "low": 0, "high": 1, "when": {"layers": [2, 3, 7]}},
        }
    )
    drawn = draws(space)
    assert all(("second" in each) == (each["layers"] in (2, 3, 7)) for each in drawn)
    assert {each["layers"] for each in drawn} == {*range(1, 10)}


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 2**53 - 1))
def test_any_space_draws_within_its_bounds_its_conditions_and_its_prohibitions(
    declared: tuple[dict[str, Any], list[Any]], seed: int
) -> None:
    try:
        spec = spec_with(*declared)
    except InvalidSpec as error:
        problems = [str(problem) for problem in error.problems]
        assert all("rules out too much" in problem for problem in problems)
        return
    assert spec_from_json(spec_to_json(spec)) == spec
    space = Space(spec.hyperparameters, spec.forbidden)
    for trial in range(5):
        drawn = space.draw(seed, trial)
        assert drawn == space.draw(seed, trial)
        for name, hyperparameter in spec.hyperparameters.items():
            assert (name in drawn) == agrees(hyperparameter.when, drawn)
            assert name not in drawn or fits(hyperparameter, drawn[name])
        assert not any(agrees(combination, drawn) for combination in spec.forbidden)


GRID: dict[str, Any] = {
    "layers": {"type": "int", "low": 1, "high": 3},
    "second": {"type": "ordinal", "sequence": [16, 32], "when": {"layers": [2, 3]}},
    "solver": {"type": "categorical", "choices": ["sgd", "adam", "never"], "weights": [1, 1, 0]},
    "fixed": 1.0,
}
"""Layers and second: 1, 2 and 16, 2 and 32, 3 and 16, 3 and 32; each with two solvers; less what is forbidden."""
FORBIDDEN = [{"layers": 3, "solver": "sgd"}]
COMBINATIONS = 8


def test_a_small_space_gives_each_combination_once_before_any_comes_again() -> None:
    space = space_of(GRID, FORBIDDEN)
    assert space.number == COMBINATIONS
    first = texts(space, range(COMBINATIONS))
    assert len(set(first)) == COMBINATIONS
    assert texts(space, range(COMBINATIONS, 3 * COMBINATIONS)) == first + first
    for drawn in draws(space, COMBINATIONS):
        assert list(drawn) == [name for name in GRID if name in drawn]
        assert ("second" in drawn) == (drawn["layers"] > 1)
        assert drawn["solver"] != "never"
        assert not (drawn["layers"] == 3 and drawn["solver"] == "sgd")
        assert type(drawn["fixed"]) is float


def test_the_order_of_a_small_space_is_the_seeds_and_no_others() -> None:
    """These values are kept in journals and papers: they must not change from one version to the next."""
    reordered = space_of(dict(reversed(GRID.items())), FORBIDDEN)
    assert texts(space_of(GRID, FORBIDDEN), range(20)) == texts(reordered, range(20))
    assert len({(*texts(reordered, range(COMBINATIONS), seed),) for seed in range(10)}) == 10
    assert reordered.draw(1, 0) == {"layers": 2, "second": 16, "solver": "sgd", "fixed": 1.0}
    assert reordered.draw(7, 5) != reordered.draw(7, 4)
    assert [reordered.draw(7, trial) for trial in (5, 4)] == [*map(space_of(GRID, FORBIDDEN).draw, (7, 7), (5, 4))]


def test_what_was_begun_before_small_spaces_had_an_order_is_drawn_as_it_was() -> None:
    spec = spec_with({"x": {"type": "int", "low": 1, "high": 6}})
    before = Space(spec.hyperparameters, spec.forbidden, rules=1)
    assert [before.draw(1, trial)["x"] for trial in range(12)] == [1, 3, 5, 3, 3, 1, 5, 2, 2, 3, 5, 6]


def test_large_spaces_and_those_with_a_float_are_drawn_by_either_rules_alike() -> None:
    for declared in (DIGITS, {"x": {"type": "int", "low": 0, "high": SMALL}}):
        spec = spec_with(declared)
        before, now = (Space(spec.hyperparameters, rules=rules) for rules in (1, DRAW_RULES))
        assert draws(before, 20) == draws(now, 20)


def test_likelier_combinations_come_first() -> None:
    space = {
        "x": {"type": "categorical", "choices": ["often", "seldom"], "weights": [9, 1]},
        "n": {"type": "int", "low": 1, "high": 1024, "log": True},
        "p": {"type": "int", "low": 0, "high": 3, "prior": {"mean": 0, "std": 0.5}},
    }
    early = draws(space_of(space), 200)
    assert sum(each["x"] == "often" for each in early) > 140
    assert statistics.median(each["n"] for each in early) < 100
    assert Counter(each["p"] for each in early).most_common(1)[0][0] in (0, 1)


def test_a_parent_is_as_likely_as_in_any_other_space() -> None:
    """With ten values below one solver and none below the other, either is the first trial's in half of the seeds."""
    space = space_of(
        {
            "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
            "momentum": {"type": "ordinal", "sequence": [*range(10)], "when": {"solver": "sgd"}},
        }
    )
    first = Counter(space.draw(seed, 0)["solver"] for seed in range(400))
    assert first["adam"] == pytest.approx(200, abs=50)


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 2**53 - 1))
def test_any_small_space_has_as_many_combinations_as_it_gives(
    declared: tuple[dict[str, Any], list[Any]], seed: int
) -> None:
    try:
        spec = spec_with(*declared)
    except InvalidSpec:
        return
    space = Space(spec.hyperparameters, spec.forbidden)
    if space.number is None or space.number > 500:
        return
    given_out = [space.draw(seed, trial) for trial in range(space.number)]
    assert len({same(drawn) for drawn in given_out}) == space.number
    assert same(space.draw(seed, space.number)) == same(given_out[0])
    before = Space(spec.hyperparameters, spec.forbidden, rules=1)
    assert {same(before.draw(seed, trial)) for trial in range(20)} <= {same(drawn) for drawn in given_out}
    for drawn in given_out:
        assert not any(agrees(combination, drawn) for combination in spec.forbidden)


@pytest.mark.parametrize(
    ("space", "forbidden", "number"),
    [
        (DIGITS, [], None),
        ({"x": {"type": "int", "low": 0, "high": 2**53 - 2}, "y": {"type": "int", "low": 0, "high": 1}}, [], 2**54 - 2),
        (DIGITS | {"learning_rate": 0.1}, [], None),
        (DIGITS | {"learning_rate": 0.1}, [{"solver": "sgd"}], 241 * 2),
        ({f"x{number}": {"type": "int", "low": 0, "high": 9} for number in range(8)}, [{"x0": 1, "x7": 2}], 99 * 10**6),
    ],
)
def test_combinations_are_counted_and_floats_have_no_end(
    space: dict[str, Any], forbidden: list[Any], number: int | None
) -> None:
    assert space_of(space, forbidden).number == number


def test_what_takes_too_long_to_count_is_not_counted() -> None:
    space = {f"x{number}": {"type": "categorical", "choices": [*range(100)]} for number in range(5)}
    tangled = [{f"x{number}": 1, f"x{number + 1}": 2} for number in range(4)]
    assert space_of(space, tangled).number is None


@pytest.mark.parametrize(
    ("space", "trials", "told"),
    [
        ({"x": 1}, 10, "there is 1 combination for 10 trials: all are the same"),
        ({"x": {"type": "int", "low": 1, "high": 9}}, 10, "there are 9 combinations for 10 trials"),
        ({"x": {"type": "int", "low": 1, "high": 9}}, 10, "each comes once, and then again"),
        ({"x": {"type": "int", "low": 1, "high": 20_000}}, 30_000, "some come several times"),
        ({"x": {"type": "int", "low": 1, "high": 10}}, 10, ""),
        (DIGITS, 10**9, ""),
    ],
)
def test_fewer_combinations_than_trials_are_told(space: dict[str, Any], trials: int, told: str) -> None:
    spec = spec_with(space)
    spec = spec.model_copy(update={"searcher": spec.searcher.model_copy(update={"max_trials": trials})})
    said = repetition(spec, Space(spec.hyperparameters))
    assert told in said
    assert bool(told) == bool(said)
