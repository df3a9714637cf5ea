"""What a master does with its database's content when the files were deleted or replaced under it, before it ends.

While the process lives, SQLite has the files open and reads them as ever; with the process they are gone.
"""

from __future__ import annotations

import glob
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from ....shared.errors import RungmasterError
from ..engine import Database
from .backup import fill
from .database_files import DatabaseFiles

_SAVED = "-rescued-"


def rescue(engine: Engine, files: DatabaseFiles, database: Database) -> str:
    """Puts all into the file where that still lies somewhere, and otherwise into another one beside its place.

    What was done, or why it could not be, and what to do now: one sentence for people.
    """
    target = database.path.absolute()
    target = target.with_name(f"{target.name}{_SAVED}{time.strftime('%Y%m%d-%H%M%S')}")
    try:
        with closing(engine.raw_connection()) as pooled:
            connection = pooled.driver_connection
            assert isinstance(connection, sqlite3.Connection)
            place = files.place
            # The log is left empty: whoever opens the file that lies beside it now would take it for that one's.
            emptied = (not place or files.log_is_ours) and _empty_log(connection)
            if not place or not emptied:
                fill(target, connection, database)
    except (sqlite3.Error, OSError, RungmasterError) as error:
        return f"what it held could not be saved ({error}); put a backup in its place with `rungmaster db restore`"
    if not place or not emptied:
        return (
            f"what it held is saved in {target}; put that in its place, or run `rungmaster db restore` on what you put "
            "there instead, and start a master"
        )
    if place == database.path.absolute():
        return "what it held is in the file; start a master again"
    return f"what it held is in {place}; move that back, or start a master there"


def rescued(path: Path) -> Path | None:
    """The newest file that a master saved beside a database's place."""
    return max(path.absolute().parent.glob(f"{glob.escape(path.name)}{_SAVED}*"), default=None)


def _empty_log(connection: sqlite3.Connection) -> bool:
    """Whether all that stood in the log is in the file now."""
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
