"""The ledger as the writer needs it: rows become experiments that can go on."""

from __future__ import annotations

from typing import Any

from ..experiment.changes import Changes
from ..experiment.lifecycle import Records
from ..ledger.ledger import Ledger
from ..ledger.recovery import RecoveredExperiment
from .blueprint import blueprint_from_json
from .core import Recovered


class LedgerStore:
    """Implements `writer.Store` over a real database."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def commit(self, changes: Changes) -> None:
        """Writes a batch whole or not at all; raises Unavailable or MastershipLost."""
        self._ledger.commit(changes)

    def hparams(self, trials: set[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
        """Hyperparameters by (experiment, trial)."""
        return self._ledger.hparams(trials)

    def recover(self) -> Recovered:
        """Everything that the memory is built from; search spaces are built here, which takes time."""
        loaded = self._ledger.load()
        return Recovered(
            loaded.last_experiment_id,
            loaded.request_ids,
            [(_records(experiment), blueprint_from_json(experiment.row.spec)) for experiment in loaded.experiments],
            loaded.unneeded_checkpoints,
        )


def _records(loaded: RecoveredExperiment) -> Records:
    return Records(
        loaded.row,
        loaded.brackets,
        loaded.rungs,
        loaded.results,
        loaded.trials,
        loaded.leases,
        loaded.checkpoints,
    )
