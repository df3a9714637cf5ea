"""A combination that is chosen one hyperparameter after the other, parents first, by codes as `chances.py` has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .clauses import ALL, parents_first, places_of
from .dimensions import coder, reader
from .hyperparameters import Condition, FloatSpec, Hyperparameter


class Walk:
    """The way through a search space."""

    def __init__(self, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]) -> None:
        self._places = places_of(parents_first(hyperparameters), hyperparameters, forbidden)
        self._read = {
            name: float if isinstance(spec, FloatSpec) else reader(spec) for name, spec in hyperparameters.items()
        }

    def combination(self, choose: Callable[[str], float]) -> dict[str, Any] | None:
        """What is chosen for all that exists, in the spec's order, as training code gets it; None where it is
        forbidden."""
        codes: dict[str, float] = {}
        agreed = ALL
        for place in self._places:
            code = None
            if place.exists(agreed):
                code = codes[place.name] = choose(place.name)
            agreed = place.after(agreed, code)
            if agreed & place.decided:
                return None
        return {name: read(codes[name]) for name, read in self._read.items() if name in codes}


def code_of(spec: Hyperparameter, value: Any) -> float:
    """The code of a value that a hyperparameter can have."""
    return float(value) if isinstance(spec, FloatSpec) else coder(spec)(value)


def value_of(spec: Hyperparameter, code: float) -> Any:
    """The value of a code."""
    return code if isinstance(spec, FloatSpec) else reader(spec)(code)
