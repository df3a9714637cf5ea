"""Brings a database to the schema of this version, or says why it cannot."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text

from ....shared.errors import DatabaseError
from .revisions import check_known, known_revisions
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
    if revisions != known_revisions()[-1:]:
        command.upgrade(config_for(connection), "head")


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
