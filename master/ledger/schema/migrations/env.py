"""Alembic runs this file. The connection, in a transaction of its own, comes from `master/ledger/schema/migrate.py`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
