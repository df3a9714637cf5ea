"""The sampler `cqr`: it learns from each trial's last result, corrects its intervals, and says the same again."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import Any

import numpy as np
import pytest
from unit.sampler_talk import Talk

from rungmaster.sampler import cqr
from rungmaster.sampler.cqr import Cqr

UNIT = {"type": "float", "low": 0.0, "high": 1.0}
SPACE: dict[str, Any] = {
    "x": UNIT,
    "solver": {"type": "categorical", "choices": ["sgd", "adam", "lion"]},
    "momentum": UNIT | {"when": {"solver": "sgd"}},
    "size": {"type": "ordinal", "sequence": [16, 32, 64]},
    "batch": 64,
}


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be seen here shows with fewer."""
    monkeypatch.setattr(cqr, "TREES", 8)
    monkeypatch.setattr(cqr, "LEARNING_RATE", 0.4)
    monkeypatch.setattr(cqr, "CANDIDATES", 400)


def learned(talk: Talk, number: int = 36) -> Talk:
    """Tells results: best are adam and a large x."""
    for hparams in talk.ask(number):
        talk.tell(hparams, 2.0 * (hparams["solver"] != "adam") - hparams["x"])
    return talk


def test_suggestions_come_to_lie_where_results_are_good() -> None:
    suggested = learned(Talk(Cqr(), SPACE)).ask(20)
    assert Counter(each["solver"] for each in suggested)["adam"] >= 16
    assert statistics.mean(each["x"] for each in suggested) > 0.65


def test_with_goal_maximize_more_is_better() -> None:
    talk = Talk(Cqr(), {"x": UNIT}, goal="maximize")
    for number in range(20):
        talk.tell({"x": number / 20}, number)
    assert statistics.mean(each["x"] for each in talk.ask(20)) > 0.65


def test_the_last_result_of_a_trial_is_the_one_that_counts() -> None:
    talk = Talk(Cqr(), {"x": UNIT})
    for number in range(20):
        for resource, metric in ((1, number), (3, 0), (9, -number)):
            talk.tell({"x": number / 20}, metric, resource, trial=number)
    assert statistics.mean(each["x"] for each in talk.ask(20)) > 0.65


def test_trials_that_failed_are_as_bad_as_the_worst() -> None:
    talk = Talk(Cqr(), {"x": UNIT})
    for number in range(30):
        x = number / 30
        talk.tell({"x": x}, None if x < 0.6 else number % 3, failed=x < 0.6 and number % 2 == 0)
    assert sum(each["x"] > 0.55 for each in talk.ask(20)) >= 16


def test_the_first_suggestions_are_drawn() -> None:
    talk = Talk(Cqr(), SPACE)
    for hparams, note in talk.ask_with_notes(cqr.LEAST):
        assert note == "random"
        talk.tell(hparams, hparams["x"])
    assert [note for _, note in talk.ask_with_notes(2)] == [f"the model of {cqr.LEAST} results"] * 2


def test_the_same_history_gives_the_same_suggestions() -> None:
    first, again = learned(Talk(Cqr(), SPACE, seed=5), 12), learned(Talk(Cqr(), SPACE, seed=5), 12)
    suggested = first.ask(3)
    assert again.ask(3) == suggested
    assert first.ask(3, pending=suggested) == again.ask(3, pending=suggested) != suggested


def test_of_a_small_space_nothing_is_suggested_twice_before_all_was_tried() -> None:
    space = {"a": {"type": "int", "low": 1, "high": 5}, "b": {"type": "categorical", "choices": ["x", "y", "z"]}}
    talk = Talk(Cqr(), space, forbidden=[{"a": 1, "b": "x"}])
    tried = talk.ask(8)
    for hparams in tried:
        talk.tell(hparams, hparams["a"])
    more = talk.ask(6)
    assert len({str(each) for each in tried + more}) == 14
    assert len(talk.ask(2, pending=more)) == 2


def test_held_out_results_correct_the_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cqr, "HELD_OUT", 0.5)
    # Deep trees learn chance by heart: what they predict is as narrow as if it were certain.
    monkeypatch.setattr(cqr, "DEPTH", 9)
    monkeypatch.setattr(cqr, "LEAST_IN_LEAF", 1)
    random = np.random.default_rng(1)
    features, losses = random.random((600, 3)), random.normal(size=600)
    quantiles = cqr.Quantiles(features, losses, np.random.default_rng(2))
    predicted = quantiles.predicted(random.random((2_000, 3)))
    results = random.normal(size=2_000)
    held = [np.mean((predicted[:, low] <= results) & (results <= predicted[:, -1 - low])) for low in (0, 1)]
    assert held == pytest.approx([4 / 6, 2 / 6], abs=0.08)
