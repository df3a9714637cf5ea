"""The ledger as the writer needs it: rows become experiments that can go on."""

from __future__ import annotations

from typing import Any

from ..experiment.changes import Changes
from ..ledger.ledger import Ledger
from .blueprint import LazyDraw, blueprint_from_json
from .core import Recovered


class LedgerStore:
    """Implements `writer.Store` over a real database."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._draws: list[LazyDraw] = []

    def commit(self, changes: Changes) -> None:
        """Writes a batch whole or not at all; raises Unavailable or MastershipLost."""
        self._ledger.commit(changes)

    def hparams(self, trials: set[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
        """Hyperparameters by (experiment, trial)."""
        return self._ledger.hparams(trials)

    def recover(self) -> Recovered:
        """Everything that the memory is built from."""
        loaded = self._ledger.load()
        experiments = [(found, blueprint_from_json(found.row.spec)) for found in loaded.experiments]
        self._draws = [blueprint.draw for _, blueprint in experiments if isinstance(blueprint.draw, LazyDraw)]
        return Recovered(loaded.last_experiment_id, loaded.request_ids, experiments, loaded.unneeded_checkpoints)

    def prepare(self) -> None:
        """Makes the search spaces of what was recovered, which takes a second; from any thread, and without haste."""
        for draw in self._draws:
            draw.prepare()
