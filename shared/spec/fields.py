"""What the spec's models are made of: field types whose messages say what a value must be, and what it was."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from ..errors import Problem
from ..limits import LARGEST_WHOLE
from ..text.suggestions import closest
from ..text.visible import hidden_problem, json_text, visible
from .elsewhere import FIELDS, known_as

MAX_NAME = 100
"""The longest name, in characters."""

_JSON = json.JSONEncoder(ensure_ascii=False, default=str)


_accepted: ContextVar[bool] = ContextVar("accepted", default=False)


@contextmanager
def accepted_before() -> Iterator[None]:
    """Within it a spec is read that was accepted once. What only bounds what people may send (lengths, counts, largest
    values, characters) is not looked at: a limit that is tighter today must not stop a search that began before."""
    token = _accepted.set(True)
    try:
        yield
    finally:
        _accepted.reset(token)


def limits_hold() -> bool:
    """Whether a spec is new, and must keep to the limits of today."""
    return not _accepted.get()


class FieldProblems(ValueError):
    """What a validator found wrong, each with its path below the value that was validated."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


class Model(BaseModel):
    """Base of everything in a spec: it never changes, and it knows all its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="strings")


def got(value: object) -> str:
    """Describes a value that was not wanted, in the document's own terms and in a few words."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "text " + json_text(value if len(value) <= 40 else value[:39] + "…")
    if isinstance(value, int) and abs(value) > 10**20:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return "a list"
    return f"a {type(value).__name__}"


def shown(value: object) -> str:
    """A value as it may stand in a document, shortened."""
    text = ""
    # A part at a time: of a long list only the beginning is looked at.
    for part in _JSON.iterencode(value):
        text += part
        if len(text) > 40:
            break
    text = visible(text)
    return text if len(text) <= 40 else text[:39] + "…"


def whole(minimum: int = -LARGEST_WHOLE, maximum: int = LARGEST_WHOLE) -> BeforeValidator:
    """A whole number between two bounds; 27.0 and 1e3 are whole numbers too."""

    def check(value: object) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number, got {got(value)}")
        if value < minimum:
            raise ValueError(f"must be at least {minimum}, got {got(value)}")
        if value > maximum and limits_hold():
            raise ValueError(f"must be at most {maximum}, got {got(value)}")
        return value

    return BeforeValidator(check)


def number(above: float | None = None, minimum: float | None = None, maximum: float = 1e300) -> BeforeValidator:
    """A finite number, either whole or with a fraction."""

    def check(value: object) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"must be a number, got {got(value)}")
        if not math.isfinite(value):
            raise ValueError(f"must be a finite number, got {got(value)}")
        if above is not None and value <= above:
            raise ValueError(f"must be more than {above:g}, got {got(value)}")
        if minimum is not None and value < minimum:
            raise ValueError(f"must be at least {minimum:g}, got {got(value)}")
        if abs(value) > maximum and limits_hold():
            raise ValueError(f"must be at most {maximum:g}, got {got(value)}")
        return value

    return BeforeValidator(check)


def flag() -> BeforeValidator:
    """True or false."""

    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, got {got(value)}")
        return value

    return BeforeValidator(check)


def text(maximum: int) -> BeforeValidator:
    """Printable text of at least one character, without white space around it."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            hint = "; put it in quotes" if isinstance(value, bool | int | float) else ""
            raise ValueError(f"must be text, got {got(value)}{hint}")
        problem = text_problem(value, maximum)
        if problem:
            raise ValueError(problem)
        return value

    return BeforeValidator(check)


def text_problem(value: str, maximum: int) -> str | None:
    """What is wrong with a name or a line of text, if anything."""
    if not limits_hold():
        return None
    if not value:
        return "must not be empty"
    if len(value) > maximum:
        return f"must have at most {maximum} characters, got {len(value)}"
    if problem := hidden_problem(value):
        return problem
    if not value.isprintable() or value != value.strip():
        return "must be printable, and not begin or end with white space"
    return None


def one_of(*names: str) -> BeforeValidator:
    """One of a few words; the closest is suggested where another was given."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in names:
            return value
        suggestion = known_as(value, FIELDS) or did_you_mean(value, names)
        raise ValueError(f"must be one of {', '.join(names)}; got {got(value)}{suggestion}")

    return BeforeValidator(check)


def did_you_mean(value: object, names: Sequence[str]) -> str:
    """`; did you mean "asha"?` where one of the names is close to the value, else nothing."""
    close = closest(value, names) if isinstance(value, str) else None
    return f'; did you mean "{close}"?' if close else ""


def listed(value: object) -> object:
    """Lets a list stand where a model keeps a tuple."""
    return tuple(value) if isinstance(value, list) else value
