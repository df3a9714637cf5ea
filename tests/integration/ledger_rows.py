"""Rows for tests of the ledger: a small experiment, and the parts that tests vary."""

from __future__ import annotations

from typing import Any

from rungmaster.master.experiment.changes import (
    BracketRow,
    Changes,
    CheckpointRow,
    EventRow,
    ExperimentRow,
    LeaseRow,
    ReportRow,
    RungResultRow,
    RungRow,
    TrialRow,
    WorkerRow,
)

START = 1_700_000_000.0


def experiment(experiment_id: int = 1, goal: str = "minimize", best_by: str = "last", **changed: Any) -> ExperimentRow:
    metric = {"name": "loss", "goal": goal, "best": best_by}
    spec = {"name": "digits", "metric": metric, "unit": "epochs", "seed": 7}
    values: dict[str, Any] = {
        "experiment_id": experiment_id,
        "name": "digits",
        "request_id": f"request-{experiment_id}",
        "state": "active",
        "state_reason": "",
        "spec": spec,
        "create_time": START + experiment_id,
        "end_time": None,
        "counts": {"pending": 1},
        "resource_spent": 0,
        "resource_full": 270,
    }
    return ExperimentRow(**values | changed)


def trial(trial_id: int, experiment_id: int = 1, **changed: Any) -> TrialRow:
    values: dict[str, Any] = {
        "experiment_id": experiment_id,
        "trial_id": trial_id,
        "state": "pending",
        "state_reason": "new",
        "bracket_id": 0,
        "rung_id": 0,
        "resource": 0,
        "target": 3,
        "metric": None,
        "metric_resource": 0,
        "restarts": 0,
        "workers_lost": 0,
        "token": 0,
        "create_time": START + trial_id,
        "end_time": None,
        "hparams": {"width": 16 + trial_id, "solver": "sgd"},
    }
    return TrialRow(**values | changed)


def lease(trial_id: int, token: int = 1, experiment_id: int = 1, **changed: Any) -> LeaseRow:
    values: dict[str, Any] = {
        "experiment_id": experiment_id,
        "trial_id": trial_id,
        "token": token,
        "session_id": "session",
        "worker": "host-1",
        "request_id": f"work-{experiment_id}-{trial_id}-{token}",
        "slots": 1,
        "from_resource": 0,
        "target": 3,
        "decision": "",
        "decision_sequence": 0,
        "start_time": START,
        "end_time": None,
        "outcome": "",
        "error": "",
        "last_sequence": 0,
    }
    return LeaseRow(**values | changed)


def report(
    trial_id: int, sequence: int, token: int = 1, experiment_id: int = 1, metrics: dict[str, float] | None = None
) -> ReportRow:
    metrics = {"loss": 1 / sequence} if metrics is None else metrics
    return ReportRow(experiment_id, trial_id, token, sequence, sequence, metrics, START + sequence)


def checkpoint(trial_id: int, sequence: int, token: int = 1, experiment_id: int = 1, **changed: Any) -> CheckpointRow:
    uri = f"file:///store/{experiment_id}/{trial_id}/{token}-{sequence}"
    values: dict[str, Any] = {"uri": uri, "resource": sequence, "size_bytes": 1 << 33, "checksum": "ab" * 32}
    values |= {"create_time": START} | changed
    return CheckpointRow(experiment_id, trial_id, token, sequence, **values)


def event(kind: str, experiment_id: int = 1, trial_id: int | None = None, **data: Any) -> EventRow:
    return EventRow(experiment_id, trial_id, START, kind, data)


def worker(session_id: str = "session", **changed: Any) -> WorkerRow:
    values: dict[str, Any] = {
        "worker": "host-1",
        "host": "host",
        "pid": 17,
        "version": "0.1.0",
        "slots": 4,
        "gpus": [{"uuid": "GPU-1", "model": "H100", "memory_bytes": 1 << 36}],
        "labels": {"zone": "a"},
        "state": "connected",
        "hello_time": START,
    }
    return WorkerRow(session_id, **values | changed)


def created(experiment_id: int = 1, trials: int = 2, goal: str = "minimize", best_by: str = "last") -> Changes:
    """An experiment with two rungs of one bracket and its first trials, all pending."""
    return Changes(
        new_experiments=[experiment(experiment_id, goal, best_by)],
        new_brackets=[BracketRow(experiment_id, 0, 9, None, trials)],
        new_rungs=[RungRow(experiment_id, 0, k, resource, 0, 0, 0, None) for k, resource in enumerate((3, 9))],
        new_trials=[trial(number, experiment_id) for number in range(trials)],
        new_events=[event("experiment_created", experiment_id)],
    )


def result(trial_id: int, metric: float | None, rung_id: int = 0, experiment_id: int = 1) -> RungResultRow:
    return RungResultRow(experiment_id, 0, rung_id, trial_id, 3, metric, promoted=False, enter_time=START)
