"""The columns that a table of trials may have, by the names by which people choose them. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...shared.errors import InvalidInput
from ...shared.text.suggestions import closest
from ...shared.wire.model import Experiment, TrialInfo

#: What stands before a hyperparameter's name in the name of its column.
HYPERPARAMETER = "hparams."
_SHOWN_HYPERPARAMETERS = 5


@dataclass(frozen=True, slots=True)
class TrialColumn:
    """One column: its name, its heading on a page, and what it has of a trial. `numeric` is aligned to the right;
    `hyperparameter` is the name of the one that it is of."""

    name: str
    heading: str
    value: Callable[[TrialInfo], Any]
    numeric: bool = False
    hyperparameter: str = ""

    def has(self, trial: TrialInfo) -> bool:
        """Whether the trial has a value here; null is one of a hyperparameter."""
        return self.hyperparameter in trial.hparams if self.hyperparameter else self.value(trial) is not None


def columns_of(experiment: Experiment, trials: Iterable[TrialInfo] = ()) -> dict[str, TrialColumn]:
    """All columns that a table of these trials may have, by name, hyperparameters in the order of the spec."""
    fixed = [
        TrialColumn("trial", "Trial", lambda trial: trial.trial_id, numeric=True),
        TrialColumn("state", "State", lambda trial: trial.state.value),
        TrialColumn("best", f"Best {experiment.metric}", lambda trial: trial.best_metric, numeric=True),
        TrialColumn("metric", "At its last rung", lambda trial: trial.metric, numeric=True),
        TrialColumn("resource", experiment.unit.capitalize(), lambda trial: trial.resource, numeric=True),
        TrialColumn("bracket", "Bracket", lambda trial: trial.bracket_id, numeric=True),
        TrialColumn("rung", "Rung", lambda trial: trial.rung_id, numeric=True),
        TrialColumn("origin", "From", lambda trial: trial.origin),
        TrialColumn("restarts", "Restarts", lambda trial: trial.restarts, numeric=True),
        TrialColumn("worker", "Worker", lambda trial: trial.worker),
        TrialColumn("created", "Made", lambda trial: trial.create_time),
        TrialColumn("ended", "Ended", lambda trial: trial.end_time),
        TrialColumn("reason", "Why", lambda trial: trial.state_reason),
    ]
    own = (_hyperparameter(name, numeric) for name, numeric in _hyperparameters(experiment, trials).items())
    return {column.name: column for column in [*fixed, *own]}


def _hyperparameters(experiment: Experiment, trials: Iterable[TrialInfo]) -> dict[str, bool]:
    """The names of all hyperparameters, those of the spec, then others that trials have; and whether all their values
    that are known are numbers."""
    space: Mapping[str, Any] = experiment.spec.get("hyperparameters") or {}
    named = {name: _is_numeric(declared) for name, declared in space.items()}
    for trial in trials:
        for name, value in trial.hparams.items():
            named[name] = named.get(name, True) and not isinstance(value, str | bool)
    return named


def _is_numeric(declared: Any) -> bool:
    """Whether what a spec declares has numbers as its values alone."""
    if not isinstance(declared, Mapping):
        return not isinstance(declared, str | bool)
    values = declared.get("choices") or declared.get("sequence") or [declared.get("value", 0)]
    return not any(isinstance(value, str | bool) for value in values)


def _hyperparameter(name: str, numeric: bool) -> TrialColumn:
    return TrialColumn(HYPERPARAMETER + name, name, lambda trial: trial.hparams.get(name), numeric, name)


def column_named(columns: Mapping[str, TrialColumn], name: str) -> TrialColumn:
    """The column of this name, or the hyperparameter's, which is then named as it was asked for.

    Raises InvalidInput with the closest name, and those that there are.
    """
    if name in columns:
        return columns[name]
    if HYPERPARAMETER + name in columns:
        return replace(columns[HYPERPARAMETER + name], name=name)
    names = [*columns, *(column.hyperparameter for column in columns.values() if column.hyperparameter)]
    close = closest(name, names)
    hint = f'did you mean "{close}"? There' if close else "there"
    there = ", ".join(column.hyperparameter or column.name for column in columns.values())
    raise InvalidInput(f'there is no column "{name}"; {hint} are {there}')


def usual_columns(columns: Mapping[str, TrialColumn]) -> list[str]:
    """Those that a page shows where nobody chose others, beside that of the trial's number."""
    own = [name for name in columns if name.startswith(HYPERPARAMETER)][:_SHOWN_HYPERPARAMETERS]
    return ["state", "best", "resource", "rung", *own]
