"""A small neural network learns to read handwritten digits: `entrypoint: examples.digits:train`."""

from __future__ import annotations

from .classifier import Classifier
from .training import train

__all__ = ["Classifier", "train"]
