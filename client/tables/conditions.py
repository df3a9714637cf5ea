"""Conditions on trials as people type them: `width >= 64, activation = relu, best < 0.1`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ...shared.errors import InvalidInput
from ...shared.text.visible import json_text
from ...shared.wire.model import TrialInfo
from .cells import json_value
from .trial_columns import TrialColumn, column_named

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
    """What a column must have; `value` is a number where both sides are, else compared as text."""

    column: TrialColumn
    sign: str
    value: str

    def holds(self, trial: TrialInfo) -> bool:
        """Whether it holds for a trial; it does not where that has nothing there. Text and truth are equal or not."""
        if not self.column.has(trial):
            return False
        found = self.column.value(trial)
        compare = _OPERATORS[self.sign]
        wanted = _number(self.value)
        if wanted is not None and isinstance(found, int | float) and not isinstance(found, bool):
            return compare(found, wanted)
        text = found if isinstance(found, str) else json_text(json_value(found)).strip('"')
        return (self.sign in ("=", "==", "!=") or isinstance(found, datetime)) and compare(text, self.value)


def parse_conditions(text: str, columns: Mapping[str, TrialColumn]) -> tuple[Condition, ...]:
    """Conditions with commas between them. Raises InvalidInput with the first that is none, or names no column."""
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"a filter has at most {MAX_TEXT:,} characters")
    return tuple(_condition(part, columns) for part in text.split(",") if part.strip())


def _condition(text: str, columns: Mapping[str, TrialColumn]) -> Condition:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text.strip()!r} is no condition; write one such as width >= 64, or activation = relu")
    return Condition(column_named(columns, found["name"]), found["sign"], found["value"].strip("'\""))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
