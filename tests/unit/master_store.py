"""A store of plain rows: what the ledger does with a batch, said in the shortest way, to compare with and to look into.

It is stricter than a database: a row added twice, or changed without being there, raises at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any

from rungmaster.master.dispatcher.recovered import RecoveredMemory
from rungmaster.master.dispatcher.sessions.owners import SessionOwner
from rungmaster.master.dispatcher.setup import Refused
from rungmaster.master.experiment.changes import (
    ActRow,
    BracketRow,
    Changes,
    CheckpointRow,
    EventRow,
    ExperimentRow,
    LeaseRow,
    ReportRow,
    RungResultRow,
    RungRow,
    StoredRows,
    TrialRow,
    WorkerRow,
)
from rungmaster.master.experiment.setup import ExperimentSetup
from rungmaster.master.search.interface import Step
from rungmaster.master.search.registry import searcher_of
from rungmaster.shared.errors import InvalidSpec, Problem
from rungmaster.shared.spec.searchers import SEARCHERS
from rungmaster.shared.spec.spec import Spec, spec_from_json
from rungmaster.shared.wire.model import ExperimentState

#: Experiments of these names have trouble of their own: no trial from this number on can be drawn, this metric raises.
UNDRAWABLE, FIRST_UNDRAWABLE = "undrawable", 3
RAISING, RAISES = "raising", -1.0


def plain_blueprint(spec: Spec) -> ExperimentSetup:
    """A setup whose hyperparameters tell the trial's number: no search space, which takes long to load."""
    searcher = searcher_of(spec)
    if spec.name == RAISING:
        _make_raise(searcher)
    return ExperimentSetup(spec, searcher, _undrawable if spec.name == UNDRAWABLE else _plainly, _inherited)


def _plainly(trial: int) -> dict[str, Any]:
    return {"trial": trial}


def _inherited(trial: int, parent: Mapping[str, Any]) -> dict[str, Any]:
    return {"trial": trial, "after": parent["trial"]}


def _undrawable(trial: int) -> dict[str, Any]:
    if trial >= FIRST_UNDRAWABLE:
        raise InvalidSpec([Problem("forbidden", "rules out too much")])
    return {"trial": trial}


def _make_raise(searcher: Any) -> None:
    """A bug: once the searcher has changed for a report of this metric, it raises."""
    report = searcher.report

    def raises(trial: int, resource: int, metric: float) -> Step:
        step = report(trial, resource, metric)
        if metric == RAISES:
            raise KeyError(f"a bug met trial {trial}")
        return step

    searcher.report = raises


class MemoryStore:
    """Tables by primary key."""

    def __init__(self) -> None:
        self.experiments: dict[int, ExperimentRow] = {}
        self.brackets: dict[tuple[int, int], BracketRow] = {}
        self.rungs: dict[tuple[int, int, int], RungRow] = {}
        self.results: dict[tuple[int, int, int, int], RungResultRow] = {}
        self.trials: dict[tuple[int, int], TrialRow] = {}
        self.leases: dict[tuple[int, int, int], LeaseRow] = {}
        self.reports: dict[tuple[int, int, int, int], ReportRow] = {}
        self.checkpoints: dict[tuple[int, int, int, int], CheckpointRow] = {}
        self.workers: dict[str, WorkerRow] = {}
        self.drained: list[str] = []
        self.events: list[EventRow] = []
        self.acts: list[ActRow] = []
        self.endings: set[int] = set()

    def commit(self, changes: Changes) -> None:
        """Writes a batch."""
        for table, new, changed in self._changing(changes):
            _change_and_add(table, new, changed)
        for key, row in changes.sampled.items():
            before = self.trials[key]  # pyright: ignore[reportArgumentType]
            assert before.hparams is None, f"its hyperparameters change: {before}"
            before.hparams, before.origin = row.hparams, row.origin
        for table, rows in self._growing(changes):
            _add(table, rows)
        self.workers |= {key: _copy(row) for key, row in changes.workers.items()}
        self.drained += changes.drained_workers
        self.events += changes.new_events
        self.acts += changes.new_acts
        self._mark(changes)
        for experiment_id, goes_on in changes.endings.items():
            (self.endings.add if goes_on else self.endings.discard)(experiment_id)
        for experiment_id in changes.deleted_experiments:
            self._delete(experiment_id)

    def _changing(self, changes: Changes) -> Iterable[tuple[dict[Any, Any], list[Any], dict[Any, Any]]]:
        return (
            (self.experiments, changes.new_experiments, changes.experiments),
            (self.brackets, changes.new_brackets, changes.brackets),
            (self.rungs, changes.new_rungs, changes.rungs),
            (self.trials, changes.new_trials, changes.trials),
            (self.leases, changes.new_leases, changes.leases),
        )

    def _growing(self, changes: Changes) -> Iterable[tuple[dict[Any, Any], list[Any]]]:
        return (
            (self.results, changes.new_results),
            (self.reports, changes.new_reports),
            (self.checkpoints, changes.new_checkpoints),
        )

    def _mark(self, changes: Changes) -> None:
        for key in changes.promoted:
            result = self.results[key]  # pyright: ignore[reportArgumentType]
            assert not result.promoted, f"promoted twice: {key}"
            result.promoted = True
        for row in self.checkpoints.values():
            if row.uri in changes.unneeded_checkpoints and row.delete_time is None:
                row.delete_time = changes.unneeded_checkpoints[row.uri]
            row.deleted = row.deleted or row.uri in changes.deleted_checkpoints

    def _delete(self, experiment_id: int) -> None:
        for table in (self.brackets, self.rungs, self.results, self.trials, self.leases, self.reports):
            for key in [key for key in table if key[0] == experiment_id]:
                del table[key]  # pyright: ignore[reportArgumentType]
        del self.experiments[experiment_id]
        self.endings.discard(experiment_id)

    def hparams(self, trials: set[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
        """Hyperparameters of trials."""
        return {key: dict(self.trials[key].hparams or {}) for key in trials}

    def recover(self) -> RecoveredMemory:
        """Everything that a master's memory is built from."""
        created = [event.experiment_id for event in self.events]
        live = [
            row
            for row in self.experiments.values()
            if not ExperimentState(row.state).ended or row.experiment_id in self.endings
        ]
        return RecoveredMemory(
            max(created, default=0),
            {row.request_id: row.experiment_id for row in self.experiments.values() if row.request_id},
            [(self.records(row.experiment_id), self.set_up(row)) for row in live],
            sorted(row.uri for row in self.checkpoints.values() if row.delete_time is not None and not row.deleted),
            self.drained,
            {row.session_id: SessionOwner(row.identity, row.secret_digest) for row in self.workers.values()},
        )

    def experiment(self, experiment_id: int) -> tuple[StoredRows, ExperimentSetup | Refused] | None:
        """One experiment that has not ended."""
        row = self.experiments.get(experiment_id)
        if row is None or ExperimentState(row.state).ended:
            return None
        return self.records(experiment_id), self.set_up(row)

    def taken_up(self, experiment_id: int) -> tuple[StoredRows, ExperimentSetup]:
        """An experiment that has ended, to go on."""
        setup = self.set_up(self.experiments[experiment_id])
        assert isinstance(setup, ExperimentSetup)
        return self.records(experiment_id), setup

    def set_up(self, row: ExperimentRow) -> ExperimentSetup | Refused:
        """What an experiment goes on with, from its stored spec."""
        return plain_blueprint(spec_from_json(row.spec))

    def records(self, experiment_id: int) -> StoredRows:
        """What is kept of an experiment that goes on, as the ledger gives it."""
        leases = [self._held(row) for row in _of(self.leases, experiment_id) if row.end_time is None]
        return StoredRows(
            _copy(self.experiments[experiment_id]),
            _of(self.brackets, experiment_id),
            _of(self.rungs, experiment_id),
            _of(self.results, experiment_id),
            [self._trial(row, leases) for row in _of(self.trials, experiment_id)],
            leases,
            [row for row in _of(self.checkpoints, experiment_id) if row.delete_time is None],
        )

    def _held(self, lease: LeaseRow) -> LeaseRow:
        under = (lease.experiment_id, lease.trial_id, lease.token)
        sequences = [key[3] for table in (self.reports, self.checkpoints) for key in table if key[:3] == under]
        return replace(lease, last_sequence=max(sequences, default=0))

    def _trial(self, trial: TrialRow, held: list[LeaseRow]) -> TrialRow:
        under = [(lease.experiment_id, lease.trial_id, lease.token) for lease in held]
        ids = (trial.experiment_id, trial.trial_id)
        reported = [row.resource for key, row in self.reports.items() if key[:2] == ids and key[:3] in under]
        spec = self.experiments[trial.experiment_id].spec
        inherits = SEARCHERS[spec["searcher"]["name"]].inherits and trial.end_time is None
        hparams = trial.hparams if inherits else None
        recovered = replace(trial, hparams=hparams, resource=max([trial.resource, *reported]))
        metric = spec["metric"]
        for key in sorted(key for key in self.reports if key[:2] == ids and key[:3] in under):
            row = self.reports[key]
            if metric["name"] in row.metrics:
                sign = 1.0 if metric["goal"] == "minimize" else -1.0
                recovered.improve(row.metrics[metric["name"]], row.resource, sign)
        return recovered


def _change_and_add(table: dict[Any, Any], new: list[Any], changed: dict[Any, Any]) -> None:
    added = {_key(row): _copy(row) for row in new}
    assert len(added) == len(new), f"rows added twice in one batch: {new}"
    for key, row in changed.items():
        if key in added:
            added[key] = _with_hparams(_copy(row), added[key])
        else:
            assert key in table, f"{row} changes a row that is not there"
            table[key] = _with_hparams(_copy(row), table[key])
    for key, row in added.items():
        assert key not in table, f"{row} is there already"
        table[key] = row


def _with_hparams(row: Any, old: Any) -> Any:
    """An update of a trial changes neither those nor where they came from."""
    return replace(row, hparams=old.hparams, origin=old.origin) if isinstance(row, TrialRow) else row


def _add(table: dict[Any, Any], rows: list[Any]) -> None:
    for row in rows:
        key = _key(row)
        assert key not in table, f"{row} is there already"
        table[key] = _copy(row)


_KEYS = {
    ExperimentRow: attrgetter("experiment_id"),
    BracketRow: attrgetter("experiment_id", "bracket_id"),
    RungRow: attrgetter("experiment_id", "bracket_id", "rung_id"),
    RungResultRow: attrgetter("experiment_id", "bracket_id", "rung_id", "trial_id"),
    TrialRow: attrgetter("experiment_id", "trial_id"),
    LeaseRow: attrgetter("experiment_id", "trial_id", "token"),
    ReportRow: attrgetter("experiment_id", "trial_id", "token", "sequence"),
    CheckpointRow: attrgetter("experiment_id", "trial_id", "token", "sequence"),
}


def _key(row: Any) -> Any:
    return _KEYS[type(row)](row)


def _copy(row: Any) -> Any:
    """The row as it is now: its owner goes on changing it."""
    return replace(row, counts=dict(row.counts)) if isinstance(row, ExperimentRow) else replace(row)


def _of(table: Mapping[Any, Any], experiment_id: int) -> list[Any]:
    return [_copy(table[key]) for key in sorted(table) if key[0] == experiment_id]
