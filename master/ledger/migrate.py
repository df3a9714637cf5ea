"""Brings a database to the schema of this version, or says why it cannot."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from ...shared.errors import DatabaseError
from .tables import metadata

_FOLDER = Path(__file__).parent / "migrations"
#: Any number will do, as long as every version of Rungmaster takes the same one.
_MIGRATION_LOCK = 7_264_911


def migrate(connection: Connection, database: str) -> None:
    """Applies the missing migrations within the connection's transaction; `database` is its name for messages.

    Raises DatabaseError where a newer version of Rungmaster made the schema, or something else did.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    revisions = check_known(connection, database)
    if not revisions:
        _check_empty(connection, database)
    if set(revisions) != _scripts().heads:
        command.upgrade(config_for(connection), "head")


def check_known(connection: Connection, database: str) -> tuple[str, ...]:
    """The revisions of a database's schema, none where it is empty; raises DatabaseError where one is not known."""
    revisions = MigrationContext.configure(connection).get_current_heads()
    if unknown := sorted(set(revisions) - _scripts().known):
        raise DatabaseError(
            f"database {database} has schema revision {', '.join(unknown)}, which this version of Rungmaster does not "
            "know: a newer version made it; install that version or a later one, or restore a backup from before"
        )
    return revisions


def check_current(connection: Connection, database: str) -> None:
    """Raises DatabaseError where the schema is not the one of this version."""
    revisions = check_known(connection, database)
    if set(revisions) != _scripts().heads:
        has = f"has the older schema revision {', '.join(revisions)}" if revisions else "has no tables of Rungmaster"
        raise DatabaseError(f"database {database} {has}; a master of this version brings it up to date at its start")


class _Scripts(NamedTuple):
    """The revisions that this version knows, and the newest."""

    known: frozenset[str]
    heads: frozenset[str]


@cache
def _scripts() -> _Scripts:
    """Loaded once: a standby asks twice a second."""
    scripts = ScriptDirectory.from_config(_config())
    return _Scripts(
        frozenset(revision.revision for revision in scripts.walk_revisions()), frozenset(scripts.get_heads())
    )


def config_for(connection: Connection) -> Config:
    """What Alembic needs to know to work on a connection."""
    config = _config()
    config.attributes["connection"] = connection
    return config


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _check_empty(connection: Connection, database: str) -> None:
    taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if taken:
        raise DatabaseError(
            f"database {database} has tables of other origin with our names ({', '.join(taken)}); give an empty one"
        )
