"""The training code of spec.yaml: a small neural network, in plain Python, that tells a ring from the disc inside it.

Put your own model in the place of `Net`; `train` can stay as it is.
"""

import json
import math
import random
from pathlib import Path

from rungmaster import Trial


def draw_points(count: int, seed: int) -> list[tuple[float, float, float]]:
    """Points (x, y, class), half of them in the disc (class 0), half in the ring around it (class 1)."""
    draw = random.Random(seed)
    points = []
    for number in range(count):
        angle, radius = draw.uniform(0, math.tau), number % 2 + draw.gauss(0.4, 0.2)
        points.append((radius * math.cos(angle), radius * math.sin(angle), float(number % 2)))
    return points


TRAINING, VALIDATION = draw_points(200, seed=1), draw_points(200, seed=2)


class Net:
    """One hidden layer, trained by gradient descent with momentum."""

    def __init__(self, width: int, learning_rate: float, momentum: float, seed: int) -> None:
        self.learning_rate, self.momentum = learning_rate, momentum
        draw = random.Random(seed)
        # A hidden unit is a row: its weights of x, y and 1, and its weight in the output.
        self.units = [[draw.gauss(0, 1) for _ in range(4)] for _ in range(width)]
        self.speed = [[0.0] * 4 for _ in range(width)]

    def predict(self, x: float, y: float) -> tuple[float, list[float]]:
        """The probability of class 1, and what the hidden units said."""
        hidden = [math.tanh(a * x + b * y + c) for a, b, c, _ in self.units]
        total = sum(unit[3] * value for unit, value in zip(self.units, hidden, strict=True))
        return (1 + math.tanh(total / 2)) / 2, hidden

    def fit_one_epoch(self) -> None:
        """Goes through the training points once."""
        for x, y, target in TRAINING:
            probability, hidden = self.predict(x, y)
            error = probability - target
            for unit, speed, value in zip(self.units, self.speed, hidden, strict=True):
                back = error * unit[3] * (1 - value * value)
                for place, gradient in enumerate((back * x, back * y, back, error * value)):
                    speed[place] = self.momentum * speed[place] - self.learning_rate * gradient
                    unit[place] += speed[place]

    def validate(self) -> tuple[float, float]:
        """The mean log loss on points that it was not trained on, and the fraction told right."""
        found = [(self.predict(x, y)[0], target) for x, y, target in VALIDATION]
        losses = [-math.log(max(p if target else 1 - p, 1e-12)) for p, target in found]
        return sum(losses) / len(found), sum((p > 0.5) == (target > 0.5) for p, target in found) / len(found)

    def save(self, folder: Path) -> None:
        """Writes all that training needs to go on."""
        (folder / "net.json").write_text(json.dumps({"units": self.units, "speed": self.speed}))

    def load(self, folder: Path) -> None:
        """Reads what `save` wrote."""
        state = json.loads((folder / "net.json").read_text())
        self.units, self.speed = state["units"], state["speed"]


def train(trial: Trial) -> None:
    """Trains one set of hyperparameters, as far as the search decides."""
    net = Net(**trial.hparams, seed=trial.seed)
    for _ in trial.steps(save=net.save, load=net.load):  # resumes, goes on or ends as the master decides
        net.fit_one_epoch()
        loss, accuracy = net.validate()
        trial.report(validation_loss=loss, accuracy=accuracy)
