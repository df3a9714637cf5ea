"""Brings a database to the schema of this version, or says why it cannot."""

from __future__ import annotations

from pathlib import Path

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
    config = config_for(connection)
    revisions = check_known(connection, database)
    if not revisions:
        _check_empty(connection, database)
    if set(revisions) != set(ScriptDirectory.from_config(config).get_heads()):
        command.upgrade(config, "head")


def check_known(connection: Connection, database: str) -> tuple[str, ...]:
    """The revisions of a database's schema, none where it is empty; raises DatabaseError where one is not known."""
    revisions = MigrationContext.configure(connection).get_current_heads()
    known = {revision.revision for revision in _script(connection).walk_revisions()}
    if unknown := sorted(set(revisions) - known):
        raise DatabaseError(
            f"database {database} has schema revision {', '.join(unknown)}, which this version of Rungmaster does not "
            "know: a newer version made it; install that version or a later one, or restore a backup from before"
        )
    return revisions


def check_current(connection: Connection, database: str) -> None:
    """Raises DatabaseError where the schema is not the one of this version."""
    revisions = check_known(connection, database)
    if set(revisions) != set(_script(connection).get_heads()):
        has = f"has the older schema revision {', '.join(revisions)}" if revisions else "has no tables of Rungmaster"
        raise DatabaseError(f"database {database} {has}; a master of this version brings it up to date at its start")


def _script(connection: Connection) -> ScriptDirectory:
    return ScriptDirectory.from_config(config_for(connection))


def config_for(connection: Connection) -> Config:
    """What Alembic needs to know to work on a connection."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _check_empty(connection: Connection, database: str) -> None:
    taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if taken:
        raise DatabaseError(
            f"database {database} has tables of other origin with our names ({', '.join(taken)}); give an empty one"
        )
