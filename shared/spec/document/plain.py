"""Copies a document into plain values, and finds what no document may hold: NaN, infinities, control characters, …"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...errors import InvalidSpec, Problem
from ...limits import LARGEST_WHOLE
from ...text.visible import hidden_problem
from ..fields import got
from .paths import dotted
from .yaml_values import MAX_DEPTH, MAX_VALUES

MAX_TEXT = 10_000
"""The longest text in a document, in characters."""

MAX_ALL_TEXT = 2**20
"""The most characters of all texts in a document, those behind an alias counted each time."""


def plain_document(document: Mapping[Any, Any]) -> tuple[dict[Any, Any], list[Problem]]:
    """A copy with nothing but dict, list, str, int, float, bool and None in it, and the problems found on the way.

    Raises InvalidSpec where the document nests too deep or holds too much, so that no copy can be made.
    """
    problems: list[Problem] = []
    copy = _Copy(problems).of(document, ())
    return copy, problems


class _Copy:
    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._left = MAX_VALUES
        self._text_left = MAX_ALL_TEXT

    def of(self, value: Any, path: tuple[Any, ...]) -> Any:
        """A plain copy of a value at a path."""
        self._left -= 1
        if self._left < 0:
            raise InvalidSpec([Problem("", f"has more than {MAX_VALUES} values")])
        if isinstance(value, Mapping | list | tuple):
            if len(path) >= MAX_DEPTH:
                raise InvalidSpec([Problem(dotted(path[:3]), f"is nested more than {MAX_DEPTH} deep")])
            if isinstance(value, Mapping):
                named = [(self._key(key, path), each) for key, each in value.items()]
                return {name: self.of(each, (*path, name)) for name, each in named}
            return [self.of(each, (*path, index)) for index, each in enumerate(value)]
        self._count(value)
        problem = scalar_problem(value)
        if problem:
            self._problems.append(Problem(dotted(path), problem))
        return value if problem is None else _harmless(value)

    def _key(self, key: Any, path: tuple[Any, ...]) -> str:
        if not isinstance(key, str):
            name = got(key).removeprefix("a ")
            self._problems.append(Problem(dotted((*path, name)), "the name of a field must be text; put it in quotes"))
            return name
        self._count(key)
        if problem := scalar_problem(key):
            self._problems.append(Problem(dotted(path), f"has a field whose name {problem}"))
        elif problem := hidden_problem(key):
            self._problems.append(Problem(dotted((*path, key)), f"its name {problem}"))
        return key

    def _count(self, value: Any) -> None:
        if isinstance(value, str):
            self._text_left -= len(value)
            if self._text_left < 0:
                what = f"has more than {MAX_ALL_TEXT:,} characters in all its texts together"
                raise InvalidSpec([Problem("", f"{what}, counting those behind an alias each time")])


def _harmless(value: object) -> Any:
    """Something in place of a bad value with which the rest of the document can still be checked."""
    if isinstance(value, int):
        return max(-LARGEST_WHOLE, min(value, LARGEST_WHOLE))
    return value if isinstance(value, str | float) else None


def scalar_problem(value: object) -> str | None:
    """What is wrong with a single value in any document, if anything."""
    match value:
        case None | bool():
            return None
        case str():
            return _text_problem(value)
        case int():
            return None if abs(value) <= LARGEST_WHOLE else f"must be from -(2^53-1) to 2^53-1, got {got(value)}"
        case float():
            return None if math.isfinite(value) else f"must be a finite number, got {value}"
        case _:
            return f"must be text, a number, true, false, a list or a mapping, got {got(value)}"


def _text_problem(text: str) -> str | None:
    if len(text) > MAX_TEXT:
        return f"must have at most {MAX_TEXT} characters, got {len(text)}"
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return "must not contain a zero byte or half a character (a lone surrogate)"
    return None
