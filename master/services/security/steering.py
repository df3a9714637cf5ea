"""Whose experiment it is: a submitter steers what it submitted itself, and nothing else."""

from __future__ import annotations

from ....shared.errors import PermissionDenied
from ....shared.wire.model import Experiment
from .roles import EXPERIMENTS, Role, may


def owns(name: str, experiment: Experiment) -> bool:
    """Whether an experiment was submitted with a token of this name. What a client said of itself shows nothing."""
    return bool(name) and experiment.owner_known_by == "token" and experiment.owner == name


def check_steering(name: str, role: Role | None, experiment: Experiment, method: str) -> None:
    """Raises PermissionDenied where a caller of this name and role may not call a method of the ExperimentService on
    this experiment. No role: the master asks nobody for a token."""
    if role is None or may(role, f"/{EXPERIMENTS}/{method}", owns=owns(name, experiment)):
        return
    number = experiment.experiment_id
    whose = f"is {experiment.owner}'s: ask {experiment.owner}, or an admin"
    if not experiment.owner_known_by:
        whose = "is nobody's, since it was submitted without a token or to an older version: ask an admin"
    text = (
        f"experiment {number} {whose}. {name} is a {role}, and steers only what was submitted with a token of that name"
    )
    raise PermissionDenied(text, experiment_id=number)
