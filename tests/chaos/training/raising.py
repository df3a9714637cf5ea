"""A training program that raises at once, in every trial."""

from __future__ import annotations

from rungmaster import Trial


def train(trial: Trial) -> None:
    """Never reports anything."""
    raise RuntimeError(f"no data for trial {trial.trial_id}")
