"""Sparklines of the list of experiments: what their trials found, asked for in the background and kept for a while."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from ..client.best_curve import best_so_far
from ..client.client import Client
from ..shared.errors import RungmasterError
from ..shared.wire.model import Experiment

log = logging.getLogger(__name__)

FRESH_S = 20.0
"""The sparkline of a search that goes on is drawn anew after so long."""

MOST_TRIALS = 10_000
"""Larger experiments have none: their trials would be too much to ask for."""

_KEPT = 1_000
_WAITING = 200


@dataclass(frozen=True, slots=True)
class _Kept:
    values: tuple[float, ...]
    state: object
    at: float


class Sparklines:
    """Best results so far by experiment; one thread asks for them, one experiment after the other."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._wanted: OrderedDict[int, tuple[Client, Experiment]] = OrderedDict()
        self._more = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def of(self, client: Client, experiment: Experiment) -> tuple[float, ...]:
        """The best result so far after each trial; empty where that is not known yet."""
        kept = self._kept.get(experiment.experiment_id)
        if self._is_stale(kept, experiment) and experiment.planned_trials <= MOST_TRIALS:
            self._want(client, experiment)
        return kept.values if kept else ()

    def close(self) -> None:
        """Asks for nothing more."""
        with self._more:
            self._closed = True
            self._more.notify()

    @staticmethod
    def _is_stale(kept: _Kept | None, experiment: Experiment) -> bool:
        if kept is None:
            return experiment.best_trial is not None
        return kept.state != _state(experiment) and time.monotonic() - kept.at > FRESH_S

    def _want(self, client: Client, experiment: Experiment) -> None:
        with self._more:
            if len(self._wanted) < _WAITING:
                self._wanted.setdefault(experiment.experiment_id, (client, experiment))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sparklines", daemon=True)
                self._thread.start()
            self._more.notify()

    def _run(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(lambda: self._closed or bool(self._wanted))
                if self._closed:
                    return
                number, (client, experiment) = self._wanted.popitem(last=False)
            try:
                results = [trial.best_metric for trial in client.trials(number)]
            except (RungmasterError, ValueError) as error:
                # The session ended meanwhile, or the master is away: whoever looks next asks again.
                log.debug("no sparkline: %s", error)
                continue
            values = tuple(best_so_far(results, experiment.goal))
            self._kept[number] = _Kept(values, _state(experiment), time.monotonic())
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def _state(experiment: Experiment) -> object:
    best = experiment.best_trial
    return experiment.resource_spent, best and (best.trial_id, best.best_metric)
