"""Trials and reports as data frames of pandas or polars, whichever is there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Literal

from ...plots.errors import MissingExtra
from ...proto.v1 import experiment_pb2
from ...shared.errors import InvalidInput
from ...shared.text.visible import json_text
from ...shared.wire.model import TrialInfo
from ..client import Client

Library = Literal["pandas", "polars"]
LIBRARIES: tuple[Library, ...] = ("pandas", "polars")

#: A `pandas.DataFrame` or a `polars.DataFrame`; both are extras, and not imported for their names.
Frame = Any

_OF_TRIALS = (
    *("trial_id", "state", "metric", "metric_resource", "best_metric", "best_resource", "resource", "bracket_id"),
    *("rung_id", "restarts", "origin", "parent", "start_resource", "create_time", "end_time"),
)
_PLAIN = (bool, int, float, str)


def trials_frame(trials: Iterable[TrialInfo], library: Library | None = None) -> Frame:
    """A row for each trial: what is known of it, and each hyperparameter in a column `hparams.NAME`.

    A hyperparameter that a trial does not have is missing there; lists, mappings and values of several types are JSON
    text. Raises MissingExtra where neither pandas nor polars is installed.
    """
    rows = list(trials)
    columns: dict[str, list[Any]] = {name: [_plain(getattr(trial, name)) for trial in rows] for name in _OF_TRIALS}
    names = dict.fromkeys(name for trial in rows for name in trial.hparams)
    columns |= {f"hparams.{name}": _of_one_type([trial.hparams.get(name) for trial in rows]) for name in names}
    return _frame(columns, library)


def curves_frame(client: Client, experiment_id: int, library: Library | None = None) -> Frame:
    """A row for each report, in the order in which they were stored: trial, resource, time, and a column `metrics.NAME`
    for each metric. Nothing is thinned, so a million reports take seconds and some hundred MB."""
    trial_id, resource, time = [], [], []
    metrics: dict[str, list[float]] = {}
    request = experiment_pb2.WatchReportsRequest(experiment_id=experiment_id)
    with closing(client.connection.watch(request)) as answers:  # pyright: ignore[reportArgumentType]
        for answer in answers:
            for report in answer.reports:
                for name, value in report.metrics.items():
                    if name not in metrics:
                        metrics[name] = [math.nan] * len(trial_id)
                    metrics[name].append(value)
                trial_id.append(report.trial_id)
                resource.append(report.resource)
                time.append(report.receive_time.seconds + report.receive_time.nanos * 1e-9)
                for values in metrics.values():
                    if len(values) < len(trial_id):
                        values.append(math.nan)
            if answer.caught_up:
                break
    columns = {"trial_id": trial_id, "resource": resource, "time": [datetime.fromtimestamp(at, UTC) for at in time]}
    return _frame(columns | {f"metrics.{name}": metrics[name] for name in sorted(metrics)}, library)


def _plain(value: Any) -> Any:
    return value.value if hasattr(value, "value") else value


def _of_one_type(values: Sequence[Any]) -> list[Any]:
    """Values as they are where all are of one plain type, with whole numbers as such among floats; else JSON text."""
    types = {type(value) for value in values if value is not None}
    if types <= {int, float} or (len(types) == 1 and types <= set(_PLAIN)):
        return [float(value) if types == {int, float} and value is not None else value for value in values]
    return [None if value is None else json_text(value) for value in values]


def _frame(columns: dict[str, list[Any]], library: Library | None) -> Frame:
    if library is not None and library not in LIBRARIES:
        raise InvalidInput(f"library: must be pandas or polars, got {library!r}")
    for name in LIBRARIES if library is None else (library,):
        try:
            return import_module(name).DataFrame(columns)
        except ImportError:
            continue
    wanted = library or "pandas or polars"
    raise MissingExtra(f"frames need {wanted}: pip install 'rungmaster[{library or 'polars'}]'")
