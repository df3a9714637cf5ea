"""A training program that costs nothing: its error is a known function of the hyperparameters and the epoch."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from rungmaster import Trial


def error(quality: float, epoch: int) -> float:
    """Falls with the epoch, towards a floor that the hyperparameter sets."""
    return quality + 1.0 / (1 + epoch)


def train(trial: Trial) -> None:
    """Counts the epochs that it really trained in its checkpoint, so that a test can see repeated work."""
    state = {"epochs": 0}

    def save(folder: Path) -> None:
        (folder / "state.json").write_text(json.dumps(state))

    def load(folder: Path) -> None:
        state.update(json.loads((folder / "state.json").read_text()))

    for epoch in trial.steps(save=save, load=load):
        assert state["epochs"] == epoch, f"resumed at epoch {epoch} with a checkpoint of epoch {state['epochs']}"
        time.sleep(trial.hparams.get("seconds_per_epoch", 0))
        state["epochs"] += 1
        log = os.environ.get("TOY_LOG")
        if log:
            with Path(log).open("a") as stream:
                stream.write(f"{trial.trial_id} {epoch + 1}\n")
        trial.report(error=error(trial.hparams["quality"], epoch + 1))


def fail(trial: Trial) -> None:
    """Fails always."""
    raise RuntimeError(f"no luck with quality {trial.hparams['quality']:.3f}")
