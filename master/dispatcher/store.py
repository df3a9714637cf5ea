"""The ledger as the writer needs it: rows become experiments that can go on."""

from __future__ import annotations

from typing import Any

from ...shared.errors import DatabaseError
from ..experiment.changes import Changes, StoredRows
from ..experiment.setup import ExperimentSetup
from ..ledger.ledger import Ledger
from .recovered import RecoveredMemory
from .sessions.owners import SessionOwner
from .setup import ExperimentSetups, Refused


class LedgerStore:
    """Implements `writer.Store` over a real database."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._setups = ExperimentSetups()

    def commit(self, changes: Changes) -> None:
        """Writes a batch whole or not at all; raises Unavailable, MastershipLost, or NotWritten."""
        self._ledger.commit(changes)

    def hparams(self, trials: set[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
        """Hyperparameters by (experiment, trial)."""
        return self._ledger.hparams(trials)

    def recover(self) -> RecoveredMemory:
        """Everything that the memory is built from."""
        loaded = self._ledger.load()
        experiments = [self._planned(stored_rows) for stored_rows in loaded.experiments]
        self._setups.keep({stored_rows.row.experiment_id for stored_rows in loaded.experiments})
        return RecoveredMemory(
            loaded.last_experiment_id,
            loaded.request_ids,
            experiments,
            loaded.unneeded_checkpoints,
            loaded.drained_workers,
            {session_id: SessionOwner(*owner) for session_id, owner in loaded.owners.items()},
        )

    def experiment(self, experiment_id: int) -> tuple[StoredRows, ExperimentSetup | Refused] | None:
        """One experiment; None where there is none, or it has ended."""
        stored_rows = self._ledger.load_experiment(experiment_id)
        return self._planned(stored_rows) if stored_rows is not None else None

    def _planned(self, stored_rows: StoredRows) -> tuple[StoredRows, ExperimentSetup | Refused]:
        row = stored_rows.row
        setup = self._setups.of(row.experiment_id, row.spec, row.draw_rules, row.spec_rules)
        if stored_rows.unreadable is not None and not isinstance(setup, Refused):
            cause = f"{type(stored_rows.unreadable).__name__}: {stored_rows.unreadable}"
            setup = Refused(DatabaseError(f"its rows in the database cannot be read: {cause}"))
        return stored_rows, setup
