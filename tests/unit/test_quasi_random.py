"""Quasi-random draws: more even than chance, in the space, and the same whenever and wherever they are made."""

from __future__ import annotations

import statistics
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats.qmc import discrepancy
from unit.master_harness import Master, make_spec
from unit.space_values import agrees, fits, spaces, spec_with

from rungmaster.master.dispatcher.setup import set_up, setup_from_json
from rungmaster.master.experiment.next_trial import patiently
from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.space.hyperparameters import Condition, same
from rungmaster.shared.space.quasi_random import BLOCK_BITS, QuasiRandom
from rungmaster.shared.space.space import DRAW_RULES, Space
from rungmaster.shared.spec.spec import spec_from_json, spec_to_json

UNIT = {"type": "float", "low": 0, "high": 1}
BLOCK = 1 << BLOCK_BITS
MLP: dict[str, Any] = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "width": {"type": "int", "low": 16, "high": 256, "log": True},
    "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"solver": "sgd"}},
    "batch_size": 64,
}


class Draws:
    """What trials of a search get."""

    def __init__(self, hyperparameters: dict[str, Any], forbidden: list[Any] | None = None, seed: int = 1) -> None:
        spec = spec_with(hyperparameters, forbidden)
        self.space = Space(spec.hyperparameters, spec.forbidden)
        self._evenly = QuasiRandom(spec.hyperparameters, spec.forbidden, self.space)
        self._seed = seed

    def __call__(self, trial: int) -> dict[str, Any]:
        return next(found for found in self._evenly.search(self._seed, trial) if found is not None)

    def first(self, number: int) -> list[dict[str, Any]]:
        return [self(trial) for trial in range(number)]


def cells(values: list[float], parts: int) -> Counter[int]:
    """How many values lie in each of so many equal parts of 0 to 1."""
    return Counter(min(int(value * parts), parts - 1) for value in values)


def test_each_part_of_each_range_gets_equally_many_trials() -> None:
    drawn = Draws(dict.fromkeys("abcde", UNIT)).first(64)
    for name in "abcde":
        for parts in (2, 16, 64):
            assert set(cells([each[name] for each in drawn], parts).values()) == {64 // parts}


@pytest.mark.parametrize(("dimensions", "power"), [(1, 5), (2, 7), (4, 8), (6, 9)])
@pytest.mark.parametrize("seed", range(3))
def test_the_spread_is_better_than_that_of_random_draws(dimensions: int, power: int, seed: int) -> None:
    draws = Draws({f"x{n}": UNIT for n in range(dimensions)}, seed=seed)
    evenly = np.array([[*each.values()] for each in draws.first(2**power)])
    by_chance = np.array([[*draws.space.draw(seed, trial).values()] for trial in range(2**power)])
    assert discrepancy(evenly) < 0.5 * discrepancy(by_chance)


def test_a_later_block_is_as_even_as_the_first_and_another_one() -> None:
    draws = Draws({"a": UNIT, "b": UNIT})
    later = [draws(3 * BLOCK + index) for index in range(64)]
    assert set(cells([each["a"] for each in later], 64).values()) == {1}
    assert {each["a"] for each in later}.isdisjoint(each["a"] for each in draws.first(64))


def test_a_trial_gets_the_same_in_any_version() -> None:
    """These values are kept in journals and papers: they must not change from one version to the next."""
    assert Draws(MLP)(5) == {
        "learning_rate": 0.0376426352987,
        "width": 20,
        "solver": "sgd",
        "momentum": 0.288543351077,
        "batch_size": 64,
    }
    assert Draws(MLP)(70_000)["learning_rate"] == 0.0213930676275


@given(st.lists(st.integers(0, 2 * BLOCK), min_size=1, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_the_order_of_draws_changes_none_of_them(trials: list[int], random: Any) -> None:
    others = trials.copy()
    random.shuffle(others)
    one, other = Draws(MLP), Draws(dict(reversed(MLP.items())))
    assert {trial: one(trial) for trial in trials} == {trial: other(trial) for trial in others}


def test_a_seed_decides_all_of_it() -> None:
    assert Draws(MLP, seed=1).first(20) != Draws(MLP, seed=2).first(20)
    assert len({same(each) for each in Draws(MLP).first(500)}) == 500


def test_threads_draw_the_same() -> None:
    alone = Draws(MLP).first(200)
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(Draws(MLP), reversed(range(200)))] == alone[::-1]


@given(spaces(), st.integers(0, 10))
@settings(max_examples=30)
def test_every_draw_lies_in_the_space(space: tuple[dict[str, Any], list[Condition]], seed: int) -> None:
    declared, forbidden = space
    try:
        spec = spec_with(declared, forbidden)
    except InvalidSpec as error:
        # There is nothing to draw.
        assume("rules out" not in str(error))
        raise
    for each in Draws(declared, forbidden, seed).first(8):
        assert [*each] == [name for name in declared if name in each]
        for name, hyperparameter in spec.hyperparameters.items():
            assert (name in each) == agrees(hyperparameter.when, each)
            assert name not in each or fits(hyperparameter, each[name])
        assert not any(agrees(combination, each) for combination in spec.forbidden)


def test_values_are_distributed_as_the_space_has_it() -> None:
    draws = Draws(
        {
            "tilted": {"type": "categorical", "choices": ["a", "b", "c"], "weights": [2, 1, 1]},
            "never": {"type": "categorical", "choices": ["a", "b"], "weights": [0, 1]},
            "size": {"type": "ordinal", "sequence": [1, 2, 4, 8]},
            "wide": {"type": "float", "low": 1e-4, "high": 1, "log": True},
            "near": {"type": "float", "low": 0, "high": 1, "prior": {"mean": 0.3, "std": 0.05}},
            "count": {"type": "int", "low": 1, "high": 64, "prior": {"mean": 8, "std": 2}},
        }
    ).first(256)
    assert Counter(each["tilted"] for each in draws) == {"a": 128, "b": 64, "c": 64}
    assert {each["never"] for each in draws} == {"b"}
    assert Counter(each["size"] for each in draws) == {1: 64, 2: 64, 4: 64, 8: 64}
    assert sum(each["wide"] < 1e-2 for each in draws) == 128
    assert statistics.mean(each["near"] for each in draws) == pytest.approx(0.3, abs=0.002)
    assert statistics.stdev(each["near"] for each in draws) == pytest.approx(0.05, rel=0.05)
    assert statistics.mean(each["count"] for each in draws) == pytest.approx(8, abs=0.1)


def test_what_exists_under_a_condition_is_spread_evenly_there() -> None:
    momentum = [each["momentum"] for each in Draws(MLP).first(512) if each["solver"] == "sgd"]
    assert len(momentum) == 256
    assert max(cells([each / 0.99 for each in momentum], 16).values()) <= 20


def test_where_a_point_is_forbidden_the_trial_gets_one_that_no_other_trial_has() -> None:
    digits = {"type": "int", "low": 0, "high": 9}
    declared = {"digit": digits, "x": UNIT, "y": UNIT}
    forbidden = [{"digit": [0, 1, 2, 3, 4, 5]}]
    drawn = Draws(declared, forbidden).first(400)
    assert {each["digit"] for each in drawn} == {6, 7, 8, 9}
    assert len({each["x"] for each in drawn}) == 400
    again = Draws(declared, forbidden)
    assert drawn == [again(trial) for trial in reversed(range(400))][::-1]


def test_where_next_to_nothing_is_allowed_trials_are_drawn_all_the_same() -> None:
    drawn = Draws({"digit": {"type": "int", "low": 0, "high": 99}, "x": UNIT}, [{"digit": [*range(98)]}]).first(40)
    assert {each["digit"] for each in drawn} == {98, 99}
    assert len({each["x"] for each in drawn}) == 40


def test_of_a_small_space_each_combination_comes_once_and_the_first_are_spread() -> None:
    side = {"type": "int", "low": 0, "high": 7}
    draws = Draws({"a": side, "b": side}, [{"a": [0], "b": [0]}])
    drawn = [(each["a"], each["b"]) for each in draws.first(126)]
    assert len(set(drawn[:63])) == 63
    assert drawn[63:] == drawn[:63]
    assert max(Counter(a for a, _ in drawn[:8]).values()) <= 2


def test_a_space_of_constants_has_one_combination() -> None:
    assert Draws({"a": 1, "b": {"type": "constant", "value": [1]}}).first(3) == [{"a": 1, "b": [1]}] * 3


def test_an_experiment_draws_by_its_sampler_also_after_a_restart() -> None:
    document = spec_to_json(spec_with(MLP)) | {"sampler": {"name": "quasi_random"}, "seed": 1}
    begun = patiently(set_up(spec_from_json(document)).draw)
    restarted = patiently(setup_from_json(document, DRAW_RULES).draw)
    assert [begun(trial) for trial in range(9)] == [restarted(trial) for trial in range(9)] == Draws(MLP).first(9)


def test_trials_say_that_their_hyperparameters_are_quasi_random() -> None:
    master = Master()
    searcher = {"name": "asha", "max_trials": 3, "max_resource": 9, "max_rungs": 1}
    given = {"initial_trials": [{"width": 128}], "sampler": "quasi_random", "seed": 1}
    master.do(lambda core: core.create(set_up(make_spec(searcher, hyperparameters=MLP, **given)), ""))
    worker = master.worker(slots=2)
    worker.work(2)
    worker.work(1)
    trials = [*master.store.rows.trials.values()]
    assert [trial.origin for trial in trials] == ["initial", "quasi_random"]
    assert trials[1].hparams == Draws(MLP)(1)
