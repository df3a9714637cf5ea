"""Progress of a search for people: a live picture on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from ...shared.text.visible import visible
from ...shared.wire.model import Experiment, TrialState
from ..follow import Display, Snapshot
from . import text
from .troubles import TroubleFeed

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

LINE_INTERVAL_S = 5.0
"""Lines about how things stand come at most this often."""

SILENCE_S = 60.0
"""Without anything noteworthy, one line comes after this long."""

_LINES_AT_ONCE = 5


@contextmanager
def open_display(stream: TextIO) -> Iterator[Display]:
    """A live display where `stream` is a terminal, else one that prints plain lines.

    At the end of a search its result takes the picture's place; whatever else ends the display leaves it there.
    """
    if not stream.isatty():
        yield PlainDisplay(stream)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=stream), refresh_per_second=4, transient=True) as live:
        try:
            yield LiveDisplay(live)
        except BaseException:
            live.transient = False
            raise


class PlainDisplay:
    """One line when something noteworthy happens, at most every few seconds, for logs and pipes."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._last_time: float | None = None
        self._last_news: Any = None
        self._told = TroubleFeed()

    def say(self, words: str) -> None:
        """Prints a line."""
        self._stream.write(visible(words) + "\n")
        self._stream.flush()

    def show(self, snapshot: Snapshot) -> None:
        """Prints how things stand, if it is time for it."""
        for line in _shortened([*self._told.lines(snapshot.events)]):
            self.say(line)
        news, now = _news(snapshot), self._clock()
        if self._due(news, now):
            self._last_news, self._last_time = news, now
            self.say(status_line(snapshot))

    def _due(self, news: Any, now: float) -> bool:
        if self._last_time is None:
            return True
        silent = now - self._last_time
        return silent >= SILENCE_S or (silent >= LINE_INTERVAL_S and news != self._last_news)


class LiveDisplay:
    """A picture that is drawn anew in place; what is said stays above it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._recent: deque[str] = deque(maxlen=_LINES_AT_ONCE)
        self._told = TroubleFeed()

    def say(self, words: str) -> None:
        """Prints a line above the picture."""
        self._live.console.print(visible(words), markup=False, highlight=False)

    def show(self, snapshot: Snapshot) -> None:
        """Draws how things stand. In a small window the rungs are left out before the best, and then what is new."""
        self._recent.extend(_shortened([*self._told.lines(snapshot.events)]))
        experiment, now = snapshot.experiment, datetime.now(UTC)
        away = [_away(snapshot)] if snapshot.away_s else []
        news = [*([""] if self._recent or away else []), *self._recent, *away]
        full = text.overview(experiment, now, snapshot.workers)
        brief = text.overview(experiment, now, snapshot.workers, rungs=False)
        pictures = map(_picture, ([*full, *news], [*brief, *news], [*brief, *away]))
        self._live.update(next(filter(self._fits, pictures), None) or _picture(brief))

    def _fits(self, picture: Text) -> bool:
        console = self._live.console
        return len(console.render_lines(picture, pad=False)) < console.height


def _picture(lines: list[str]) -> Text:
    """Lines, of which those that are too long for the window go on in the next one: none is cut off."""
    from rich.text import Text

    heading, *others = map(visible, lines)
    return Text(overflow="fold").append(heading, style="bold").append("".join("\n" + line for line in others))


def status_line(snapshot: Snapshot) -> str:
    """How things stand, in one line."""
    experiment = snapshot.experiment
    age = text.duration(text.elapsed(experiment, datetime.now(UTC)))
    parts = [text.counts(experiment), text.trained(experiment), text.best_so_far(experiment)]
    parts.append(_away(snapshot) if snapshot.away_s else text.workers_line(snapshot.workers))
    return f"[{age}] " + "; ".join(parts)


def _away(snapshot: Snapshot) -> str:
    return f"the master has not answered for {text.duration(snapshot.away_s)}"


def _shortened(lines: list[str]) -> list[str]:
    more = len(lines) - _LINES_AT_ONCE
    return [*lines[:_LINES_AT_ONCE], f"… and {more} more events like these"] if more > 0 else lines


def _news(snapshot: Snapshot) -> Any:
    """What makes a line worth printing when it changes."""
    experiment: Experiment = snapshot.experiment
    best = experiment.leading_trial
    return (
        experiment.state,
        best and (best.trial_id, best.best_metric),
        [(rung.promoted, rung.failed) for bracket in experiment.brackets for rung in bracket.rungs],
        experiment.trial_counts.get(TrialState.COMPLETED),
        len(snapshot.workers or ()),
        snapshot.away_s > 0,
    )
