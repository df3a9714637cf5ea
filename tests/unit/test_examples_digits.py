"""The digits example: what it learns from, and that a pause leaves no trace in what it learns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rungmaster.worker.testing import RecordedReport, train_alone

ROOT = Path(__file__).parents[2]
ADAM = {"learning_rate": 0.02, "width": 32, "activation": "tanh", "solver": "adam", "batch_size": 64}
SGD = {"learning_rate": 0.05, "width": 24, "activation": "relu", "solver": "sgd", "momentum": 0.9, "batch_size": 64}


@pytest.fixture(autouse=True)
def _in_the_projects_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def train_digits(hparams: dict[str, Any], epochs: int, **options: Any) -> list[RecordedReport]:
    from examples.digits import train

    return train_alone(train, hparams, epochs, metric="validation_error", **options)


@pytest.mark.parametrize("hparams", [ADAM, SGD], ids=["adam", "sgd"])
def test_a_trial_that_was_paused_ends_exactly_as_one_that_was_not(hparams: dict[str, Any]) -> None:
    assert train_digits(hparams, 9, pauses=[1, 3, 4]) == train_digits(hparams, 9)


def test_a_trial_is_determined_by_its_seed() -> None:
    first, again, other = (train_digits(ADAM, 2, trial_id=trial_id) for trial_id in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_network_learns_to_read() -> None:
    reports = train_digits(ADAM, 9)
    assert [report.resource for report in reports] == list(range(1, 10))
    assert reports[-1].metrics["validation_error"] < 0.06 < reports[0].metrics["validation_error"]
    assert reports[-1].metrics["test_accuracy"] > 0.94


def test_weights_that_explode_are_reported_as_not_a_number() -> None:
    reports = train_digits({**SGD, "learning_rate": 1e200}, 4, pauses=[2])
    assert len(reports) == 4
    assert math.isnan(reports[-1].metrics["validation_error"])


def test_a_mistake_in_the_hyperparameters_is_an_error_and_no_bad_result() -> None:
    with pytest.raises(ValueError, match="activation"):
        train_digits({**ADAM, "activation": "sigmoidal"}, 1)


def test_no_image_is_both_learnt_from_and_judged_by() -> None:
    from sklearn.datasets import load_digits

    from examples.digits.data import read_digits

    digits = read_digits()
    parts = [digits.train.images, digits.validation.images, digits.test.images]
    assert [len(part) for part in parts] == [1079, 359, 359]
    images, _ = load_digits(return_X_y=True)
    together = np.concatenate(parts)
    assert sorted(map(bytes, together)) == sorted(map(bytes, images / 8.0 - 1.0))
    assert together.min() == -1.0
    assert together.max() == 1.0


def test_checkpoints_are_taken_on_whole(tmp_path: Path) -> None:
    from examples.digits import Classifier
    from examples.digits.data import read_digits

    digits = read_digits()
    one, other = Classifier(SGD, seed=1), Classifier(SGD, seed=2)
    one.fit_one_epoch(digits.train)
    one.save(tmp_path)
    other.load(tmp_path)
    for classifier in (one, other):
        classifier.fit_one_epoch(digits.train)
    for mine, theirs in zip(one.network.coefs_, other.network.coefs_, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_verification_says_when_there_is_nothing_to_verify(tmp_path: Path) -> None:
    from examples.digits.verify import find_best

    with pytest.raises(SystemExit, match="run a search first"):
        find_best(tmp_path / "none.db")
