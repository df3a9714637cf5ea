"""Fetches what figures are made of, once or again and again: a search with its trials, curves and journal."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..plots.gathering import Gathering, points_of_a_trial
from ..plots.history import Curve, History, Record, levels_of, sign_of
from ..proto.v1 import experiment_pb2
from ..shared.errors import FailedPrecondition
from ..shared.wire.convert import from_message
from ..shared.wire.model import Event, Experiment, TrialInfo, Worker
from .client import Client

_MOST_SINGLE_TRIALS = 30


def load(client: Client, experiment_id: int, *, metric: str | None = None, journal: bool = True) -> History:
    """All that figures show of an experiment, as it is now; `metric`: whose curves, by default the searcher's.

    The master thins the reports, a million of them in about two seconds where it has nothing else to do; beside busy
    workers it rests in between. Without `journal` the history has no events, which few figures need and which of many
    trials take a second more. Raises NotFound where there is no such experiment.
    """
    return HistoryLoader(client, experiment_id, metric=metric).update(journal=journal)


class HistoryLoader:
    """Keeps the history of one experiment up to date; each `update` fetches what is new since the one before.

    Not to be shared between threads. Its calls are those of `client`, and raise the same errors; after one the next
    `update` goes on where the last good one ended.
    """

    def __init__(self, client: Client, experiment_id: int, *, metric: str | None = None) -> None:
        self._client = client
        self._id = experiment_id
        self._metric = metric
        #: The journal after the entry `_skipped`.
        self._events: list[Event] = []
        self._skipped = 0
        self._trials: dict[int, TrialInfo] = {}
        #: Whether the trials are known as they are after the end of all.
        self._all_ended = False
        self._gathering: Gathering | None = None
        self._metrics: set[str] = set()
        self._position = ""

    def update(self, *, journal: bool = True) -> History:
        """The history up to now; without `journal` it may have no events."""
        experiment = self._client.get(self._id)
        time = datetime.now(UTC)
        metric = self._metric or experiment.metric
        if self._gathering is None:
            self._gathering = self._begin(experiment, metric)
        changed = self._read_events(experiment, self._gathering)
        if journal and self._skipped:
            self._events[:0] = self._journal(0, self._skipped)
            self._skipped = 0
        changed |= self._read_reports(experiment, metric, self._gathering)
        self._read_trials(changed, experiment)
        return History(
            experiment=experiment,
            trials=tuple(self._trials[trial_id] for trial_id in sorted(self._trials)),
            curves=self._gathering.curves(),
            records=tuple(self._gathering.records) if metric == experiment.metric else (),
            events=() if self._skipped else tuple(self._events),
            workers=self._workers(),
            metric=metric,
            metrics=tuple(sorted(self._metrics)),
            time=time,
            position=self._position,
            last_event_id=self._last_event,
        )

    @property
    def _last_event(self) -> int:
        return self._events[-1].event_id if self._events else self._skipped

    def _begin(self, experiment: Experiment, metric: str) -> Gathering:
        """Everything but the journal, as it is now: trials and curves at the same time."""
        with ThreadPoolExecutor(1) as threads:
            listing = threads.submit(lambda: {trial.trial_id: trial for trial in self._client.trials(self._id)})
            gathering = self._read_curves(experiment, metric)
            self._trials = listing.result()
        for trial in self._trials.values():
            if trial.parent is not None:
                gathering.starts[trial.trial_id] = trial.start_resource
        self._skipped = experiment.last_event_id
        return gathering

    def _read_events(self, experiment: Experiment, gathering: Gathering) -> set[int]:
        """The trials of new events."""
        events = self._journal(self._last_event, experiment.last_event_id)
        for event in events:
            if event.trial_id is not None and event.kind == "trial_created" and event.data.get("from"):
                gathering.starts[event.trial_id] = event.data["from"]
        self._events += events
        return {event.trial_id for event in events if event.trial_id is not None}

    def _journal(self, after: int, until: int) -> list[Event]:
        """The journal after one entry and until another one, that included."""
        found: list[Event] = []
        if after >= until:
            return found
        request = experiment_pb2.WatchExperimentRequest(experiment_id=self._id, after_event_id=after)
        with closing(self._watched(request)) as answers:
            for answer in answers:
                found += [_without_code(from_message(message, Event)) for message in answer.events]
                if found and found[-1].event_id >= until:
                    break
        return found

    def _read_curves(self, experiment: Experiment, metric: str) -> Gathering:
        """What was reported so far, as the master has thinned it."""
        points = points_of_a_trial(experiment.planned_trials)
        gathering = Gathering(levels_of(experiment), sign_of(experiment), points)
        request = experiment_pb2.ReadCurvesRequest(experiment_id=self._id, metric=metric, points=points)
        answers = self._client.connection.curves(request)
        for curve in (curve for answer in answers for curve in answer.curves):
            values, time_s = np.array(curve.values, np.float64), np.array(curve.times_us, np.float64) / 1e6
            gathering.begin(curve.trial_id, curve.furthest, Curve(np.array(curve.resources, np.int64), values, time_s))
        records = (record for answer in answers for record in answer.records)
        end = answers[-1].end
        gathering.begin_records(
            [Record(one.time_us / 1e6, one.spent, one.trial_id, one.resource, one.value) for one in records], end.spent
        )
        self._metrics.update(end.metrics)
        self._position = end.position
        return gathering

    def _read_reports(self, experiment: Experiment, metric: str, gathering: Gathering) -> set[int]:
        """The trials of new reports."""
        changed: set[int] = set()
        created = experiment.create_time.timestamp()
        request = experiment_pb2.WatchReportsRequest(experiment_id=self._id, after=self._position)
        with closing(self._watched(request)) as answers:
            for answer in answers:
                # By hand, for there may be millions.
                for report in answer.reports:
                    measured = report.metrics
                    received = report.receive_time
                    value = measured.get(metric)
                    trial_id = report.trial_id
                    gathering.add(trial_id, report.resource, value, received.seconds + received.nanos * 1e-9 - created)
                    changed.add(trial_id)
                    if not self._metrics.issuperset(measured):
                        self._metrics.update(measured)
                self._position = answer.position or self._position
                if answer.caught_up:
                    break
        return changed

    def _read_trials(self, changed: set[int], experiment: Experiment) -> None:
        """Trials anew: the few that changed one by one, and many as a list."""
        # Those that wait when a search ends are ended with it, and the journal says nothing of each.
        ended, self._all_ended = experiment.state.ended and not self._all_ended, experiment.over
        if len(changed) <= _MOST_SINGLE_TRIALS and not ended:
            for trial_id in changed:
                self._trials[trial_id] = self._client.trial(self._id, trial_id).trial
        else:
            self._trials = {trial.trial_id: trial for trial in self._client.trials(self._id)}

    def _watched(self, request: Any) -> Generator[Any, None, None]:
        """The answers of a watch, which can be left before its end."""
        yield from self._client.connection.watch(request)

    def _workers(self) -> tuple[Worker, ...] | None:
        try:
            return self._client.workers()
        except FailedPrecondition:
            return None


def _without_code(event: Event) -> Event:
    """An event without the fingerprint of the training code, which no figure shows."""
    if "code" not in event.data:
        return event
    return replace(event, data={name: value for name, value in event.data.items() if name != "code"})
