"""What a trial and a report are as rows: columns that all have, and one for each hyperparameter or metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...proto.v1 import experiment_pb2
from ...shared.text.visible import json_text
from ...shared.wire.convert import from_message
from ...shared.wire.model import TrialInfo
from .trial_columns import HYPERPARAMETER

METRIC = "metrics."

#: Columns that every row has, by name, and what they hold.
OF_TRIALS: Mapping[str, str] = {
    "trial_id": "int",
    "state": "text",
    "metric": "float",
    "metric_resource": "int",
    "best_metric": "float",
    "best_resource": "int",
    "resource": "int",
    "bracket_id": "int",
    "rung_id": "int",
    "restarts": "int",
    "origin": "text",
    "parent": "int",
    "start_resource": "int",
    "create_time": "time",
    "end_time": "time",
    "state_reason": "text",
}
OF_REPORTS: Mapping[str, str] = {
    "trial_id": "int",
    "resource": "int",
    "time": "time",
    "token": "int",
    "sequence": "int",
}

_PLAIN = {bool: "bool", int: "int", float: "float", str: "text"}


@dataclass(frozen=True, slots=True)
class Row:
    """The values of the columns that all rows have, in their order, and of those that have names of their own."""

    fixed: list[Any]
    named: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rows: its messages, what its columns are, what stands before the names of the others, and how a row is
    made of a message."""

    message: Any
    fixed: Mapping[str, str]
    prefix: str
    row_of: Callable[[Any], Row]


def trial_row(trial: TrialInfo) -> Row:
    """A trial as a row of `OF_TRIALS`."""
    values = [getattr(trial, name) for name in OF_TRIALS]
    values[1] = trial.state.value
    return Row(values, trial.hparams)


def _report_row(report: experiment_pb2.Report) -> Row:
    """A report as a row of `OF_REPORTS`. By hand, for there may be millions."""
    received = report.receive_time
    time = datetime.fromtimestamp(received.seconds, UTC).replace(microsecond=received.nanos // 1_000)
    return Row([report.trial_id, report.resource, time, report.token, report.sequence], report.metrics)


TRIALS = Kind(
    experiment_pb2.Trial, OF_TRIALS, HYPERPARAMETER, lambda message: trial_row(from_message(message, TrialInfo))
)
REPORTS = Kind(experiment_pb2.Report, OF_REPORTS, METRIC, _report_row)


def kind_of(types: Iterable[type]) -> str:
    """What a column holds whose values have these types: bool, int, float or text where all are of one, whole numbers
    counting as such among floats; else JSON as text."""
    seen = set(types) - {type(None)}
    if seen == {int, float}:
        return "float"
    return _PLAIN.get(next(iter(seen)), "json") if len(seen) == 1 else "json"


def as_kind(value: Any, kind: str) -> Any:
    """A value as it stands in a column of a kind."""
    if value is None:
        return None
    return json_text(value) if kind == "json" else float(value) if kind == "float" else value
