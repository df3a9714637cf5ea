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
from ...shared.wire.model import TrialInfo
from ..client import Client
from ..tables.rows import METRIC, OF_TRIALS, as_kind, kind_of, trial_row
from ..tables.trial_columns import HYPERPARAMETER

Library = Literal["pandas", "polars"]
LIBRARIES: tuple[Library, ...] = ("pandas", "polars")

#: A `pandas.DataFrame` or a `polars.DataFrame`; both are extras, and not imported for their names.
Frame = Any


def trials_frame(trials: Iterable[TrialInfo], library: Library | None = None) -> Frame:
    """A row for each trial: what is known of it, and each hyperparameter in a column `hparams.NAME`.

    A hyperparameter that a trial does not have is missing there; lists, mappings and values of several types are JSON
    text. Raises MissingExtra where neither pandas nor polars is installed.
    """
    rows = list(map(trial_row, trials))
    columns: dict[str, list[Any]] = {name: [row.fixed[place] for row in rows] for place, name in enumerate(OF_TRIALS)}
    names = dict.fromkeys(name for row in rows for name in row.named)
    columns |= {HYPERPARAMETER + name: _of_one_kind([row.named.get(name) for row in rows]) for name in names}
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
    return _frame(columns | {METRIC + name: metrics[name] for name in sorted(metrics)}, library)


def _of_one_kind(values: Sequence[Any]) -> list[Any]:
    kind = kind_of(map(type, values))
    return [as_kind(value, kind) for value in values]


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
