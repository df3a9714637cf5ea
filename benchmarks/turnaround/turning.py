"""Training code that trains nothing, and notes when it begins and when it hands in its last report."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

BEGUN = time.monotonic  # the first line of `train` calls it

import sklearn.neural_network  # noqa: E402, F401 - something heavy, as training code imports

from rungmaster import Trial  # noqa: E402


def train(trial: Trial) -> None:
    note("first", BEGUN(), trial)
    for _ in trial.steps(save, load):
        time.sleep(trial.hparams["seconds"])
        if trial.resource + 1 >= trial.target:
            note("last", time.monotonic(), trial)
        trial.report(error=trial.hparams["quality"])
        note("decided", time.monotonic(), trial)


def save(folder: Path) -> None:
    (folder / "state").write_bytes(b"x" * 1000)


def load(folder: Path) -> None:
    (folder / "state").read_bytes()


def note(what: str, when: float, trial: Trial) -> None:
    line: dict[str, Any] = {"what": what, "when": when, "trial": trial.trial_id}
    line["slot"] = os.environ["CUDA_VISIBLE_DEVICES"]
    with Path(os.environ["TURNING_MARKS"]).open("a") as marks:
        marks.write(json.dumps(line) + "\n")
