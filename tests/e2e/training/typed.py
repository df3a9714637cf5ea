"""A training program that writes down what it was given, with its types."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rungmaster import Trial


def train(trial: Trial) -> None:
    """One unit, for hyperparameters of every kind."""
    prefix = "RUNGMASTER_HPARAM_"
    variables = {name.removeprefix(prefix): value for name, value in os.environ.items() if name.startswith(prefix)}
    told = {"hparams": repr(trial.hparams), "json": os.environ["RUNGMASTER_HPARAMS"], "variables": variables}
    Path(os.environ["TOY_LOG"]).write_text(json.dumps(told))
    for _ in trial.steps():
        trial.report(error=0.5)
