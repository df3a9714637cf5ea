"""One hyperparameter of the neutral form of a search space: what it can be, whatever numbers stand for its values.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from ...shared.sampling.protocol import same


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter. Numbers have bounds; all others `values`, of which the bounds are the first and last index."""

    name: str
    #: `float`, `int`, `categorical`, `ordinal` or `constant`.
    kind: str
    low: float
    high: float
    log: bool
    values: tuple[Any, ...]
    #: Of a categorical, how likely each value is; the largest is 1.
    weights: tuple[float, ...]
    #: Where good values are expected, by `mean` and `std` as its user wrote them.
    expected: Mapping[str, float] | None
    #: Under which condition it exists: others by their names, and the values that each may have.
    when: Mapping[str, tuple[Any, ...]]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """One of the `parameters` of the neutral form."""
        kind = document["type"]
        values = () if kind in ("float", "int") else _values(document)
        weights = document.get("weights") or [1.0] * len(values) if kind == "categorical" else []
        number = float if kind == "float" else int
        return cls(
            name=document["name"],
            kind=kind,
            low=0 if values else number(document["low"]),
            high=len(values) - 1 if values else number(document["high"]),
            log=document.get("log", False),
            values=values,
            weights=tuple(weight / max(weights) for weight in weights),
            expected=document.get("prior"),
            when={name: tuple(allowed) for name, allowed in document.get("when", {}).items()},
        )

    @property
    def size(self) -> int:
        """How many values it can take; 0: there is no end of them."""
        return 0 if self.kind == "float" else int(self.high - self.low) + 1

    @property
    def is_categorical(self) -> bool:
        """Whether its values have no order."""
        return self.kind == "categorical"

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The index of each of its values, by the text that is the same for the same value."""
        return {same(value): index for index, value in enumerate(self.values)}


def _values(document: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(document.get("choices") or document.get("values") or [document.get("value")])
