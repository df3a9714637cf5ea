"""The network: scikit-learn's MLPClassifier, trained one epoch at a time."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from .data import Part

CLASSES = np.arange(10)
FILE = "classifier.pickle"


class Classifier:
    """One hidden layer. Everything that training depends on is in its state, the order of the images included.

    So a classifier that is saved, loaded and trained on ends with the same weights, to the last bit,
    as one that was never interrupted.
    """

    def __init__(self, hparams: Mapping[str, Any], seed: int) -> None:
        """Starts from random weights. `momentum` is only looked at for the solver `sgd`."""
        self.network = MLPClassifier(
            hidden_layer_sizes=(hparams["width"],),
            activation=hparams["activation"],
            solver=hparams["solver"],
            learning_rate_init=hparams["learning_rate"],
            momentum=hparams.get("momentum", 0.0),
            batch_size=hparams["batch_size"],
            # An object, not a number: with a number every epoch would go through the images in the same order.
            random_state=np.random.RandomState(seed % 2**32),
        )
        self.diverged = False

    def fit_one_epoch(self, part: Part) -> None:
        """Goes through the images once. Weights that are no longer finite are not an error: see `error`."""
        if self.diverged:
            return
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                self.network.partial_fit(part.images, part.digits, classes=CLASSES)
        except ValueError:
            if all(np.isfinite(weights).all() for weights in getattr(self.network, "coefs_", ())):
                raise
            self.diverged = True

    def error(self, part: Part) -> float:
        """The share of images read wrongly, 0 … 1; not-a-number for a network that diverged."""
        if self.diverged:
            return float("nan")
        return float(np.mean(self.network.predict(part.images) != part.digits))

    def save(self, folder: Path) -> None:
        """Writes the whole state into the folder."""
        (folder / FILE).write_bytes(pickle.dumps((self.network, self.diverged)))

    def load(self, folder: Path) -> None:
        """Takes on the state that `save` wrote into the folder."""
        self.network, self.diverged = pickle.loads((folder / FILE).read_bytes())
