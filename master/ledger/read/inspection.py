"""Everything of a database, read in one snapshot, for `rungmaster db check`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, and_, func, select, text

from ....shared.errors import DatabaseError, NotFound
from ...experiment.changes import (
    BracketRow,
    CheckpointRow,
    ExperimentRow,
    LeaseRow,
    RungResultRow,
    RungRow,
    ThinningRow,
    TrialRow,
)
from ...experiment.checking.audit import Contents, Rows
from ...experiment.checking.replay import Entry
from ..engine import parse_database, reading_engine, transaction
from ..schema import tables
from ..schema.revisions import check_current
from ..schema.tables import columns_of
from .recovery import rows_of

#: Seconds that one query may take.
QUERY_TIMEOUT_S = 600.0
_OF_EXPERIMENTS = (
    tables.brackets,
    tables.rungs,
    tables.rung_results,
    tables.trials,
    tables.leases,
    tables.reports,
    tables.thinnings,
    tables.endings,
)
_PAGE = 5_000


class Inspection:
    """One snapshot of a database. What it returns was all true at one moment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def problems(self) -> Iterator[str]:
        """What is wrong with the database as such, as sentences."""
        yield from self._file_problems()
        for table in (tables.mastership, tables.renewals):
            if (rows := self._connection.scalar(select(func.count()).select_from(table))) != 1:
                yield f"the {table.name} table has {rows} rows, and must have one"
        known = set(self.experiment_ids())
        deleted = self._ids(tables.deletions)
        if both := sorted(known & deleted):
            yield f"experiments are there that were deleted: {both}"
        for table in _OF_EXPERIMENTS:
            if orphans := sorted(self._ids(table) - known - deleted):
                yield f"table {table.name} has rows of experiments that do not exist: {orphans}"
        columns = tables.checkpoints.c
        needed = select(columns.experiment_id).where(columns.delete_time.is_(None)).distinct()
        if orphans := sorted(set(self._connection.scalars(needed)) - known - deleted):
            yield f"checkpoints of experiments that do not exist are marked as needed: {orphans}"
        yield from self._shared_sequences()
        last = self._connection.scalar(select(func.max(tables.events.c.experiment_id))) or 0
        if known and max(known) > last:
            yield f"experiment {max(known)} is not in the journal"

    def _file_problems(self) -> Iterator[str]:
        if self._connection.dialect.name == "sqlite":
            for line in self._connection.scalars(text("PRAGMA quick_check(20)")):
                if line != "ok":
                    yield f"the file is damaged: {line}"

    def _shared_sequences(self) -> Iterator[str]:
        one, other = tables.reports.c, tables.checkpoints.c
        keys = [column.name for column in tables.reports.primary_key]
        same = and_(*(one[key] == other[key] for key in keys))
        for row in self._connection.execute(select(*(other[key] for key in keys)).where(same).limit(20)):
            yield (
                f"experiment {row.experiment_id}: sequence number {row.sequence} under lease {row.token} of trial "
                f"{row.trial_id} is both a report's and a checkpoint's"
            )

    def _ids(self, table: Table) -> set[int]:
        """Experiments that have rows in a table: one look into the index for each."""
        column, found, last = table.c.experiment_id, set[int](), -1
        while (last := self._connection.scalar(select(func.min(column)).where(column > last))) is not None:
            found.add(last)
        return found

    def experiment_ids(self) -> list[int]:
        """All experiments, oldest first."""
        column = tables.experiments.c.experiment_id
        return list(self._connection.scalars(select(column).order_by(column)))

    def experiment(self, experiment_id: int) -> ExperimentRow:
        """One experiment. Raises NotFound."""
        columns = columns_of(tables.experiments, ExperimentRow)
        statement = select(*columns).where(tables.experiments.c.experiment_id == experiment_id)
        row = self._connection.execute(statement).one_or_none()
        if row is None:
            raise NotFound(f"there is no experiment {experiment_id}", experiment_id=experiment_id)
        return ExperimentRow(*row)

    def rows(self, experiment_id: int) -> Rows:
        """Every row of an experiment."""
        events = tables.events.c
        journal = select(events.kind, func.count()).where(events.experiment_id == experiment_id).group_by(events.kind)
        kinds = self._connection.execute(journal).all()
        return Rows(
            self.experiment(experiment_id),
            rows_of(self._connection, tables.brackets, BracketRow, experiment_id),
            rows_of(self._connection, tables.rungs, RungRow, experiment_id),
            rows_of(self._connection, tables.rung_results, RungResultRow, experiment_id),
            rows_of(self._connection, tables.trials, TrialRow, experiment_id, hparams=text("NULL")),
            rows_of(self._connection, tables.leases, LeaseRow, experiment_id),
            rows_of(self._connection, tables.checkpoints, CheckpointRow, experiment_id),
            self._contents(experiment_id),
            {kind: number for kind, number in kinds},  # noqa: C416 - rows are no pairs to the type checker
            self.thinning(experiment_id),
            experiment_id in self._ids(tables.endings),
        )

    def thinning(self, experiment_id: int) -> ThinningRow | None:
        """How far the thinning of an experiment is; None where its reports were never thinned."""
        columns = columns_of(tables.thinnings, ThinningRow)
        statement = select(*columns).where(tables.thinnings.c.experiment_id == experiment_id)
        row = self._connection.execute(statement).one_or_none()
        return None if row is None else ThinningRow(*row)

    def _contents(self, experiment_id: int) -> dict[tuple[int, int], Contents]:
        found: dict[tuple[int, int], Contents] = {}
        for trial, token, number, first, last, resource in self._under_leases(tables.reports, experiment_id):
            found[trial, token] = Contents(number, 0, first, last, resource)
        for trial, token, number, first, last, _ in self._under_leases(tables.checkpoints, experiment_id):
            other = found.get((trial, token), Contents(first_sequence=first))
            found[trial, token] = Contents(
                other.reports,
                number,
                min(first, other.first_sequence),
                max(last, other.last_sequence),
                other.resource,
            )
        return found

    def _under_leases(self, table: Table, experiment_id: int) -> Iterator[Any]:
        """By trial and token: how many, first and last sequence number, largest resource."""
        c = table.c
        lease = (c.trial_id, c.token)
        values = (func.count(), func.min(c.sequence), func.max(c.sequence), func.max(c.resource))
        statement = select(*lease, *values).where(c.experiment_id == experiment_id).group_by(*lease)
        yield from self._connection.execute(statement)

    def entries(self, experiment_id: int) -> Iterator[Entry]:
        """The journal of an experiment, in its order."""
        c, after = tables.events.c, 0
        while True:
            statement = select(c.event_id, c.kind, c.trial_id, c.data).where(c.experiment_id == experiment_id)
            page = self._connection.execute(statement.where(c.event_id > after).order_by(c.event_id).limit(_PAGE)).all()
            yield from (Entry(*row) for row in page)
            if len(page) < _PAGE:
                return
            after = page[-1].event_id

    def reports(self) -> int:
        """How many there are."""
        return self._connection.scalar(select(func.count()).select_from(tables.reports)) or 0


@contextmanager
def inspect_database(url: str) -> Iterator[Inspection]:
    """One snapshot of a database, beside its master if it has one.

    Raises DatabaseError where it has not this version's schema, Unavailable where it is out of reach.
    """
    database = parse_database(url)
    if database.kind == "sqlite" and not database.path.is_file():
        raise DatabaseError(f"database {database.name}: there is no such file")
    engine = reading_engine(database, QUERY_TIMEOUT_S)
    try:
        with transaction(engine, database) as connection:
            check_current(connection, database.name)
            yield Inspection(connection)
    finally:
        engine.dispose()
