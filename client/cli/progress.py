"""Progress of a search for people: a live picture on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from ...shared.text.visible import visible
from ...shared.wire.model import Experiment, TrialState
from ..follow import Display, Snapshot
from . import text
from .live.estimate import Pace, about, seconds_left
from .troubles import TroubleFeed, shortened

LINE_INTERVAL_S = 5.0
"""Lines about how things stand come at most this often."""

SILENCE_S = 60.0
"""Without anything noteworthy, one line comes after this long."""

_CANNOT_DRAW = ("", "dumb", "unknown")


@contextmanager
def open_display(stream: TextIO) -> Iterator[Display]:
    """A live picture where `stream` is a terminal that can draw one, else plain lines.

    At the end of a search its result takes the picture's place; whatever else ends the display leaves it there.
    """
    if not stream.isatty() or os.environ.get("TERM", "") in _CANNOT_DRAW:
        yield PlainDisplay(stream)
        return
    from .live.display import live_display

    with live_display(stream) as display:
        yield display


class PlainDisplay:
    """One line when something noteworthy happens, at most every few seconds, for logs and pipes."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._last_time: float | None = None
        self._last_news: Any = None
        self._told = TroubleFeed()
        self._pace = Pace()

    def say(self, words: str) -> None:
        """Prints a line."""
        self._stream.write(visible(words) + "\n")
        self._stream.flush()

    def show(self, snapshot: Snapshot) -> None:
        """Prints how things stand, if it is time for it."""
        for line in shortened([*self._told.lines(snapshot.events)]):
            self.say(line)
        news, now = _news(snapshot), self._clock()
        self._pace.add(now, snapshot.experiment)
        if self._due(news, now):
            self._last_news, self._last_time = news, now
            self.say(status_line(snapshot, None if snapshot.away_s else self._pace.rate(now)))

    def _due(self, news: Any, now: float) -> bool:
        if self._last_time is None:
            return True
        silent = now - self._last_time
        return silent >= SILENCE_S or (silent >= LINE_INTERVAL_S and news != self._last_news)


def status_line(snapshot: Snapshot, rate: float | None = None) -> str:
    """How things stand, in one line; `rate` is in units of the resource a second, where it is known."""
    experiment = snapshot.experiment
    elapsed_s = text.elapsed(experiment, datetime.now(UTC))
    age, left_s = text.duration(elapsed_s), seconds_left(experiment, rate, elapsed_s)
    parts = [text.counts(experiment), text.trained(experiment), text.best_so_far(experiment)]
    parts.append(_away(snapshot) if snapshot.away_s else text.workers_line(snapshot.workers))
    parts += [f"{about(left_s)} left"] if left_s is not None else []
    return f"[{age}] " + "; ".join(parts)


def _away(snapshot: Snapshot) -> str:
    return f"the master has not answered for {text.duration(snapshot.away_s)}"


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
