"""How the end of a training is told: a first line that says it all in short, and below it the end of the output."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..limits import MAX_ERROR
from .visible import visible

#: The most characters of a first line; the message of an exception may be a page long.
MAX_SUMMARY = 500

_TRACEBACK = "Traceback (most recent call last):"
#: What colours a terminal.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LIBRARY = re.compile(r"^<|/(?:site|dist)-packages/|/lib/python\d[.\d]*/")
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
    first = _shortened(" ".join(_ESCAPES.sub("", first).split()))
    return f"{first}\n{output[-(MAX_ERROR - len(first) - 1) :]}".strip()


def exception_line(error: BaseException) -> str:
    """An exception in one line: its type, its message, and where it was raised, in code that is nobody's library."""
    told = next(text for text in traceback.format_exception_only(error) if not text.startswith(" "))
    told = " ".join(told.split())
    if isinstance(error, SyntaxError):
        return told + _place([(error.filename or "<unknown>", error.lineno or 0, "")])
    return told + _place([(f.filename, f.lineno or 0, f.name) for f in traceback.extract_tb(error.__traceback__)])


def exception_in(output: str) -> str:
    """The exception of the last traceback that a Python program printed, in one line; empty where there is none.

    Each line may begin with what a launcher of several processes puts before it, such as `[rank0]: `.
    """
    lines = _ESCAPES.sub("", output).splitlines()
    begun = next((n for n in reversed(range(len(lines))) if _TRACEBACK in lines[n]), len(lines))
    frames: list[tuple[str, int, str]] = []
    for line in _without(lines[begun].partition(_TRACEBACK)[0], lines[begun + 1 :]) if begun < len(lines) else ():
        if frame := re.match(r'  File "(.*)", line (\d+)(?:, in (.*))?$', line):
            frames.append((frame[1], int(frame[2]), frame[3] or ""))
        elif line and not line.startswith(" "):
            return line.strip() + _place(frames)
    return ""


def _without(prefix: str, lines: Sequence[str]) -> Iterator[str]:
    """The lines that begin with the prefix of their traceback, without it."""
    prefix = "  | " if prefix == "  + Exception Group " else prefix
    return (line.removeprefix(prefix) for line in lines if line.startswith(prefix))


def last_line(output: str) -> str:
    """The last line that says anything; of a progress bar its last state."""
    return next((line.strip() for line in reversed(_ESCAPES.sub("", output).splitlines()) if line.strip()), "")


def _place(frames: Sequence[tuple[str, int, str]]) -> str:
    """The last of these frames (file, line, function) that is in no library and not in this package."""
    ours = str(Path(__file__).parents[2])
    own = [frame for frame in frames if not _LIBRARY.search(frame[0]) and not frame[0].startswith(ours)]
    if not own:
        return ""
    file, line, function = own[-1]
    return f" ({Path(file).name}, line {line}{f', in {function}' if function else ''})"


def summary(error: str) -> str:
    """The first line of an error, for places that have room for one."""
    return _shortened(error.strip().partition("\n")[0])


def _shortened(line: str) -> str:
    line = visible(line)
    return line if len(line) <= MAX_SUMMARY else f"{line[: MAX_SUMMARY - 1]}…"


def signature(error: str) -> str:
    """The same for two errors of one cause: their first line without numbers, addresses, ids and paths."""
    line = summary(error)
    for varying, instead in _VARYING:
        line = varying.sub(instead, line)
    return line


class Repeats:
    """Counts errors of one cause, so that each is told once and then now and then."""

    _KEPT = 1_000

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, error: str) -> int:
        """Takes in an error; how many of its cause there were by now."""
        cause = signature(error)
        if cause not in self._counts and len(self._counts) >= self._KEPT:
            self._counts.clear()
        self._counts[cause] = self._counts.get(cause, 0) + 1
        return self._counts[cause]

    @staticmethod
    def worth_telling(times: int) -> bool:
        """Whether it is time to say how often: the first time, and at 10, 100, 1,000, …"""
        return set(str(times)[1:]) <= {"0"} and str(times)[0] == "1"
