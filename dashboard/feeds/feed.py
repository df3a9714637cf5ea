"""Follows one experiment for all who look at it: two streams and a call now and then, in threads of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from ...client.client import Client
from ...shared.errors import RungmasterError, Unavailable
from ...shared.text.logs import about
from ...shared.wire.model import Event, Experiment, TrialInfo
from .history import FeedHistory
from .picture import Picture

log = logging.getLogger(__name__)

PATIENCE_S = 600.0
"""A master may be away this long before a feed gives up."""

PACE_S = 1.0
"""Seconds between two looks at an experiment whose journal moves, at least."""

IDLE_PACE_S = 3.0
"""The same where nothing is told to have happened."""

REST = 20.0
"""A look is followed by a rest of so many times what it took: what many trials cost, they do not cost all the time."""

EVENTS_KEPT = 1_000
_FEW = 20
_CALL_TIMEOUT_S = 20.0


class ExperimentFeed:
    """What one experiment looks like, kept up to date until `close`. `changed` is called from its threads.

    `failure` is why it ended by itself: the token of the client that it was begun with does not count any more, or the
    experiment was deleted.
    """

    def __init__(self, client: Client, experiment_id: int, changed: Callable[[], None]) -> None:
        """Asks for the experiment and its trials once. Raises NotFound or what else the calls raise."""
        self.experiment_id = experiment_id
        self._client = client.with_timeout(_CALL_TIMEOUT_S)
        self._watching = client.with_timeout(PATIENCE_S)
        self._changed = changed
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._touched: set[int] = set()
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.failure: RungmasterError | None = None
        self.history = FeedHistory(client, experiment_id)
        experiment = self._client.get(experiment_id)
        self.picture = Picture(experiment, self._all_trials())
        self._start(self._follow, "follow")
        self._start(self._watch_events, "events")

    def close(self) -> None:
        """Ends its threads and connections."""
        self._closed.set()
        self._wake.set()
        self._client.close()
        self._watching.close()
        self.history.close()

    def _start(self, action: Callable[[], None], what: str) -> None:
        threading.Thread(target=self._until_closed, args=(action,), name=f"feed-{what}", daemon=True).start()

    def _until_closed(self, action: Callable[[], None]) -> None:
        try:
            action()
        except RungmasterError as error:
            if not self._closed.is_set():
                log.info("experiment %d is followed no more: %s", self.experiment_id, error, extra=self._about())
                self.failure = error
                self._changed()
        except ValueError:
            # A channel that was closed under a call says so.
            if not self._closed.is_set():
                raise

    def _about(self) -> dict[str, int]:
        return about(experiment=self.experiment_id)

    def _watch_events(self) -> None:
        """Reads the journal from its latest entries on."""
        after = max(0, self.picture.experiment.last_event_id - EVENTS_KEPT)
        while not self._closed.is_set():
            for event in self._watching.watch(self.experiment_id, after=after):
                after = event.event_id
                with self._lock:
                    self._events.append(event)
                    if event.trial_id is not None:
                        self._touched.add(event.trial_id)
                self._wake.set()
            # It has ended; it may be extended.
            while self.picture.experiment.over and not self._closed.wait(PACE_S):
                pass

    def _follow(self) -> None:
        """Looks at the experiment and its trials whenever something happened, with rests."""
        while not self._closed.is_set():
            began = time.monotonic()
            with self._lock:
                touched, self._touched = self._touched, set()
            try:
                self._look(touched)
            except Unavailable as error:
                with self._lock:
                    self._touched |= touched
                self._show(replace(self.picture, away=str(error)))
            pause_s = max(PACE_S, REST * (time.monotonic() - began))
            self._closed.wait(pause_s)
            self._wake.wait(max(0.0, IDLE_PACE_S - pause_s))
            self._wake.clear()

    def _look(self, touched: set[int]) -> None:
        experiment = self._client.get(self.experiment_id)
        before = self.picture
        trials = self._trials(before, experiment, touched)
        with self._lock:
            events = tuple(self._events)
        same = experiment == before.experiment and trials is before.trials and len(events) == len(before.events)
        if same and not before.away and (not events or events[-1] == before.events[-1]):
            return
        self._show(Picture(experiment, trials, events))

    def _trials(self, before: Picture, experiment: Experiment, touched: set[int]) -> Mapping[int, TrialInfo]:
        """The trials as they are now: few by name, many all at once."""
        known = dict(before.trials)
        running = [each.trial_id for each in known.values() if each.worker]
        if experiment == before.experiment and not touched and not running:
            return before.trials
        small = experiment.planned_trials <= 1_000
        wanted = touched | set(running)
        if small or len(wanted) > _FEW:
            return self._all_trials()
        return known | {number: self._client.trial(self.experiment_id, number).trial for number in wanted}

    def _all_trials(self) -> dict[int, TrialInfo]:
        return {trial.trial_id: trial for trial in self._client.trials(self.experiment_id)}

    def _show(self, picture: Picture) -> None:
        self.picture = replace(picture, number=self.picture.number + 1)
        self._changed()
