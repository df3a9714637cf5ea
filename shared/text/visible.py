"""Shows characters that would act on a terminal, hide, or turn the text around them; JSON in which they are escaped.

What workers, submitters and training code have written is shown to others: it may say anything, and do nothing. Names
may not have such characters at all, see `hidden_problem`.
"""

from __future__ import annotations

import json
import re
from typing import Any

#: Control characters (C0, DEL, C1), marks and overrides of the direction of text, separators of lines and paragraphs,
#: what has no width, halves of characters, and tags. Joiners, which scripts and emoji need, are none of them.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_IN_JSON = json.JSONEncoder(ensure_ascii=True).encode


def visible(text: str) -> str:
    """A text in one line that can be shown anywhere: what is hidden stands there as `\\x1b`, `\\u202e` or `\\n`."""
    return text if text.isprintable() else HIDDEN.sub(_escaped, text)


def visible_block(text: str) -> str:
    """The same for a text of several lines, such as a traceback: its line breaks and tabs stay as they are."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in lines)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if code < 0x100:
        return _SHORT.get(character) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that says the same to whoever parses it, and whose text can be shown anywhere."""
    written = json.dumps(value, ensure_ascii=False, indent=indent)
    # Outside of its strings JSON has nothing that is hidden but the line breaks of its layout.
    lines = written.split("\n")
    return "\n".join(HIDDEN.sub(_as_json, line) for line in lines)


def _as_json(found: re.Match[str]) -> str:
    return _IN_JSON(found[0])[1:-1]


def hidden_problem(name: str) -> str | None:
    """What is wrong with a name that has such a character, naming the first; None where it has none."""
    found = None if name.isprintable() else HIDDEN.search(name)
    if found is None:
        return None
    which = "line breaks" if found[0] in "\r\n" else "control or hidden characters"
    return f"must not have {which}, got {visible(found[0])} in {_quoted(name)}"


def _quoted(name: str) -> str:
    return json_text(name if len(name) <= 100 else f"{name[:99]}…")
