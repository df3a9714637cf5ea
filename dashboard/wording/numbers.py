"""Numbers, times and sizes as a page shows them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from markupsafe import Markup

from ...client.cli.text import exactly

_MISSING = "–"


def number(value: float | None, digits: int = 5) -> str:
    """A measured number with few significant digits; a dash for none."""
    if value is None:
        return _MISSING
    if isinstance(value, float) and not math.isfinite(value):
        return "not a number" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return f"{value:.{digits}g}".replace("-", "−") if isinstance(value, float) else count(value)


def count(value: int) -> str:
    """A whole number, its thousands apart."""
    return f"{value:,}".replace(",", "\u202f").replace("-", "−")


def share(part: float, whole: float) -> float:
    """A part of a whole in percent, from 0 to 100."""
    return 0.0 if whole <= 0 else min(100.0, max(0.0, 100.0 * part / whole))


def duration(seconds: float) -> str:
    """A length of time in its two largest units: 42 s, 3 min 5 s, 2 h 10 min, 4 d 3 h."""
    whole = max(0, round(seconds))
    for size, name, smaller, small_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"


def size(value: int) -> str:
    """A number of bytes: 512 B, 3.4 kB, 1.2 GB."""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def moment(value: datetime | None) -> Markup:
    """A time that the page turns into the reader's zone; in UTC where nothing runs there."""
    if value is None:
        return Markup("{}").format(_MISSING)
    told = value.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(timespec="seconds"), told)


def hyperparameter(value: Any) -> str:
    """A hyperparameter's value, floats with few digits."""
    return number(value) if isinstance(value, float) else exactly(value)
