"""The hyperparameters of a search as axes: numbers, logarithms, choices, and where a condition does not hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..shared.sampling.protocol import same
from ..shared.text.visible import json_text
from ..shared.wire.model import TrialInfo
from .axes import round_ticks
from .history import History


@dataclass(frozen=True, slots=True)
class Dimension:
    """One hyperparameter that can vary. `values` are its choices, and empty where it is a number."""

    name: str
    low: float
    high: float
    log: bool
    whole: bool
    values: tuple[Any, ...]
    when: str

    def place(self, value: Any) -> float:
        """A value on the axis: of a logarithmic one the exponent, of choices the index; NaN where it is none."""
        if self.values:
            key = same(value)
            return next((float(index) for index, each in enumerate(self.values) if same(each) == key), math.nan)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return math.nan
        return math.log10(value) if self.log and value > 0 else float(value)

    def places(self, trials: Sequence[TrialInfo]) -> NDArray[np.float64]:
        """Those of all trials; NaN where the hyperparameter's condition does not hold."""
        known = {same(each): float(index) for index, each in enumerate(self.values)}
        if known:
            return np.array(
                [known.get(same(trial.hparams[self.name]), math.nan) if self.name in trial.hparams else math.nan
                 for trial in trials], float,
            )  # fmt: skip
        return np.array([self.place(trial.hparams.get(self.name)) for trial in trials], float)

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last place."""
        if self.values:
            return 0.0, float(max(len(self.values) - 1, 1))
        return (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)

    def ticks(self, most: int = 7) -> list[tuple[float, str]]:
        """Places with what stands there."""
        if self.values:
            apart = math.ceil(len(self.values) / 24)
            return [(float(index), _choice(value)) for index, value in enumerate(self.values)][::apart]
        first, last = self.ends
        if not self.log:
            return [(place, f"{place:g}") for place in round_ticks(first, last, most)]
        powers = range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
        if len(powers) < 2:
            return [(place, f"{10**place:.3g}") for place in np.linspace(first, last, 5)]
        return [(float(power), f"{10.0**power:g}") for power in powers[:: math.ceil(len(powers) / most)]]


def dimensions(history: History) -> tuple[Dimension, ...]:
    """The hyperparameters that can vary, in the order of the spec."""
    declared: Mapping[str, Any] = history.experiment.spec.get("hyperparameters") or {}
    found = (_dimension(name, value) for name, value in declared.items())
    return tuple(each for each in found if each is not None)


def nothing_varies(history: History) -> str:
    """That no hyperparameter can vary, as a sentence; empty where one can."""
    return "" if dimensions(history) else f"no hyperparameter of experiment {history.experiment.experiment_id} varies"


def _dimension(name: str, declared: Any) -> Dimension | None:
    kind = declared.get("type") if isinstance(declared, Mapping) else "constant"
    if kind in ("float", "int"):
        low, high = float(declared["low"]), float(declared["high"])
        return Dimension(name, low, high, bool(declared.get("log")), kind == "int", (), _when(declared))
    values = tuple(declared.get("choices") or declared.get("sequence") or ()) if kind != "constant" else ()
    return Dimension(name, 0.0, 0.0, False, False, values, _when(declared)) if len(values) > 1 else None


def _when(declared: Mapping[str, Any]) -> str:
    condition = declared.get("when") or {}
    each = (
        f"{name} is {' or '.join(map(_choice, values if isinstance(values, list | tuple) else [values]))}"
        for name, values in condition.items()
    )
    return " and ".join(each)


def _choice(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)
