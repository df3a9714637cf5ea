"""Text in figures: what users wrote is shown as it is, and numbers so that they can be read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..shared.text.visible import json_text, visible

#: What Plotly takes for markup, for a template's field, or for a formula.
_ACTIVE = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "%": "&#37;", "$": "&#36;", "{": "&#123;"}
_LONGEST = 60
_MOST_HPARAMS = 12


def plain(text: str, longest: int = _LONGEST) -> str:
    """A text that Plotly shows as it is, cut to `longest` characters: no markup, no template, nothing hidden."""
    shown = visible(text)
    shown = shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
    return "".join(_ACTIVE.get(character, character) for character in shown)


def number(value: float | None) -> str:
    """A number with at most five significant digits; "none" for none."""
    if value is None:
        return "none"
    if math.isfinite(value) and value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    return f"{value:.5g}"


def duration(seconds: float) -> str:
    """A length of time, as 42 s, 3.5 min, 2.1 h or 3.2 d."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def setting(value: Any) -> str:
    """A hyperparameter's value for people, as Plotly shows it."""
    if isinstance(value, float):
        return number(value)
    return plain(value if isinstance(value, str) else json_text(value), 30)


def settings(hparams: Mapping[str, Any]) -> str:
    """Hyperparameters, one a line."""
    lines = [f"{plain(name, 30)}: {setting(value)}" for name, value in list(hparams.items())[:_MOST_HPARAMS]]
    return "<br>".join(lines + (["…"] if len(hparams) > _MOST_HPARAMS else []))


def lines(parts: Iterable[str]) -> str:
    """Text of several lines, those that are empty left out."""
    return "<br>".join(part for part in parts if part)
