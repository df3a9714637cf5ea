"""The sampler `bohb`: what it learns from results, what it leaves to chance, and that it says the same again."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.sampler_talk import Talk
from unit.space_values import spaces

from rungmaster.sampler.bohb import Bohb
from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.space.hyperparameters import Condition

UNIT = {"type": "float", "low": 0.0, "high": 1.0}
SPACE: dict[str, Any] = {
    "rate": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "solver": {"type": "categorical", "choices": ["sgd", "adam", "lion"]},
    "momentum": {"type": "float", "low": 0.0, "high": 1.0, "when": {"solver": "sgd"}},
    "layers": {"type": "int", "low": 1, "high": 8},
    "size": {"type": "ordinal", "sequence": [16, 32, 64, 128]},
    "batch": 64,
}


def learned(talk: Talk, number: int = 60, resource: int = 9) -> Talk:
    """Tells results: best are adam, a rate near 0.01, and few layers."""
    for hparams in talk.ask(number):
        far = abs(math.log10(hparams["rate"]) + 2)
        talk.tell(hparams, 0.5 * (hparams["solver"] != "adam") + 0.3 * far + 0.1 * hparams["layers"], resource)
    return talk


def by_model(talk: Talk, number: int = 60) -> list[dict[str, Any]]:
    """What the model suggests."""
    return [hparams for hparams, note in talk.ask_with_notes(number) if note.startswith("the best")]


def test_suggestions_come_to_lie_where_results_are_good() -> None:
    talk = learned(Talk(Bohb(), SPACE))
    after = by_model(talk)
    assert len(after) > 25
    assert Counter(each["solver"] for each in after)["adam"] > 0.8 * len(after)
    assert statistics.median(each["layers"] for each in after) <= 3


def test_with_goal_maximize_more_is_better() -> None:
    talk = Talk(Bohb(), {"x": UNIT}, goal="maximize")
    for number in range(20):
        talk.tell({"x": number / 20}, number)
    assert statistics.mean(each["x"] for each in by_model(talk)) > 0.7


def test_a_third_of_the_suggestions_is_drawn_without_the_model() -> None:
    talk = learned(Talk(Bohb(), SPACE))
    notes = Counter(note for _, note in talk.ask_with_notes(150))
    assert 30 <= notes["random"] <= 70
    assert len(notes) == 2


def test_without_enough_results_all_is_drawn() -> None:
    talk = Talk(Bohb(), {"x": UNIT, "y": UNIT})
    for number in range(4):
        talk.tell({"x": number / 5, "y": 0.5}, number)
    assert {note for _, note in talk.ask_with_notes(20)} == {"random"}
    talk.tell({"x": 0.9, "y": 0.5}, 4)
    assert "the best 3 of 5 trials at 9" in {note for _, note in talk.ask_with_notes(20)}


def test_the_highest_rung_with_enough_results_is_the_one_that_counts() -> None:
    talk = Talk(Bohb(), {"x": UNIT})
    for number in range(30):
        talk.tell({"x": number / 30}, number, resource=1)
    for number in range(5):
        # At the higher rung it is the other way round.
        talk.tell({"x": number / 5}, -number, resource=3)
    talk.tell({"x": 0.0}, 0, resource=9)
    notes = {note for _, note in talk.ask_with_notes(20)}
    assert notes == {"random", "the best 2 of 5 trials at 3"}
    assert statistics.mean(each["x"] for each in by_model(talk)) > 0.5


def test_trials_that_were_not_promoted_are_bad() -> None:
    """Those that were are all good: beside each other they would send it to where nobody was promoted from."""
    talk = Talk(Bohb(), {"x": UNIT})
    for number in range(40):
        x = number / 40
        talk.tell({"x": x}, x, 1)
        if x < 0.2:
            talk.tell({"x": x}, x, 9, trial=number)
    after = [each["x"] for each in by_model(talk)]
    assert statistics.median(after) < 0.3
    assert sum(x > 0.7 for x in after) < len(after) / 10


def test_trials_that_failed_and_results_that_are_no_numbers_are_bad() -> None:
    talk = Talk(Bohb(), {"x": UNIT})
    for number in range(30):
        x = number / 30
        if x < 0.5:
            talk.tell({"x": x}, None, resource=0 if number % 2 else 9, failed=bool(number % 2))
        else:
            talk.tell({"x": x}, 1.0)
    assert sum(each["x"] > 0.45 for each in by_model(talk)) > 0.9 * len(by_model(talk))


def test_failures_alone_are_no_results() -> None:
    talk = Talk(Bohb(), {"x": UNIT})
    for number in range(20):
        talk.tell({"x": number / 20}, None, failed=True)
    assert {note for _, note in talk.ask_with_notes(20)} == {"random"}


def test_hyperparameters_that_exist_in_some_trials_only_are_learned_where_they_exist() -> None:
    space = {"kind": {"type": "categorical", "choices": ["a", "b"]}, "x": UNIT | {"when": {"kind": "a"}}}
    talk = Talk(Bohb(), space)
    for hparams in talk.ask(60):
        talk.tell(hparams, abs(hparams["x"] - 0.8) if "x" in hparams else 0.5)
    suggested = by_model(talk)
    there = [each["x"] for each in suggested if "x" in each]
    assert len(there) > 0.8 * len(suggested)
    assert statistics.mean(there) == pytest.approx(0.8, abs=0.1)


def test_the_same_history_gives_the_same_suggestions_in_a_new_process_too() -> None:
    first, again = learned(Talk(Bohb(), SPACE, seed=5)), learned(Talk(Bohb(), SPACE, seed=5))
    suggested = first.ask(5)
    assert again.ask(5) == suggested
    assert first.ask(5, pending=suggested) == again.ask(5, pending=suggested) != suggested
    assert learned(Talk(Bohb(), SPACE, seed=6)).ask(5) != suggested


def test_asked_again_for_the_same_it_suggests_others() -> None:
    talk = Talk(Bohb(), SPACE)
    assert talk.ask(3) != talk.ask(3)


@pytest.mark.parametrize("told", [0, 12])
def test_of_a_small_space_nothing_is_suggested_twice_before_all_was_tried(told: int) -> None:
    space = {"a": {"type": "int", "low": 1, "high": 5}, "b": {"type": "categorical", "choices": ["x", "y", "z", "w"]}}
    talk = Talk(Bohb(), space)
    tried = talk.ask(told)
    for hparams in tried:
        talk.tell(hparams, hparams["a"])
    more = talk.ask(18 - told)
    assert len({str(each) for each in tried + more}) == 18
    assert all(each not in more for each in talk.ask(2, pending=more))
    assert len(talk.ask(5, pending=[*more, *talk.ask(2, pending=more)])) == 5


def test_what_has_no_weight_is_never_suggested() -> None:
    space = {"a": {"type": "categorical", "choices": ["x", "y", "z"], "weights": [1, 0, 1]}, "x": UNIT}
    talk = Talk(Bohb(), space)
    for hparams in talk.ask(30):
        talk.tell(hparams, hparams["x"])
    assert {each["a"] for each in talk.ask(100)} == {"x", "z"}


PRIOR = UNIT | {"prior": {"mean": 0.2, "std": 0.05}}


def test_a_prior_is_followed_by_half_of_the_first_suggestions() -> None:
    notes = Talk(Bohb(), {"x": PRIOR, "y": UNIT}).ask_with_notes(300)
    assert {note for _, note in notes} == {"random", "prior"}
    near = [hparams["x"] for hparams, note in notes if note == "prior"]
    even = [hparams["x"] for hparams, note in notes if note == "random"]
    assert 120 <= len(near) <= 180
    assert statistics.mean(near) == pytest.approx(0.2, abs=0.02)
    assert statistics.mean(even) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("good", "followed"), [(0.2, True), (0.9, False)])
def test_a_prior_keeps_its_share_where_it_is_right_and_loses_it_where_it_misleads(good: float, followed: bool) -> None:
    talk = Talk(Bohb(), {"x": PRIOR})
    for number in range(31):
        talk.tell({"x": number / 30}, abs(number / 30 - good))
    notes = Counter(note for _, note in talk.ask_with_notes(200))
    assert (notes["prior"] > notes["near the best trial"]) == followed
    assert notes["random"] > 20
    assert notes["prior"] < 60


@given(spaces(), st.integers(0, 3))
@settings(max_examples=8)
def test_every_suggestion_lies_in_the_space(space: tuple[dict[str, Any], list[Condition]], seed: int) -> None:
    try:
        talk = Talk(Bohb(), space[0], forbidden=space[1], seed=seed)
    except InvalidSpec:
        return
    for number, hparams in enumerate(talk.ask(10)):
        talk.tell(hparams, number % 5)
    talk.ask(4)


def test_it_begins_fast_and_needs_nothing_but_numpy() -> None:
    program = """
import sys
import rungmaster.sampler.bohb
assert not {"pydantic", "scipy", "sklearn", "ConfigSpace"} & sys.modules.keys(), sys.modules.keys()
"""
    subprocess.run([sys.executable, "-P", "-c", program], check=True)
