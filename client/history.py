"""Fetches what figures are made of, once or again and again: a search with its trials, curves and journal."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ..plots.gathering import Gathering, points_of_a_trial
from ..plots.history import History, levels_of, sign_of
from ..proto.v1 import experiment_pb2
from ..shared.errors import FailedPrecondition
from ..shared.wire.convert import from_message
from ..shared.wire.model import Event, Experiment, TrialInfo, Worker
from .client import Client

_MOST_SINGLE_TRIALS = 30


def load(client: Client, experiment_id: int, *, metric: str | None = None) -> History:
    """All that figures show of an experiment, as it is now; `metric`: whose curves, by default the searcher's.

    Reports are read as a stream and thinned as they come, so they take little memory. The master rests while it sends a
    long stream, so a million of them take minutes.
    Raises NotFound where there is no such experiment.
    """
    return HistoryLoader(client, experiment_id, metric=metric).update()


class HistoryLoader:
    """Keeps the history of one experiment up to date; each `update` fetches what is new since the one before.

    Not to be shared between threads. Its calls are those of `client`, and raise the same errors; after one the next
    `update` goes on where the last good one ended.
    """

    def __init__(self, client: Client, experiment_id: int, *, metric: str | None = None) -> None:
        self._client = client
        self._id = experiment_id
        self._metric = metric
        self._events: list[Event] = []
        self._trials: dict[int, TrialInfo] = {}
        self._gathering: Gathering | None = None
        self._metrics: set[str] = set()
        self._position = ""

    def update(self) -> History:
        """The history up to now."""
        experiment = self._client.get(self._id)
        time = datetime.now(UTC)
        metric = self._metric or experiment.metric
        if self._gathering is None:
            points = points_of_a_trial(experiment.planned_trials)
            self._gathering = Gathering(levels_of(experiment), sign_of(experiment), points)
        changed = self._read_events(experiment)
        changed |= self._read_reports(experiment, metric, self._gathering)
        self._read_trials(changed)
        return History(
            experiment=experiment,
            trials=tuple(self._trials[trial_id] for trial_id in sorted(self._trials)),
            curves=self._gathering.curves(),
            records=tuple(self._gathering.records) if metric == experiment.metric else (),
            events=tuple(self._events),
            workers=self._workers(),
            metric=metric,
            metrics=tuple(sorted(self._metrics)),
            time=time,
            position=self._position,
            last_event_id=self._last_event,
        )

    @property
    def _last_event(self) -> int:
        return self._events[-1].event_id if self._events else 0

    def _read_events(self, experiment: Experiment) -> set[int]:
        """The trials of new events."""
        assert self._gathering is not None
        changed: set[int] = set()
        if self._last_event >= experiment.last_event_id:
            return changed
        request = experiment_pb2.WatchExperimentRequest(experiment_id=self._id, after_event_id=self._last_event)
        with closing(self._watched(request)) as answers:
            for answer in answers:
                for message in answer.events:
                    event = _without_code(from_message(message, Event))
                    self._events.append(event)
                    if event.trial_id is not None:
                        changed.add(event.trial_id)
                        if event.kind == "trial_created" and event.data.get("from"):
                            self._gathering.starts[event.trial_id] = event.data["from"]
                if self._last_event >= experiment.last_event_id:
                    break
        return changed

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

    def _read_trials(self, changed: set[int]) -> None:
        """Trials anew: the few that changed one by one, and many as a list."""
        if len(changed) <= _MOST_SINGLE_TRIALS and self._trials:
            for trial_id in changed:
                self._trials[trial_id] = self._client.trial(self._id, trial_id).trial
        elif changed:
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
