"""Which schema a database has, and whether this version knows it. Without Alembic, which is slow to import: a reader
that lives for a moment asks this, and a standby twice a second."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from ....shared.errors import DatabaseError

#: Each revision is a file that is named for it, and follows the one before: v0003_retention.py is revision 0003.
_VERSIONS = Path(__file__).parent / "migrations" / "versions"
_NAME = re.compile(r"v(\d{4})_\w+")


@cache
def known_revisions() -> tuple[str, ...]:
    """The revisions of this version, the newest last."""
    names = (_NAME.fullmatch(file.stem) for file in _VERSIONS.glob("v*.py"))
    return tuple(sorted(name[1] for name in names if name))


def revisions_of(connection: Connection) -> tuple[str, ...]:
    """The revision that a database says it has; none where it is empty, or of another program."""
    if not inspect(connection).has_table("alembic_version"):
        return ()
    return tuple(connection.scalars(text("SELECT version_num FROM alembic_version ORDER BY version_num")))


def check_known(connection: Connection, database: str) -> tuple[str, ...]:
    """The revisions of a database's schema, none where it is empty; raises DatabaseError where one is not known."""
    revisions = revisions_of(connection)
    if unknown := sorted(set(revisions) - set(known_revisions())):
        raise DatabaseError(
            f"database {database} has schema revision {', '.join(unknown)}, which this version of Rungmaster does not "
            "know: a newer version made it; install that version or a later one, or restore a backup from before"
        )
    return revisions


def check_current(connection: Connection, database: str) -> None:
    """Raises DatabaseError where the schema is not the one of this version."""
    revisions = check_known(connection, database)
    if revisions != known_revisions()[-1:]:
        has = f"has the older schema revision {', '.join(revisions)}" if revisions else "has no tables of Rungmaster"
        raise DatabaseError(
            f"database {database} {has}; a master of this version brings it up to date at its start, that of "
            "`rungmaster run` as well"
        )
