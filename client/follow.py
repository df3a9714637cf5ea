"""Follows an experiment: what it looks like now, again and again as it changes, until it has ended."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..shared.errors import FailedPrecondition, RungmasterError, Unavailable
from ..shared.wire.convert import from_message, from_messages
from ..shared.wire.model import Checkpoint, Event, Experiment, TrialInfo, Trouble, Worker
from .calls import Calls
from .connection import MasterConnection
from .fetching import model_of
from .results import other_metrics

PATIENCE_SECONDS = 600.0
"""A master may be away this long before following it ends with Unavailable."""

_LONGEST_PAUSE = 1.0
_SHORTEST_PAUSE = 0.25
_ATTEMPT_SECONDS = 5.0
_FIRST_SECONDS = 60.0
_EVENTS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An experiment and the master's workers at one moment, with the events seen since the snapshot before.

    `workers` is None where a database is read, which does not know them.
    `away_for` is 0, or for how many seconds the master has not answered; the rest is then as it was before. Once the
    experiment has ended, `other_metrics` are those of the best trial beside the searcher's, `model` is its checkpoint,
    and `troubles` what went wrong.
    """

    experiment: Experiment
    workers: tuple[Worker, ...] | None
    events: tuple[Event, ...] = ()
    away_for: float = 0.0
    other_metrics: Mapping[str, float] = field(default_factory=dict)
    model: Checkpoint | None = None
    troubles: tuple[Trouble, ...] = ()


class Display(Protocol):
    """Something that shows progress to a person."""

    def say(self, words: str) -> None:
        """Tells something that happened once."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Shows how things stand now."""
        ...


def follow(master: MasterConnection, experiment_id: int) -> Iterator[Snapshot]:
    """Snapshots of an experiment: one at once, then whenever something happened (at most four a second) and every
    second, the last one in its end state. It makes connections of its own to where `master` leads.

    Events from before the first snapshot are left out. While the master is away, snapshots say so. Raises NotFound, or
    Unavailable after ten minutes without a master.
    """
    connection = master.with_timeout(_ATTEMPT_SECONDS)
    try:
        calls = Calls(connection)
        last = _first(master, experiment_id)
        with _Watcher(master, experiment_id, last.experiment) as watcher:
            yield last
            while not last.experiment.over:
                watcher.pause()
                last = _next(calls, last, watcher.take())
                yield last
    finally:
        connection.close()


def _first(master: MasterConnection, experiment_id: int) -> Snapshot:
    """As patient as any single call, since there is nothing to show yet."""
    connection = master.with_timeout(_FIRST_SECONDS)
    try:
        return _take(Calls(connection), experiment_id)
    finally:
        connection.close()


def _take(calls: Calls, experiment_id: int, events: tuple[Event, ...] = ()) -> Snapshot:
    experiment = from_message(calls.get_experiment(experiment_id).experiment, Experiment)
    if not experiment.state.ended:
        return Snapshot(experiment, _workers(calls), events)
    best = experiment.best_trial
    return Snapshot(
        experiment,
        _workers(calls),
        events,
        other_metrics=other_metrics(calls, experiment, best),
        model=_model(calls, experiment, best),
        troubles=tuple(from_messages(calls.get_experiment(experiment_id, troubles=True).troubles, Trouble)),
    )


def _model(calls: Calls, experiment: Experiment, best: TrialInfo | None) -> Checkpoint | None:
    if best is None:
        return None
    checkpoints = calls.get_trial(best.experiment_id, best.trial_id).checkpoints
    return model_of(experiment, best, from_messages(checkpoints, Checkpoint))


def _workers(calls: Calls) -> tuple[Worker, ...] | None:
    try:
        return tuple(from_messages(calls.list_workers().workers, Worker))
    except FailedPrecondition:
        return None


def _next(calls: Calls, last: Snapshot, events: tuple[Event, ...]) -> Snapshot:
    started = time.monotonic()
    try:
        return _take(calls, last.experiment.experiment_id, events)
    except Unavailable:
        away = last.away_for + time.monotonic() - started
        if away > PATIENCE_SECONDS:
            raise
        return Snapshot(last.experiment, last.workers, events, away)


class _Watcher:
    """Reads the event stream in a thread of its own, so that it wakes whoever pauses; the stream cannot be held up."""

    def __init__(self, master: MasterConnection, experiment_id: int, start: Experiment) -> None:
        self._connection = master.with_timeout(PATIENCE_SECONDS)
        self._experiment_id = experiment_id
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
        self._connection.close()

    def pause(self) -> None:
        """Waits until something happened, not too short and not too long. Raises what ended the stream."""
        time.sleep(_SHORTEST_PAUSE)
        self._changed.wait(_LONGEST_PAUSE - _SHORTEST_PAUSE)
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
            for message in Calls(self._connection).watch_experiment(self._experiment_id, self._start.last_event_id):
                self._events.append(from_message(message, Event))
                self._changed.set()
        except RungmasterError as error:
            self._failure = error
        except ValueError:
            return  # the channel was closed: nobody follows any more
        self._changed.set()
