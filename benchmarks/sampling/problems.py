"""Searches whose best result is known: spaces, and what a trial that is trained in full reaches."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "diabetes_svm.json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A search space, the loss of each of its points, and the least of those."""

    name: str
    hyperparameters: Mapping[str, Any]
    loss: Callable[[Mapping[str, Any]], float]
    best: float
    forbidden: tuple[Mapping[str, Any], ...] = ()


def branin(x: float, y: float) -> float:
    """The function of Branin (1972), with three minima of 0.397887 in -5 … 10 and 0 … 15."""
    bent = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return bent**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


#: By kind: how it is turned, and what is added.
_KINDS = {"plain": (1, 0.0), "turned": (-1, 10.0), "lifted": (1, 20.0)}


def _branin_loss(hparams: Mapping[str, Any]) -> float:
    sign, lift = _KINDS[hparams["kind"]]
    x, y = hparams["x"], hparams["y"]
    return branin(*((x, y) if sign > 0 else (5 - x, 15 - y))) + lift


def _network_loss(hparams: Mapping[str, Any]) -> float:
    """As the validation error of a small network behaves: a valley in the learning rate whose place depends on the
    optimiser, another in the size, and what only one optimiser has."""
    rate = math.log10(hparams["learning_rate"])
    loss = 0.02 + 0.01 * (hparams["layers"] - 2) ** 2 + 0.05 * (math.log2(hparams["width"] / 96) / 4) ** 2
    loss += 0.1 * (hparams["dropout"] - 0.2) ** 2
    match hparams["optimizer"]:
        case "adam":
            return loss + 0.04 * (rate + 3) ** 2 + 0.02 * ((math.log10(1 - hparams["beta_2"]) + 2.5) / 1.5) ** 2
        case "momentum":
            # The more momentum, the lower the best rate.
            best = -1 + math.log10(1 - hparams["momentum"])
            return loss + 0.01 + 0.05 * (rate - best) ** 2 + 0.05 * (hparams["momentum"] - 0.9) ** 2
        case _:
            return loss + 0.04 + 0.06 * (rate + 0.5) ** 2


NETWORK_SPACE: dict[str, Any] = {
    "optimizer": {"type": "categorical", "choices": ["sgd", "momentum", "adam"]},
    "learning_rate": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": "momentum"}},
    "beta_2": {"type": "ordinal", "sequence": [0.9, 0.97, 0.99, 0.997, 0.999, 0.9999], "when": {"optimizer": "adam"}},
    "layers": {"type": "int", "low": 1, "high": 5},
    "width": {"type": "int", "low": 8, "high": 512, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.8},
    "batch_size": 64,
}


def _network_best() -> float:
    """At adam's best rate, two layers of 96, dropout of 0.2, and the nearest beta_2."""
    return min(
        _network_loss(
            {"optimizer": "adam", "learning_rate": 1e-3, "layers": 2, "width": 96, "dropout": 0.2, "beta_2": beta_2}
        )
        for beta_2 in NETWORK_SPACE["beta_2"]["sequence"]
    )


def combinations(space: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All combinations of listed values, each without what does not exist in it."""
    found: list[dict[str, Any]] = [{}]
    for name, declared in space.items():
        when = declared.get("when", {})
        values = declared["choices"] if declared["type"] == "categorical" else declared["sequence"]
        found = [
            longer
            for each in found
            for longer in (
                [each | {name: value} for value in values]
                if all(each.get(parent) in allowed for parent, allowed in when.items())
                else [each]
            )
        ]
    return found


@cache
def _table() -> tuple[dict[str, Any], dict[str, float]]:
    """The space that `make_table.py` went through, and the loss of each combination."""
    found = json.loads(TABLE.read_text())
    names = map(_name, combinations(found["hyperparameters"]))
    return found["hyperparameters"], dict(zip(names, found["losses"], strict=True))


def _name(hparams: Mapping[str, Any]) -> str:
    return json.dumps(hparams, sort_keys=True)


def _table_loss(hparams: Mapping[str, Any]) -> float:
    return _table()[1][_name(hparams)]


def problems() -> list[Problem]:
    """All of them."""
    found = [
        Problem(
            "branin",
            {
                "x": {"type": "float", "low": -5.0, "high": 10.0},
                "y": {"type": "float", "low": 0.0, "high": 15.0},
                "kind": {"type": "categorical", "choices": [*_KINDS]},
            },
            _branin_loss,
            0.397887,
        ),
        Problem("network", NETWORK_SPACE, _network_loss, _network_best()),
    ]
    if TABLE.exists():
        space, losses = _table()
        found.append(Problem("diabetes", space, _table_loss, min(losses.values())))
    return found
