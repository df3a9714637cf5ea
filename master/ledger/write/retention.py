"""What goes out of the database: reports of thinned experiments, and every row of deleted ones, a little at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any, NamedTuple

from sqlalchemy import Connection, CursorResult, and_, delete, exists, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from ....shared.checkpoints.paths import log_folder
from ....shared.checkpoints.storage import address_in
from ...experiment.changes import ThinningRow
from ...experiment.essentials import storage_of
from ...experiment.life.retention import Span
from ..engine import read_in_order
from ..leadership.mastership import read_database_id
from ..schema import tables

#: The number in place of a trial's for what belongs to a whole experiment.
_OF_NO_TRIAL = -1
#: What survives the deletion of an experiment, so that its number is never used again.
_LASTING_EVENTS = ("experiment_created", "experiment_deleted")
#: The tables of what an experiment leaves behind, in the order in which they are emptied, each with what may go.
_LEFT = (
    (tables.reports, None),
    (tables.rung_results, None),
    (tables.leases, None),
    (tables.trials, None),
    (tables.rungs, None),
    (tables.brackets, None),
    (tables.events, tables.events.c.kind.not_in(_LASTING_EVENTS)),
    # The others are needed until their files are gone.
    (tables.checkpoints, tables.checkpoints.c.deleted),
)
_T, _E = tables.thinnings.c, tables.experiments.c
_DROP = "DELETE FROM reports WHERE experiment_id = ? AND trial_id = ? AND token = ? AND sequence BETWEEN ? AND ?"


class ErasurePosition(NamedTuple):
    """How far the deletion of an experiment is: the table, and the key of its last row that was looked at."""

    table: int = 0
    after: tuple[int, ...] = ()


def begin_thinning(connection: Connection, row: ThinningRow) -> None:
    """Notes that an experiment is to be thinned, anew where it was before; nothing where it is gone."""
    is_there = select(exists().where(_E.experiment_id == row.experiment_id))
    if not connection.scalar(is_there):
        return
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = upsert(tables.thinnings).values(asdict(row))
    again = {name: statement.excluded[name] for name in ("keep_every", "next_trial", "start_time", "end_time")}
    connection.execute(statement.on_conflict_do_update(index_elements=["experiment_id"], set_=again))


def begin_deletion(connection: Connection, experiment_id: int) -> None:
    """Makes an experiment invisible, and notes that its rows are to go, and the folder of its logs."""
    _note_logs(connection, experiment_id)
    for table in (tables.experiments, tables.thinnings, tables.endings):
        connection.execute(delete(table).where(table.c.experiment_id == experiment_id))
    connection.execute(insert(tables.deletions).values(experiment_id=experiment_id, start_time=time.time()))


def _note_logs(connection: Connection, experiment_id: int) -> None:
    """The folder of the logs goes as a checkpoint does: it is given up, and noted until a worker has deleted it."""
    storage = storage_of(connection.scalar(select(_E.spec).where(_E.experiment_id == experiment_id)))
    was_trained = select(exists().where(tables.leases.c.experiment_id == experiment_id))
    if not storage or not connection.scalar(was_trained):
        return
    folder = address_in(storage, log_folder(read_database_id(connection), experiment_id))
    key = {"experiment_id": experiment_id, "trial_id": _OF_NO_TRIAL, "token": 0, "sequence": 0}
    nothing = {"resource": 0, "size_bytes": 0, "checksum": "", "delete_time": None, "deleted": False}
    row = {**key, **nothing, "uri": folder, "create_time": time.time()}
    connection.execute(insert(tables.checkpoints).values(row))


def thin(connection: Connection, thinning: ThinningRow, gone: Sequence[Span], next_trial: int, finished: bool) -> bool:
    """Deletes reports and notes how far it is; False where meanwhile the thinning was begun anew or deleted.

    The journal tells of its end.
    """
    here = _T.experiment_id == thinning.experiment_id
    begun = select(_T.start_time, _T.reports_dropped).where(here, _T.end_time.is_(None))
    found = connection.execute(begun).one_or_none()
    if found is None or found.start_time != thinning.start_time:
        return False
    dropped = found.reports_dropped + _drop(connection, thinning.experiment_id, gone)
    now = time.time()
    values = {"next_trial": next_trial, "reports_dropped": dropped, "end_time": now if finished else None}
    connection.execute(update(tables.thinnings).where(here).values(values))
    if finished:
        data = {"keep_every": thinning.keep_every, "reports_dropped": dropped}
        note = {"experiment_id": thinning.experiment_id, "trial_id": None, "create_time": now, "kind": "thinned"}
        connection.execute(insert(tables.events).values(**note, data=data))
    return True


def _drop(connection: Connection, experiment_id: int, gone: Sequence[Span]) -> int:
    if not gone:
        return 0
    statement = _DROP if connection.dialect.name == "sqlite" else _DROP.replace("?", "%s")
    cursor: Any = connection.connection.cursor()
    with closing(cursor):
        cursor.executemany(statement, [(experiment_id, s.trial_id, s.token, s.first, s.last) for s in gone])
        return cursor.rowcount


def erase(connection: Connection, experiment_id: int, place: ErasurePosition, rows: int) -> ErasurePosition | None:
    """Deletes about so many rows of a deleted experiment, from a place on; the next place, None where all are gone."""
    while rows > 0:
        if place.table == len(_LEFT):
            of = tables.deletions.c.experiment_id == experiment_id
            connection.execute(delete(tables.deletions).where(of))
            return None
        place, seen = _erase_some(connection, experiment_id, place, rows)
        rows -= seen
    return place


def _erase_some(
    connection: Connection, experiment_id: int, place: ErasurePosition, rows: int
) -> tuple[ErasurePosition, int]:
    """Deletes what may go among the next rows of one table; the next place, and how many rows that were at most."""
    read_in_order(connection)
    table, condition = _LEFT[place.table]
    keys = [key for key in table.primary_key if key.name != "experiment_id"]
    window = table.c.experiment_id == experiment_id
    if place.after:
        window = and_(window, tuple_(*keys) > tuple_(*place.after))
    last = connection.execute(select(*keys).where(window).order_by(*keys).offset(rows - 1).limit(1)).one_or_none()
    if last is not None:
        window = and_(window, tuple_(*keys) <= tuple_(*last))
    may_go = window if condition is None else and_(window, condition)
    deleted: CursorResult[Any] = connection.execute(delete(table).where(may_go))
    if last is None:
        return ErasurePosition(place.table + 1), deleted.rowcount
    return ErasurePosition(place.table, tuple(last)), rows
