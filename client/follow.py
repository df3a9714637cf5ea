"""Follows an experiment: what it looks like now, again and again as it changes, until it has ended."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..shared.errors import FailedPrecondition, RungmasterError, Unavailable
from ..shared.wire.model import Checkpoint, Event, Experiment, Trouble, Worker
from .best_curve import BestCurve
from .client import Client
from .fetching import model_of
from .results import other_metrics

PATIENCE_S = 600.0
"""A master may be away this long before following it ends with Unavailable."""

_LONGEST_PAUSE_S = 1.0
_SHORTEST_PAUSE_S = 0.25
_ATTEMPT_TIMEOUT_S = 5.0
_FIRST_TIMEOUT_S = 60.0
_EVENTS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An experiment and the master's workers at one moment, with the events seen since the snapshot before.

    `workers` is None where a database is read, which does not know them.
    `away_s` is 0, or for how many seconds the master has not answered; the rest is then as it was before. `curve` is
    how the best result got better, at even steps of what was trained, where it was asked for. Once the experiment has
    ended, `other_metrics` are those of the best trial beside the searcher's, `model` is its checkpoint, and `troubles`
    what went wrong.
    """

    experiment: Experiment
    workers: tuple[Worker, ...] | None
    events: tuple[Event, ...] = ()
    away_s: float = 0.0
    other_metrics: Mapping[str, float] = field(default_factory=dict)
    model: Checkpoint | None = None
    troubles: tuple[Trouble, ...] = ()
    curve: tuple[float, ...] = ()


class Display(Protocol):
    """Something that shows progress to a person. One that has `wants_curve = True` is shown snapshots with a curve."""

    def say(self, words: str) -> None:
        """Tells something that happened once."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Shows how things stand now."""
        ...


def follow(client: Client, experiment_id: int, *, curve: bool = False) -> Iterator[Snapshot]:
    """Snapshots of an experiment: one at once, then whenever something happened (at most four a second) and every
    second, the last one in its end state. It makes connections of its own to where that of `client` leads.

    Events from before the first snapshot are left out. With `curve` the snapshots have one, for which
    the reports are read once. While the master is away, snapshots say so. Raises NotFound, or
    Unavailable after ten minutes without a master.
    """
    with client.with_timeout(_FIRST_TIMEOUT_S) as patient:
        best = BestCurve(patient, patient.get(experiment_id)) if curve else None
        last = _take(patient, experiment_id, best)
    with client.with_timeout(_ATTEMPT_TIMEOUT_S) as brief, _Watcher(client, last.experiment) as watcher:
        yield last
        while not last.experiment.over:
            watcher.pause()
            last = _next(brief, last, best, watcher.take())
            yield last


def wants_curve(display: Display) -> bool:
    """Whether a display shows how the best result got better."""
    return getattr(display, "wants_curve", False)


def _take(client: Client, experiment_id: int, curve: BestCurve | None, events: tuple[Event, ...] = ()) -> Snapshot:
    experiment = client.get(experiment_id)
    if not experiment.state.ended:
        values = curve.update(experiment) if curve is not None else ()
        return Snapshot(experiment, _workers(client), events, curve=values)
    best = experiment.best_trial
    return Snapshot(
        experiment,
        _workers(client),
        events,
        other_metrics=other_metrics(client, experiment, best),
        model=model_of(experiment, best, client.trial(experiment_id, best.trial_id).checkpoints) if best else None,
        troubles=client.troubles(experiment_id),
    )


def _workers(client: Client) -> tuple[Worker, ...] | None:
    try:
        return client.workers()
    except FailedPrecondition:
        return None


def _next(client: Client, last: Snapshot, curve: BestCurve | None, events: tuple[Event, ...]) -> Snapshot:
    started = time.monotonic()
    try:
        return _take(client, last.experiment.experiment_id, curve, events)
    except Unavailable:
        away_s = last.away_s + time.monotonic() - started
        if away_s > PATIENCE_S:
            raise
        return Snapshot(last.experiment, last.workers, events, away_s, curve=last.curve)


class _Watcher:
    """Reads the event stream in a thread of its own, so that it wakes whoever pauses; the stream cannot be held up."""

    def __init__(self, client: Client, start: Experiment) -> None:
        self._client = client.with_timeout(PATIENCE_S)
        self._start = start
        self._events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self._changed = threading.Event()
        self._failure: RungmasterError | None = None
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def __enter__(self) -> _Watcher:
        if not self._start.over:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def pause(self) -> None:
        """Waits until something happened, not too short and not too long. Raises what ended the stream."""
        time.sleep(_SHORTEST_PAUSE_S)
        self._changed.wait(_LONGEST_PAUSE_S - _SHORTEST_PAUSE_S)
        self._changed.clear()
        if self._failure is not None:
            raise self._failure

    def take(self) -> tuple[Event, ...]:
        """The events since the last call; of a flood the latest thousand."""
        events = []
        while self._events:
            events.append(self._events.popleft())
        return tuple(events)

    def _watch(self) -> None:
        try:
            for event in self._client.watch(self._start.experiment_id, after=self._start.last_event_id):
                self._events.append(event)
                self._changed.set()
        except RungmasterError as error:
            self._failure = error
        except ValueError:
            return  # the channel was closed: nobody follows any more
        self._changed.set()
