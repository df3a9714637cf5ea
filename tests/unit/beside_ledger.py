"""A store for the master of the tests that a database has too, for what only reads databases."""

from __future__ import annotations

from pathlib import Path

from unit.master_harness import RowStore

from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.ledger import Ledger


class BesideLedger(RowStore):
    """Rows in memory, and the same in a database."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._ledger = LedgerStore(Ledger.open(str(path), holder="test"))

    def commit(self, changes: Changes) -> None:
        super().commit(changes)
        self._ledger.commit(changes)
