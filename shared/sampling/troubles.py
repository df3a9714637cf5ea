"""What people are told of a sampler that gave no hyperparameters for a trial.

The trial's origin says it after `random:`; docs/samplers.md has the same sentences.
"""

from __future__ import annotations


def not_answered(patience_s: float) -> str:
    """It was waited for."""
    return f"the sampler did not answer in {patience_s:g} s"


def broken(why: str = "") -> str:
    """It does not work."""
    return "the sampler is broken" + (f": {why}" if why else "")


def refused(why: Exception) -> str:
    """What it suggested does not lie in the space."""
    return f"its suggestion was refused: {why}"
