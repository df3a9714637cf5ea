"""A search of any size as a History, made without training: asynchronous halving over curves that fall."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from rungmaster.plots.gathering import Gathering, points_of_a_trial
from rungmaster.plots.history import Curve, History
from rungmaster.shared.wire.model import Bracket, Event, Experiment, ExperimentState, Rung, TrialInfo, TrialState

START = datetime(2026, 11, 27, 9, tzinfo=UTC)
SPACE: dict[str, Any] = {
    "learning_rate": {"type": "float", "low": 1e-5, "high": 1e-1, "log": True},
    "width": {"type": "int", "low": 16, "high": 256, "log": True},
    "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"solver": ["sgd"]}},
    "depth": {"type": "ordinal", "sequence": ["small", "medium", "large"]},
    "noise": {"type": "float", "low": 0.0, "high": 1.0},
    "batch_size": 64,
}
LEVELS = (1, 3, 9, 27)


def hparams(random: np.random.Generator) -> dict[str, Any]:
    values: dict[str, Any] = {
        "learning_rate": float(10 ** random.uniform(-5, -1)),
        "width": int(16 * 2 ** random.uniform(0, 4)),
        "solver": str(random.choice(["sgd", "adam"])),
    }
    if values["solver"] == "sgd":
        values["momentum"] = float(random.uniform(0, 0.99))
    return values | {
        "depth": str(random.choice(["small", "medium", "large"])),
        "noise": float(random.random()),
        "batch_size": 64,
    }


def quality(values: dict[str, Any]) -> float:
    """Where a trial's error ends: the learning rate counts most, then solver and momentum; `noise` counts nothing."""
    rate = (np.log10(values["learning_rate"]) + 2.5) ** 2 / 6
    return 0.05 + rate + (0.1 * (1 - values["momentum"]) if "momentum" in values else 0.2) + 4 / values["width"]


def search(trials: int = 60, *, seed: int = 1, name: str = "digits", goal: str = "minimize", **changed: Any) -> History:
    """A search of so many trials of which a third goes on at each rung; every tenth fails, every twelfth diverges."""
    random = np.random.default_rng(seed)
    given = [hparams(random) for _ in range(trials)]
    ends = np.array([quality(values) for values in given])
    place = np.empty(trials, int)
    place[np.argsort(ends)] = np.arange(trials)
    rung = np.clip(np.floor(np.log(np.maximum(trials, 2) / (place + 1)) / np.log(3)), 0, 3).astype(int)
    sign = -1 if goal == "maximize" else 1
    gathering = Gathering(LEVELS, sign, points_of_a_trial(trials))
    infos, events, free = [], [], np.zeros(4)
    for number in range(trials):
        failed, diverged = number % 10 == 7, number % 12 == 5
        reached = LEVELS[0 if failed or diverged else rung[number]]
        slot = int(np.argmin(free))
        begin, step = float(free[slot]), float(random.uniform(2, 4))
        for resource in range(1, reached + 1):
            value = sign * float(ends[number] + 0.9 / resource + random.normal() * 0.01)
            gathering.add(number, resource, np.nan if diverged else value, begin + step * resource)
        free[slot] = begin + step * reached
        state = TrialState.FAILED if failed else TrialState.COMPLETED if reached == 27 else TrialState.STOPPED
        infos.append(_trial(number, given[number], state, int(rung[number]), reached, gathering))
        events += _events(number, slot, begin, float(free[slot]), reached, "failed" if failed else "released", events)
    return _history(infos, gathering, events, name, goal, float(free.max()), **changed)


def _trial(number: int, given: dict[str, Any], state: TrialState, rung: int, reached: int, gathering: Gathering) -> Any:
    curve = gathering.curves()[number]
    finite = np.isfinite(curve.value)
    best = int(np.nanargmin(curve.value)) if finite.any() else None
    return TrialInfo(
        experiment_id=3, trial_id=number, state=state, hparams=given, bracket_id=0, rung_id=rung, resource=reached,
        target=reached, metric=float(curve.value[-1]) if finite.any() else None, metric_resource=reached, restarts=0,
        workers_lost=0, state_reason="rank 5 of 18 at rung 2", create_time=START, end_time=START, worker="",
        best_metric=None if best is None else float(curve.value[best]),
        best_resource=0 if best is None else int(curve.resource[best]), origin="random",
    )  # fmt: skip


def _events(number: int, slot: int, begin: float, end: float, target: int, outcome: str, so_far: list) -> list[Event]:
    at = [START + timedelta(seconds=moment) for moment in (begin, end)]
    worker = f"host-{slot // 2}"
    data = {"token": 1, "worker": worker}
    return [
        Event(len(so_far) + 1, 3, number, at[0], "assigned", data | {"from": 0, "target": target}),
        Event(len(so_far) + 2, 3, number, at[1], "lease_ended", data | {"outcome": outcome}),
    ]


def _history(
    infos: list[TrialInfo], gathering: Gathering, events: list[Event], name: str, goal: str, end: float, **changed: Any
) -> History:
    rungs = tuple(
        Rung(number, level, sum(info.resource >= level for info in infos), sum(info.resource > level for info in infos))
        for number, level in enumerate(LEVELS)
    )
    sign = -1 if goal == "maximize" else 1
    ranked = [info for info in infos if info.best_metric is not None]
    best = min(ranked, key=lambda info: sign * (info.best_metric or 0.0), default=None)
    experiment = Experiment(
        experiment_id=3, name=name, state=ExperimentState.COMPLETED, state_reason="the search has ended",
        metric="error", goal=goal, unit="epochs", create_time=START, end_time=START + timedelta(seconds=end),
        trial_counts={}, planned_trials=len(infos), resource_spent=gathering.spent, resource_full=27 * len(infos),
        spec={"name": name, "hyperparameters": SPACE, "searcher": {"name": "asha", "divisor": 3}},
        brackets=(Bracket(0, len(infos), None, len(infos), rungs),), best_trial=best, leading_trial=best,
    )  # fmt: skip
    values: dict[str, Any] = {
        "experiment": experiment, "trials": tuple(infos), "curves": gathering.curves(),
        "records": tuple(gathering.records), "events": tuple(events), "workers": None, "metric": "error",
        "metrics": ("accuracy", "error"), "time": START + timedelta(seconds=end),
    }  # fmt: skip
    return History(**values | changed)


def large(trials: int = 10_000, reports: int = 100) -> History:
    """A search of many trials that all reported often, which is the most that figures have to bear."""
    small = search(600)
    random = np.random.default_rng(2)
    resource, time_s = np.arange(1, reports + 1), np.linspace(0, 86_400, reports)
    curves, infos, events = {}, [], []
    for number in range(trials):
        like = small.trials[number % len(small.trials)]
        value = random.normal(0, 0.01, reports) + quality(dict(like.hparams)) + 0.9 / resource
        curves[number] = Curve(resource, value, time_s + number)
        infos.append(_trial_like(like, number, float(value.min()), reports))
        events += _events(number, number % 64, number * 8.0, number * 8.0 + 400, reports, "released", events)
    return _with(small, infos, curves, events)


def _trial_like(like: TrialInfo, number: int, best: float, reports: int) -> TrialInfo:
    given = {**like.hparams, "noise": number / 10_000}
    return replace(like, trial_id=number, hparams=given, resource=reports, metric=best, best_metric=best)


def _with(small: History, infos: list[TrialInfo], curves: dict[int, Curve], events: list[Event]) -> History:
    best = min(infos, key=lambda info: info.best_metric or 0.0)
    spent = sum(info.resource for info in infos)
    experiment = replace(small.experiment, best_trial=best, planned_trials=len(infos), resource_spent=spent)
    return replace(small, experiment=experiment, trials=tuple(infos), curves=curves, events=tuple(events))


def population() -> History:
    """Population based training: of three members the worst takes over from the best at resource 3 and at 9."""
    small = search(5)
    given = {"learning_rate": 0.01, "width": 64, "solver": "adam", "depth": "small", "noise": 0.5, "batch_size": 64}
    ways = [(0, None, 0, 27), (1, None, 0, 3), (2, None, 0, 9), (3, 0, 3, 27), (4, 3, 9, 27)]
    curves, infos, events = {}, [], []
    for number, parent, begin, end in ways:
        like = small.trials[0]
        state = TrialState.COMPLETED if end == 27 else TrialState.STOPPED
        hparams = {**given, "learning_rate": 0.01 / (1 + number)}
        trained = np.arange(begin + 1, end + 1)
        curves[number] = Curve(trained, 1 / trained + number / 100, trained * 2.0)
        infos.append(replace(
            like, trial_id=number, state=state, hparams=hparams, resource=end, target=end,
                             parent=parent, start_resource=begin, metric=1 / end, best_metric=1 / end + number / 100,
        ))  # fmt: skip
    for kind, number, data in (
        *(("trial_created", number, {"bracket": 0, "target": 3}) for number in range(3)),
        ("decision", 1, {"action": "stop"}),
        ("trial_created", 3, {"parent": 0, "from": 3}),
        ("decision", 2, {"action": "stop"}),
        ("trial_created", 4, {"parent": 3, "from": 9}),
    ):
        events.append(Event(len(events) + 1, 3, number, START, kind, data))
    return _with(small, infos, curves, events)
