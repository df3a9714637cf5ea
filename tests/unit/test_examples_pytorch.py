"""The PyTorch example, where PyTorch is installed (the extra `torch`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from rungmaster.worker.testing import RecordedReport, train_alone

pytest.importorskip("torch", reason="PyTorch is not installed; it comes with the extra `torch`")

ROOT = Path(__file__).parents[2]
HPARAMS = {"learning_rate": 0.003, "weight_decay": 0.01, "channels": 8, "dropout": 0.2, "batch_size": 32}


def train_digits(epochs: int, pauses: tuple[int, ...] = ()) -> list[RecordedReport]:
    from examples.pytorch import train

    return train_alone(train, HPARAMS, epochs, metric="validation_error", pauses=pauses)


@pytest.fixture(autouse=True)
def _in_the_projects_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def test_a_trial_that_was_paused_ends_exactly_as_one_that_was_not() -> None:
    assert train_digits(6, pauses=(1, 3)) == train_digits(6)


def test_the_network_learns_to_read() -> None:
    reports = train_digits(9)
    assert reports[-1].metrics["validation_error"] < reports[0].metrics["validation_error"]
    assert reports[-1].metrics["test_accuracy"] > 0.95
