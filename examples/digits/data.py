"""The 1,797 handwritten digits that come with scikit-learn, in three parts that never mix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

#: Of every five images one drives the search (validation) and one is only looked at (test).
VALIDATION, TEST = 0.2, 0.2
#: The same division for every trial, whatever the trial's own seed is.
SPLIT_SEED = 0
#: Pixels run from 0 (paper) to 16 (ink).
PIXEL_MIDDLE = 8.0


@dataclass(frozen=True, slots=True)
class Part:
    """Images as rows of 64 pixels, from −1 (paper) to 1 (ink), and the digits they show."""

    images: NDArray[np.float64]
    digits: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Digits:
    """What is learnt from, what the search goes by, and what tells how good the result really is."""

    train: Part
    validation: Part
    test: Part


def read_digits() -> Digits:
    """Reads and divides the images. The test part plays no role in training or in the search."""
    images, digits = load_digits(return_X_y=True)
    order = np.random.RandomState(SPLIT_SEED).permutation(len(digits))
    images, digits = images[order] / PIXEL_MIDDLE - 1.0, digits[order]
    validation, test = (round(share * len(digits)) for share in (VALIDATION, TEST))
    first = len(digits) - validation - test
    parts = (slice(0, first), slice(first, first + validation), slice(first + validation, None))
    return Digits(*(Part(images[part], digits[part]) for part in parts))
