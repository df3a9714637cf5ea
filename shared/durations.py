"""Lengths of time as people write them: `8h`, `90m`, `1h30m`, `2d`. A number is in seconds."""

from __future__ import annotations

import re
from fractions import Fraction

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_AMOUNT = r"(\d{1,15}(?:\.\d{1,6})?)"
_WRITTEN = re.compile("".join(f"(?:{_AMOUNT}{unit})?" for unit in _SECONDS), re.ASCII)


def seconds_of(text: str) -> int | float | None:
    """The seconds in a length of time: amounts of days, hours, minutes and seconds in this order; None where it is
    written in another way."""
    found = _WRITTEN.fullmatch(text)
    if not text or found is None:
        return None
    exact = sum(Fraction(amount) * unit for amount, unit in zip(found.groups("0"), _SECONDS.values(), strict=True))
    return int(exact) if exact.denominator == 1 else float(exact)


def written(seconds: float) -> str:
    """A length of time, not negative, in the same words; `seconds_of` gives it back where it is whole seconds."""
    if seconds != int(seconds):
        return f"{seconds:.6g}s"
    left, parts = int(seconds), ""
    for unit, size in _SECONDS.items():
        amount, left = divmod(left, size)
        parts += f"{amount}{unit}" if amount else ""
    return parts or "0s"
