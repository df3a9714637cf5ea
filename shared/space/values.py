"""Whether a value is one that a hyperparameter can have."""

from __future__ import annotations

import math
from typing import Any

from ..spec.fields import got, shown
from .hyperparameters import FloatSpec, Hyperparameter, IntSpec, same


def value_problem(spec: Hyperparameter, value: Any) -> str:
    """Why a hyperparameter cannot have this value; empty where it can."""
    if not isinstance(spec, FloatSpec | IntSpec):
        if same(value) in map(same, spec.values):
            return ""
        some = ", ".join(shown(each) for each in spec.values[:8])
        return f"cannot be {shown(value)}; it can be {some}{', …' if len(spec.values) > 8 else ''}"
    if not _is_number(value) or (isinstance(spec, IntSpec) and value != int(value)):
        return f"must be a {'whole ' * isinstance(spec, IntSpec)}number, got {got(value)}"
    return "" if spec.low <= value <= spec.high else f"must be from {spec.low} to {spec.high}, got {got(value)}"


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    # An int may be larger than any float.
    return isinstance(value, int) and not isinstance(value, bool)
