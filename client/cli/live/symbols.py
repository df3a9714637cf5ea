"""The signs that a picture is drawn with: block elements, or ASCII where a terminal cannot be trusted with them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from ....shared.text.visible import visible


@dataclass(frozen=True, slots=True)
class Symbols:
    """What stands for a trial that went on, waits at its rung, failed, or is to come; for a part of a whole; for the
    heights of a sparkline, low to high; for what follows from something, and for what was left out."""

    went_on: str
    waits: str
    failed: str
    to_come: str
    heights: str
    becomes: str
    ellipsis: str
    is_ascii: bool

    def shown(self, text: str) -> str:
        """A text that any terminal with these signs can show, in one line."""
        text = visible(text)
        return text.encode("ascii", "backslashreplace").decode("ascii") if self.is_ascii else text


BLOCKS = Symbols("█", "▒", "x", "·", "▁▂▃▄▅▆▇█", "→", "…", is_ascii=False)
ASCII = Symbols("#", "=", "x", ".", "_.-=+*#", "->", "..", is_ascii=True)


def symbols_for(stream: TextIO, environment: Mapping[str, str] = os.environ) -> Symbols:
    """Block elements where the stream's encoding has them, and the locale is none of plain ASCII."""
    given = (environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next(filter(None, given), "")
    if locale in ("C", "POSIX"):
        return ASCII
    try:
        "".join((BLOCKS.went_on, BLOCKS.waits, BLOCKS.heights, BLOCKS.becomes)).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS
