"""Conditions on hyperparameters as people type them: `width >= 64, activation = relu`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...shared.errors import InvalidInput

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*(?P<name>.+?)\s*(?P<sign><=|>=|!=|==|=|<|>)\s*(?P<value>.+?)\s*")
MAX_TEXT = 1_000


class Condition(NamedTuple):
    """What one hyperparameter must be; `value` is a number where both sides are, else compared as text."""

    name: str
    sign: str
    value: str

    def holds(self, hparams: Mapping[str, Any]) -> bool:
        """Whether it holds; it does not where there is no such hyperparameter."""
        if self.name not in hparams:
            return False
        found = hparams[self.name]
        compare = _OPERATORS[self.sign]
        wanted = _number(self.value)
        if wanted is not None and isinstance(found, int | float) and not isinstance(found, bool):
            return compare(found, wanted)
        text = str(found).lower() if isinstance(found, bool) or found is None else str(found)
        return self.sign in ("=", "==", "!=") and compare(text, self.value)


def parse_conditions(text: str) -> tuple[Condition, ...]:
    """Conditions with commas between them. Raises InvalidInput with the first that is none."""
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"a filter has at most {MAX_TEXT:,} characters")
    return tuple(map(_condition, filter(str.strip, text.split(","))))


def _condition(text: str) -> Condition:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text.strip()!r} is no condition; write one such as width >= 64, or activation = relu")
    return Condition(found["name"], found["sign"], found["value"].strip("'\""))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
