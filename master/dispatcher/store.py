"""The ledger as the writer needs it: rows become experiments that can go on."""

from __future__ import annotations

from typing import Any

from ...shared.errors import DatabaseError
from ..experiment.changes import Changes, Records
from ..ledger.ledger import Ledger
from .blueprint import Blueprint, Blueprints, Refused
from .core import Recovered
from .owners import Owner


class LedgerStore:
    """Implements `writer.Store` over a real database."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._blueprints = Blueprints()

    def commit(self, changes: Changes) -> None:
        """Writes a batch whole or not at all; raises Unavailable, MastershipLost, or NotWritten."""
        self._ledger.commit(changes)

    def hparams(self, trials: set[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
        """Hyperparameters by (experiment, trial)."""
        return self._ledger.hparams(trials)

    def recover(self) -> Recovered:
        """Everything that the memory is built from."""
        loaded = self._ledger.load()
        experiments = [self._planned(records) for records in loaded.experiments]
        self._blueprints.keep({records.row.experiment_id for records in loaded.experiments})
        return Recovered(
            loaded.last_experiment_id,
            loaded.request_ids,
            experiments,
            loaded.unneeded_checkpoints,
            loaded.drained_workers,
            {session_id: Owner(*owner) for session_id, owner in loaded.owners.items()},
        )

    def experiment(self, experiment_id: int) -> tuple[Records, Blueprint | Refused] | None:
        """One experiment; None where there is none, or it has ended."""
        records = self._ledger.load_experiment(experiment_id)
        return self._planned(records) if records is not None else None

    def _planned(self, records: Records) -> tuple[Records, Blueprint | Refused]:
        row = records.row
        blueprint = self._blueprints.of(row.experiment_id, row.spec, row.draw_rules)
        if records.unreadable is not None and not isinstance(blueprint, Refused):
            cause = f"{type(records.unreadable).__name__}: {records.unreadable}"
            blueprint = Refused(DatabaseError(f"its rows in the database cannot be read: {cause}"))
        return records, blueprint
