"""Hyperparameters as plain text and as variables of an environment, as programs in any language read them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

#: Linux takes no longer variable than 128 KiB, in bytes, with its name.
MAX_VARIABLE = 120 << 10
#: Holds all hyperparameters as one JSON object.
ALL = "RUNGMASTER_HPARAMS"
#: Names the hyperparameters that have no variable of their own, as a JSON list; unset where all have one.
LEFT_OUT = "RUNGMASTER_HPARAMS_LEFT_OUT"


def as_text(value: Any) -> str:
    """Texts as they are, everything else as JSON: 0.1, true, null."""
    return value if isinstance(value, str) else json.dumps(value)


def hparam_variables(hparams: Mapping[str, Any]) -> dict[str, str]:
    """A variable for all of them, and one for each that can have one of its own, by the name of the variable."""
    told = {ALL: json.dumps(hparams)}
    told |= {_variable(name): as_text(value) for name, value in hparams.items()}
    if alone := without_variable(hparams):
        told = {name: value for name, value in told.items() if name not in set(map(_variable, alone))}
        told[LEFT_OUT] = json.dumps(alone)
    return {name: value for name, value in told.items() if fits(name, value)}


def without_variable(hparams: Mapping[str, Any]) -> list[str]:
    """Hyperparameters that get no variable: those that would share one, and those whose value does not fit in."""
    shared = Counter(map(_variable, hparams))
    return [
        name
        for name, value in hparams.items()
        if shared[_variable(name)] > 1 or not fits(_variable(name), as_text(value))
    ]


def fits(name: str, value: str) -> bool:
    """Whether an environment can hold a variable with this name and value."""
    return len(name) + len(value.encode(errors="replace")) < MAX_VARIABLE and "\0" not in value


def _variable(name: str) -> str:
    return "RUNGMASTER_HPARAM_" + re.sub(r"[^A-Z0-9_]", "_", name.upper())
