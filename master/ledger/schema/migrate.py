"""Brings a database to the schema of this version, or says why it cannot.

Alembic takes a quarter of a second to import, so it is imported where there is a migration to apply: an empty database
gets the tables as they are now, which a test holds to be what the migrations make.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, text

from ....shared.errors import DatabaseError
from .revisions import check_known, known_revisions
from .tables import mastership, metadata, renewals

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"
#: Any number will do, as long as every version of Rungmaster takes the same one.
_MIGRATION_LOCK = 7_264_911
#: Alembic's own table, as Alembic makes it.
_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def migrate(connection: Connection, database: str) -> None:
    """Applies the missing migrations within the connection's transaction; `database` is its name for messages.

    Raises DatabaseError where a newer version of Rungmaster made the schema, or something else did.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    revisions = check_known(connection, database)
    if not revisions:
        _check_empty(connection, database)
        _create(connection)
    elif revisions != known_revisions()[-1:]:
        from alembic import command

        command.upgrade(config_for(connection), "head")


def _create(connection: Connection) -> None:
    """The tables as they are now, with the revision that Alembic would have noted, and the rows of the first term."""
    metadata.create_all(connection)
    _VERSION.create(connection)
    connection.execute(insert(_VERSION).values(version_num=known_revisions()[-1]))
    first = {"mastership_id": 1, "term": 0, "holder": "", "start_time": 0.0, "address": ""}
    connection.execute(insert(mastership).values(**first, database_id=secrets.token_hex(8)))
    connection.execute(insert(renewals).values(mastership_id=1, renew_time=0.0))


def config_for(connection: Connection) -> Config:
    """What Alembic needs to know to work on a connection."""
    from alembic.config import Config

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
