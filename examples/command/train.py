"""The same training in plain Python: nothing but the standard library, and no Rungmaster installed.

It keeps one connection open and says everything over it. Use it in the spec as
    entrypoint: [python3, examples/command/train.py]
"""

from __future__ import annotations

import csv
import json
import math
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Any

SPECIES = ("setosa", "versicolor", "virginica")
Flower = tuple[list[float], int]


class Worker:
    """The worker that started this program."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.environ["RUNGMASTER_SOCKET"])
        self.lines = self.socket.makefile()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Sends one line and returns what is answered. Raises SystemExit where the worker refuses it or is gone."""
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(self.lines.readline() or '{"error": "the worker is gone"}')
        if "error" in answer:
            raise SystemExit(answer["error"])
        return answer


def read_flowers() -> tuple[list[Flower], list[Flower]]:
    """Flowers to learn from, and every fourth to judge by."""
    with Path(__file__).with_name("iris.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    flowers = [([*(float(text) / 4 - 1 for text in row[:4]), 1.0], SPECIES.index(row[4])) for row in rows]
    return [flower for place, flower in enumerate(flowers) if place % 4], flowers[::4]


def probabilities(weights: list[list[float]], x: list[float]) -> list[float]:
    """The probability of each species."""
    scores = [sum(w * value for w, value in zip(row, x, strict=True)) for row in weights]
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def learn(weights: list[list[float]], flowers: list[Flower], rate: float, decay: float) -> None:
    """One epoch of stochastic gradient descent."""
    for x, species in flowers:
        for index, p in enumerate(probabilities(weights, x)):
            slope = p - (index == species)
            weights[index] = [
                w - rate * (slope * value + decay * w) for w, value in zip(weights[index], x, strict=True)
            ]


def error(weights: list[list[float]], flowers: list[Flower]) -> float:
    """The share of flowers named wrongly."""
    guesses = [probabilities(weights, x) for x, _ in flowers]
    return sum(p.index(max(p)) != species for p, (_, species) in zip(guesses, flowers, strict=True)) / len(flowers)


def main() -> None:
    """Trains from where the trial stands until the worker says that it ends."""
    worker = Worker()
    trial = worker.ask(op="start")
    dice = random.Random(trial["seed"])
    weights = [[dice.uniform(-0.05, 0.05) for _ in range(5)] for _ in SPECIES]
    if trial["checkpoint"]:
        weights = json.loads((Path(trial["checkpoint"]) / "weights.json").read_text())
    training, held_out = read_flowers()
    epoch, decision = trial["resource"], "continue"
    while decision == "continue":
        learn(weights, training, trial["hparams"]["learning_rate"], trial["hparams"]["decay"])
        epoch += 1
        answer = worker.ask(op="report", resource=epoch, metrics={trial["metric"]: error(weights, held_out)})
        decision = answer["decision"]
        if answer["save"]:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "weights.json").write_text(json.dumps(weights))
                worker.ask(op="checkpoint", resource=epoch, path=folder)


if __name__ == "__main__":
    main()
