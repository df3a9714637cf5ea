"""How the end of a training is told: a first line that says it all in short, and below it the end of the output."""

from __future__ import annotations

import re

from .limits import MAX_ERROR

#: The most characters of a first line; the message of an exception may be a page long.
MAX_SUMMARY = 500

_VARYING = (
    # Paths first: what is in them is told by the rest.
    (re.compile(r"(?:[A-Za-z]+:/|\.{0,2})/[^\s'\"`,;()\[\]{}]*"), "/…"),
    (re.compile(r"(?<![\w.])[-+]?(?:(?:\d[\d_,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf|infinity)(?!\w)"), "#"),
    # Addresses, and ids in hexadecimal.
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-fA-F-]*\d)[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]{4,})*\b"), "#"),
    (re.compile(r"\d+"), "#"),
    (re.compile(r"\s+"), " "),
)


def failure_text(headline: str, exception: str = "", output: str = "") -> str:
    """What ended a training (`headline`), the exception in one line where there was one, and the end of the output."""
    first = f"{headline}: {exception}" if exception else headline
    first = _shortened(" ".join(first.split()))
    return f"{first}\n{output[-(MAX_ERROR - len(first) - 1) :]}".strip()


def summary(error: str) -> str:
    """The first line of an error, for places that have room for one."""
    return _shortened(error.strip().partition("\n")[0])


def _shortened(line: str) -> str:
    return line if len(line) <= MAX_SUMMARY else f"{line[: MAX_SUMMARY - 1]}…"


def signature(error: str) -> str:
    """The same for two errors of one cause: their first line without numbers, addresses, ids and paths."""
    line = summary(error)
    for varying, instead in _VARYING:
        line = varying.sub(instead, line)
    return line
