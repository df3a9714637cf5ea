"""Copies of a database, and what must happen before a copy is used in its place."""

from __future__ import annotations

import shlex
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, func, insert, or_, select, update

from ....shared.errors import DatabaseError, InvalidInput
from ....shared.files import written_whole
from ....shared.wire.model import ExperimentState, TrialState
from ...experiment.checking.audit import TOKEN_STEP
from ..engine import Database, parse_database
from ..failures import explain
from ..schema.tables import endings, events, experiments, mastership, trials
from .presence import check_alone

#: How far a restored database's term and experiment numbers are advanced, past all that the lost time may have used.
TERM_STEP, EXPERIMENT_STEP = 1_000_000, 1_000
_LIVE_TRIALS = [state.value for state in TrialState if not state.ended]


def back_up(url: str, target: Path) -> None:
    """Copies an SQLite database as it is at one moment, beside its running master and without holding it up.

    Raises InvalidInput for PostgreSQL, whose own tools do it better, and where the target exists; DatabaseError or
    Unavailable where one of the files cannot be used.
    """
    database = parse_database(url)
    if database.kind != "sqlite":
        raise InvalidInput(
            f"{database.name}: PostgreSQL has its own tool, which may run beside the master: "
            + shlex.join(["pg_dump", "--format=custom", f"--file={target}", _dumped(database)])
        )
    if not database.path.is_file():
        raise DatabaseError(f"database {database.name}: there is no such file")
    copy(database.path, target, database)


def _dumped(database: Database) -> str:
    """The database for PostgreSQL's own tools: the whole URL (`?host=` may be the only way there), less a password."""
    kept = database.url.difference_update_query([key for key in database.url.query if "password" in key])
    url = kept._replace(drivername="postgresql", password=None)
    # A space may be written as + in the addresses of pages, but not in those of databases.
    return url.render_as_string().replace("+", "%20")


def copy(source: Path, target: Path, database: Database) -> None:
    """Makes `target` a whole copy of the SQLite file `source`, or nothing. Raises as `back_up` does."""
    check_alone(source)
    address = f"file:{quote(str(source.absolute()))}?mode=rw"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=30)) as reading:
            fill(target, reading, database)
    except sqlite3.Error as error:
        raise explain(error, database.name) from error


def fill(target: Path, reading: sqlite3.Connection, database: Database) -> None:
    """Makes `target` a whole copy of what a connection reads, or nothing. Raises sqlite3.Error, or as `back_up`."""
    with written_whole(target) as partial:
        with closing(sqlite3.connect(partial)) as writing:
            # In one step: pages that the master writes meanwhile would make it begin again and again.
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode=DELETE")
            damage = writing.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise DatabaseError(f"database {database.name} is damaged: {damage}")


def advance(connection: Connection) -> None:
    """Makes sure that no term, token and experiment number is given again that may have been given since the backup.

    No lease may be held. The journal tells of it.
    """
    connection.execute(update(mastership).values(term=mastership.c.term + TERM_STEP))
    live = update(trials).where(trials.c.state.in_(_LIVE_TRIALS))
    connection.execute(live.values(token=trials.c.token + TOKEN_STEP))
    ended = [state.value for state in ExperimentState if state.ended]
    going_on = or_(experiments.c.state.not_in(ended), experiments.c.experiment_id.in_(select(endings.c.experiment_id)))
    of = list(connection.scalars(select(experiments.c.experiment_id).where(going_on)))
    last = max(connection.scalar(select(func.max(table.c.experiment_id))) or 0 for table in (experiments, events))
    note = {"trial_id": None, "create_time": time.time(), "kind": "restored"}
    rows = [{**note, "experiment_id": experiment_id, "data": {"token_step": TOKEN_STEP}} for experiment_id in of]
    rows.append({**note, "experiment_id": last + EXPERIMENT_STEP, "data": {"experiment_step": EXPERIMENT_STEP}})
    connection.execute(insert(events), rows)
