"""Shows the picture of a search on a terminal, drawn anew in place."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ...follow import Snapshot
from .. import text
from ..troubles import LINES_AT_ONCE, TroubleFeed, shortened
from .estimate import Pace, seconds_left
from .lines import Line
from .picture import View, draw
from .symbols import Symbols, symbols_for

#: Lines of what was said that come again when the window was cleared.
_SAID = 20


@contextmanager
def live_display(stream: TextIO) -> Iterator[LiveDisplay]:
    """A picture on a terminal, which goes at the end of a search; whatever else ends the display leaves it there."""
    display = LiveDisplay(Console(file=stream, highlight=False), symbols_for(stream))
    try:
        yield display
    except BaseException:
        display.close(leave=True)
        raise
    display.close(leave=False)


class LiveDisplay:
    """A picture that is drawn anew in place; what is said stays above it.

    It is drawn for the window as that is now. One that became smaller has broken the old picture's lines, so it is
    cleared first, and what was said last is said again.
    """

    wants_curve = True

    def __init__(self, console: Console, symbols: Symbols, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._symbols = symbols
        self._clock = clock
        self._pace = Pace()
        self._news: deque[str] = deque(maxlen=LINES_AT_ONCE)
        self._said: deque[str] = deque(maxlen=_SAID)
        self._told = TroubleFeed()
        self._size = console.size
        self._live = self._begin()

    def _begin(self) -> Live:
        live = Live(console=self._console, auto_refresh=False, transient=True, vertical_overflow="crop")
        live.start()
        return live

    def close(self, *, leave: bool) -> None:
        """Ends the picture; it goes, or stays where it is."""
        self._live.transient = not leave
        self._live.stop()

    def say(self, words: str) -> None:
        """Prints a line above the picture."""
        self._said.append(words)
        self._print(words)

    def _print(self, words: str) -> None:
        self._console.print(self._symbols.shown(words), markup=False, highlight=False, soft_wrap=True)

    def show(self, snapshot: Snapshot) -> None:
        """Draws how things stand."""
        self._news.extend(shortened([*self._told.lines(snapshot.events)]))
        now, now_s = datetime.now(UTC), self._clock()
        experiment = snapshot.experiment
        self._pace.add(now_s, experiment)
        rate = None if snapshot.away_s else self._pace.rate(now_s)
        left_s = seconds_left(experiment, rate, text.elapsed(experiment, now))
        curve = snapshot.curve
        view = View(experiment, now, snapshot.workers, snapshot.away_s, curve, rate, left_s, tuple(self._news))
        self._clear_if_smaller()
        # A line more than the window has would make it scroll.
        lines = draw(view, self._console.width, max(1, self._console.height - 1), self._symbols)
        self._live.update(rendered(lines), refresh=True)

    def _clear_if_smaller(self) -> None:
        before, self._size = self._size, self._console.size
        if self._size.width >= before.width and self._size.height >= before.height:
            return
        self._live.stop()
        self._console.clear()
        for words in self._said:
            self._print(words)
        self._live = self._begin()


def rendered(lines: list[Line]) -> Text:
    """Lines as Rich shows them."""
    spans = ((words, style) for place, line in enumerate(lines) for words, style in (("\n" * (place > 0), ""), *line))
    return Text.assemble(*spans, no_wrap=True, overflow="crop")
