"""The best trials, and the hyperparameters of one in the forms that people paste elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from ...client.cli.text import exactly
from ...plots.history import sign_of
from ...shared.spec.document.yaml_writing import yaml_text
from ...shared.text.visible import json_text
from ...shared.wire.model import Experiment, TrialInfo


def ranked(experiment: Experiment, trials: Iterable[TrialInfo]) -> list[TrialInfo]:
    """Those with a result, the best first, by the result that counts when the best is named."""
    sign = sign_of(experiment)
    found = [(result, trial) for trial in trials if (result := experiment.result_of(trial)[0]) is not None]
    return [trial for _, trial in sorted(found, key=lambda pair: (sign * pair[0], pair[1].trial_id))]


def best_forms(trial: TrialInfo) -> dict[str, str]:
    """Its hyperparameters as YAML, as JSON, and as arguments of a command line."""
    arguments = (f"--{name}={exactly(value)}" for name, value in trial.hparams.items())
    return {
        "YAML": yaml_text([trial.hparams]),
        "JSON": json_text(trial.hparams, indent=2),
        "Command line": " ".join(map(shlex.quote, arguments)),
    }
