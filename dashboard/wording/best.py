"""The best trials, and the hyperparameters of one in the forms that people paste elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from ...client.hparam_forms import as_arguments, as_exports, as_json, as_yaml
from ...plots.history import sign_of
from ...shared.wire.model import Experiment, TrialInfo


def ranked(experiment: Experiment, trials: Iterable[TrialInfo]) -> list[TrialInfo]:
    """Those with a result, the best first, by the result that counts when the best is named."""
    sign = sign_of(experiment)
    found = [(result, trial) for trial in trials if (result := experiment.result_of(trial)[0]) is not None]
    return [trial for _, trial in sorted(found, key=lambda pair: (sign * pair[0], pair[1].trial_id))]


def best_forms(trial: TrialInfo) -> dict[str, str]:
    """Its hyperparameters as `rungmaster best --format` prints them, by what a page calls each form."""
    return {
        "YAML": as_yaml(trial.hparams),
        "JSON": as_json(trial.hparams, indent=2),
        "Command line": as_arguments(trial.hparams),
        "Environment": as_exports(trial.hparams),
    }
