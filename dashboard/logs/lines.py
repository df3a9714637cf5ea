"""The newest lines of a log: bytes in, lines out in which nothing can act or hide."""

from __future__ import annotations

import codecs
from collections import deque
from itertools import islice
from typing import NamedTuple

from ...shared.text.visible import visible_block

MOST_LINES = 5_000
MOST_CHARACTERS = 2 * 2**20
LONGEST = 2_000
"""Characters of a line that are kept; how many more there were is told."""


class LogLine(NamedTuple):
    """A line for people. `kind` is `text`, or for what the page says itself `head` (of an assignment) or `note`."""

    kind: str
    text: str


class LogLines:
    """Lines as they are printed, numbered from 0; only the newest are kept. A line that a carriage return begins again,
    as progress bars do, is one line, which has what was written last."""

    def __init__(self, most_lines: int = MOST_LINES, most_characters: int = MOST_CHARACTERS) -> None:
        self._most_lines = most_lines
        self._most_characters = most_characters
        self._kept: deque[LogLine] = deque()
        self._characters = 0
        self._open = ""
        self._cut = 0
        self._returned = False
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        #: The number of the oldest line that is kept, and of the next one.
        self.first = self.next = 0

    def head(self, text: str) -> None:
        """An assignment begins: whatever was printed before has ended."""
        self._say("head", text)

    def note(self, text: str) -> None:
        """Something that was not printed, between the lines that were."""
        self._say("note", text)

    def take(self, content: bytes) -> None:
        """What was printed next; it may end anywhere, within a line or a character."""
        *ended, begun = self._decoder.decode(content).split("\n")
        for line in ended:
            self._extend(line)
            self._end()
        self._extend(begun)

    @property
    def open(self) -> str:
        """The line that has no end yet, as it stands now."""
        more = f" … ({self._cut:,} more characters)" if self._cut else ""
        return visible_block(self._open) + more

    def since(self, number: int) -> list[LogLine]:
        """The lines from this number on, as far as they are kept."""
        return list(islice(self._kept, max(0, number - self.first), None))

    def _extend(self, text: str) -> None:
        for place, part in enumerate(text.split("\r")):
            self._returned = self._returned or place > 0
            if not part:
                continue
            if self._returned:
                self._open, self._cut, self._returned = "", 0, False
            room = LONGEST - len(self._open)
            self._open += part[:room]
            self._cut += max(0, len(part) - room)

    def _end(self) -> None:
        self._add(LogLine("text", self.open))
        self._open, self._cut, self._returned = "", 0, False

    def _say(self, kind: str, text: str) -> None:
        self._extend(self._decoder.decode(b"", final=True))
        self._decoder.reset()
        if self._open:
            self._end()
        self._add(LogLine(kind, visible_block(text)))

    def _add(self, line: LogLine) -> None:
        self._kept.append(line)
        self.next += 1
        self._characters += len(line.text)
        while len(self._kept) > self._most_lines or self._characters > self._most_characters:
            self._characters -= len(self._kept.popleft().text)
            self.first += 1
