"""What a worker runs for each trial."""

from __future__ import annotations

from rungmaster import Trial

from .classifier import Classifier
from .data import read_digits


def train(trial: Trial) -> None:
    """Trains one set of hyperparameters, an epoch at a time, for as long as the search wants it."""
    digits = read_digits()
    classifier = Classifier(trial.hparams, seed=trial.seed)
    for _ in trial.steps(save=classifier.save, load=classifier.load):
        classifier.fit_one_epoch(digits.train)
        trial.report(
            validation_error=classifier.error(digits.validation),
            test_accuracy=1.0 - classifier.error(digits.test),
        )
