"""With `checkpoints: {keep: best}` the model of the best result of any report exists when the search is over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster import QUALITY

from rungmaster.client import run

TRAINING = """
import json

def train(trial):
    done = []
    def save(folder):
        (folder / "model.json").write_text(json.dumps(done))
    def load(folder):
        done.extend(json.loads((folder / "model.json").read_text()))
    for step in trial.steps(save=save, load=load):
        done.append(step + 1)
        trial.report(error=abs(step + 1 - 3) + trial.hparams["x"])
"""
SPEC: dict[str, Any] = {
    "name": "overfits",
    "entrypoint": "overfits:train",
    "metric": {"name": "error", "goal": "minimize"},
    "hyperparameters": {"x": QUALITY},
    "checkpoints": {"keep": "best", "interval": None},
}


class Silent:
    def say(self, words: str) -> None:
        del words

    def show(self, snapshot: object) -> None:
        del snapshot


@pytest.mark.parametrize("stop_once", [False, True])
def test_the_model_of_the_best_result_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_once: bool) -> None:
    (tmp_path / "overfits.py").write_text(TRAINING)
    monkeypatch.chdir(tmp_path)
    searcher = {"name": "asha", "max_trials": 3, "max_resource": 6, "divisor": 2, "stop_once": stop_once}
    result = run(SPEC | {"searcher": searcher}, workers=1, display=Silent())
    assert result.best is not None
    assert result.best.best_resource == 3
    assert result.best.best_metric == min(
        report.metrics["error"] for trial in result.trials() for report in result.metrics(trial.trial_id)
    )
    assert result.fetch_checkpoint(tmp_path / "best").resource == 3
    assert json.loads((tmp_path / "best" / "model.json").read_text()) == [1, 2, 3]
