"""A database as a search leaves it that has gone on for long, and a master's memory rebuilt from it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rungmaster.master.dispatcher.clock import system_now
from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.recovered import RecoveredMemory, SessionParameters
from rungmaster.master.dispatcher.setup import setup_from_json
from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.experiment.changes import Changes, CheckpointRow, RungResultRow, TrialRow
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.shared.space.space import DRAW_RULES
from rungmaster.shared.wire.session import (
    CheckpointSaved,
    Decision,
    DecisionKind,
    Exit,
    ExitOutcome,
    Hello,
    LeaseEvent,
    Measurement,
    SessionRequest,
    SessionResponse,
    WorkRequest,
)

ETA = 4
#: Rows in one commit of the filling.
CHUNK = 5_000
HPARAMS = {"learning_rate": 0.0123456789, "width": 128, "activation": "relu", "solver": "sgd", "momentum": 0.9}
Command = Callable[[Core, Any], None]


def document(max_trials: int) -> dict[str, Any]:
    """A spec whose search space costs nothing to draw from, so that growth is not hidden behind it."""
    return {
        "name": "benchmark",
        "entrypoint": "training:train",
        "metric": {"name": "validation_error", "goal": "minimize"},
        "hyperparameters": dict(HPARAMS),
        "searcher": {"name": "asha", "max_trials": max_trials, "max_resource": 256, "divisor": ETA},
    }


class Master:
    """The master's core over a real ledger, without network and threads: one turn is one batch."""

    def __init__(self, ledger: Ledger, recovered: RecoveredMemory | None = None) -> None:
        self._store = LedgerStore(ledger)
        parameters = SessionParameters(ledger.term, 600.0, 60.0, "benchmark")
        self.core = Core(parameters, recovered or self._store.recover(), system_now())

    def create(self, max_trials: int) -> int:
        """Begins an experiment and gives its number."""
        plan, made = setup_from_json(document(max_trials), DRAW_RULES), []
        self.turn([lambda core, _: made.append(core.create(plan, ""))])
        return made[0]

    def turn(self, commands: Iterable[Command]) -> dict[str, SessionResponse]:
        """Applies, commits, and gives the bundles by session, as the writer does it."""
        for command in commands:
            now = system_now()
            self.core.begin(now)
            command(self.core, now)
        turn = self.core.finish(system_now())
        changes, outbox = turn.changes, turn.outbox
        self._store.commit(changes)
        keys = {granted.key for out in outbox.values() for granted in out.granted}
        hparams = self._store.hparams(keys) if keys else {}
        return {session: out.response(hparams) for session, out in outbox.items()}


def _trial(experiment: int, number: int, promoted: bool, metric: float) -> TrialRow:
    reason = f"rank {number % 977} of {number + 1} at rung 0, the top {(number + 1) // ETA} go on"
    return TrialRow(
        experiment,
        number,
        "failed" if promoted else "paused",
        "failed 4 times, the last time with: CUDA out of memory" if promoted else reason,
        bracket_id=0,
        rung_id=int(promoted),
        resource=1,
        target=ETA if promoted else 1,
        metric=None if promoted else metric,
        metric_resource=1,
        restarts=0,
        workers_lost=0,
        token=1,
        create_time=1.7e9 + number,
        end_time=1.7e9 + number if promoted else None,
        hparams={**HPARAMS, "learning_rate": metric},
    )


def fill(database: Path | str, trials: int, *, checkpoints: bool = False) -> float:
    """A search whose first rung holds `trials` results, the best quarter promoted and failed since: seconds it took.

    With `checkpoints` each trial that was not promoted has one.
    """
    start, rng = time.perf_counter(), random.Random(1)
    values = [rng.random() for _ in range(trials)]
    threshold = sorted(values)[trials // ETA - 1]
    ledger = Ledger.open(str(database), holder="benchmark")
    master = Master(ledger)
    experiment = master.create(trials + 10**6)
    promoted = sum(value <= threshold for value in values)
    for first in range(0, trials, CHUNK):
        batch = Changes()
        for number in range(first, min(trials, first + CHUNK)):
            value, goes_on = values[number], values[number] <= threshold
            batch.new_trials.append(_trial(experiment, number, goes_on, value))
            ids = (experiment, 0)
            batch.new_results.append(RungResultRow(*ids, 0, number, 1, value, goes_on, 1.7e9 + number))
            if checkpoints and not goes_on:
                uri = f"file:///checkpoints/{experiment}/{number}/1-1-0123456789abcdef"
                batch.new_checkpoints.append(
                    CheckpointRow(experiment, number, 1, 2, uri, 1, 10**7, "0" * 64, 1.7e9 + number)
                )
            if goes_on:
                batch.new_results.append(RungResultRow(*ids, 1, number, ETA, None, False, 1.7e9 + number))
        ledger.commit(batch)
    records = master.core.experiments[experiment].records
    records.row.counts |= {"paused": trials - promoted, "failed": promoted}
    bracket, low, high = records.brackets[0], records.rungs[0, 0], records.rungs[0, 1]
    bracket.trials_created = trials
    low.entered, low.promoted, low.best_metric = trials, promoted, min(values)
    high.entered = high.failed = promoted
    rungs = {(experiment, 0, rung.rung_id): rung for rung in (low, high)}
    ledger.commit(Changes(experiments={experiment: records.row}, brackets={(experiment, 0): bracket}, rungs=rungs))
    ledger.close()
    return time.perf_counter() - start


class _Deaf:
    """A connection whose bundles the benchmark takes from the turn instead."""

    def send(self, response: SessionResponse) -> None:
        raise AssertionError(f"the turn gives the bundles, and not the connection: {response}")

    def close(self, reason: str) -> None:
        raise AssertionError(reason)


class Workers:
    """Workers that train one step to the target each, obey, leave, and ask again; two turns for each round."""

    def __init__(self, master: Master, count: int, metrics: random.Random) -> None:
        self._master = master
        self._metrics = metrics
        self._connection = _Deaf()
        self._names = [f"session-{i}" for i in range(count)]
        self._asked = 0
        #: Events applied so far: reports, checkpoints, exits and requests for work.
        self.events = 0
        hellos = [Hello(name, name, slots=1) for name in self._names]
        master.turn([lambda core, now, h=hello: core.connect(h, self._connection, now) for hello in hellos])
        bundles = master.turn([self._sending(name, self._ask()) for name in self._names])
        self._work = {name: bundles[name].assignments[0] for name in self._names}
        self._target = {name: work.target for name, work in self._work.items()}
        self._sequence = dict.fromkeys(self._names, 0)

    def _ask(self, events: tuple[LeaseEvent, ...] = ()) -> SessionRequest:
        self._asked += 1
        self.events += 1 + len(events)
        return SessionRequest(work_request=WorkRequest(f"request-{self._asked}", 1), events=events)

    def _sending(self, name: str, request: SessionRequest) -> Command:
        return lambda core, now: core.receive(name, self._connection, request, now)

    def _event(self, name: str, what: Measurement | CheckpointSaved | Exit) -> LeaseEvent:
        self._sequence[name] += 1
        return LeaseEvent(self._work[name].lease, self._sequence[name], what)

    def round(self) -> None:
        """Every worker reports at its target and obeys."""
        reports = {}
        for name in self._names:
            metrics = {"validation_error": self._metrics.random(), "accuracy": 0.5}
            reports[name] = SessionRequest(events=(self._event(name, Measurement(self._target[name], metrics)),))
        self.events += len(reports)
        answers = self._master.turn([self._sending(name, request) for name, request in reports.items()])
        leaving = {}
        for name in self._names:
            decision = answers[name].decisions[0]
            if decision.kind is DecisionKind.CONTINUE:
                self._target[name] = decision.target
            else:
                leaving[name] = self._ask(self._last_events(name, decision))
        bundles = self._master.turn([self._sending(name, request) for name, request in leaving.items()])
        for name in leaving:
            self._work[name] = bundles[name].assignments[0]
            self._target[name], self._sequence[name] = self._work[name].target, 0

    def _last_events(self, name: str, decision: Decision) -> tuple[LeaseEvent, ...]:
        saved = self._save(name, decision) if decision.save_checkpoint else ()
        return (*saved, self._event(name, Exit(ExitOutcome.RELEASED)))

    def _save(self, name: str, decision: Decision) -> tuple[LeaseEvent, ...]:
        lease = decision.lease
        path = f"{lease.experiment_id}/{lease.trial_id}/{lease.token}-{self._target[name]}-0123456789abcdef"
        return (self._event(name, CheckpointSaved(path, self._target[name], 10**7, "0" * 64)),)
