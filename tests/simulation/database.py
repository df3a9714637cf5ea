"""The database of a simulated cluster: the real ledger on a real SQLite file, watched by the oracle.

Beside it a MemoryStore takes every batch that took effect: what the rows must be, said by other code.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from unit.master_oracle import Oracle, check_memory
from unit.master_store import MemoryStore

from rungmaster.master.dispatcher.clock import Now
from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.recovered import SessionParameters
from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.experiment.changes import Changes, LeaseRow, ReportRow, RungResultRow, TrialRow
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.wire.positions import ReportPosition

#: A rebuilt memory is compared with the live one at every so many commits, and at every start.
COMPARE_EVERY = 25


class Database:
    """One SQLite file, which outlives its masters."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = MemoryStore()
        self.oracle = Oracle(self.model)
        self.commits = 0
        #: Trial, token and sequence number of each experiment's reports, in the order in which they were stored.
        self.reported: dict[int, list[tuple[int, int, int]]] = {}

    def open(self, holder: str) -> Ledger:
        """Takes a new term."""
        return Ledger.open(str(self.path), holder=holder)

    def start(
        self, ledger: Ledger, parameters: SessionParameters, now: Now, look_interval_s: float, portion: int
    ) -> Core:
        """A core from the ledger; raises AssertionError where it is not the one that the model gives."""
        core = Core(parameters, LedgerStore(ledger).recover(), now, look_interval_s, portion)
        check_memory(core, Core(parameters, self.model.recover(), now, look_interval_s))
        return core

    def commit(self, ledger: Ledger, changes: Changes, core: Core, now: Now) -> None:
        """Writes a batch; raises what the ledger raises, and AssertionError where an invariant does not hold."""
        LedgerStore(ledger).commit(changes)
        self.oracle.before_commit(changes)
        self.model.commit(changes)
        self.commits += 1
        for row in sorted(changes.new_reports, key=attrgetter("trial_id", "token", "sequence")):
            self.reported.setdefault(row.experiment_id, []).append((row.trial_id, row.token, row.sequence))
        if changes != Changes():
            self.oracle.check()
        if self.commits % COMPARE_EVERY == 0:
            check_memory(core, Core(core.parameters, self.model.recover(), now))

    def check_tables(self) -> None:
        """Compares every row of the database with the model's, and replays its journals."""
        violations = check_database(str(self.path)).violations
        assert not violations, "\n".join(violations)
        self._check_stream()
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            for table, row_type, rows in (
                ("trials", TrialRow, self.model.trials),
                ("leases", LeaseRow, self.model.leases),
                ("rung_results", RungResultRow, self.model.results),
                ("reports", ReportRow, self.model.reports),
            ):
                names = [field.name for field in fields(row_type) if field.name not in ("metrics", "hparams")]
                stored = connection.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()
                expected = [tuple(getattr(row, name) for name in names) for row in rows.values()]
                assert sorted(stored, key=_sortable) == sorted(expected, key=_sortable), f"table {table} differs"
        finally:
            connection.close()

    def _check_stream(self) -> None:
        """Reads each experiment's reports a few at a time, as those do who watch them."""
        with closing(Reader(str(self.path))) as reader:
            for number in self.model.experiments:
                seen, after = [], ReportPosition()
                while found := reader.reported(number, after, 97)[0]:
                    seen += [(report.trial_id, report.token, report.sequence) for report in found]
                    after = found[-1].position
                assert seen == self.reported.get(number, []), f"the stream of experiment {number} differs"


def _sortable(row: tuple[Any, ...]) -> str:
    return repr(tuple(float(value) if isinstance(value, bool | int | float) else value for value in row))
