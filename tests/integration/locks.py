"""Another program that keeps everybody from writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import text

from rungmaster.master.ledger.engine import parse_database, writing_engine


@contextmanager
def locked(database_url: str) -> Iterator[None]:
    """Another program holds the lock that every write needs."""
    database = parse_database(database_url)
    if database.kind == "postgresql":
        database = replace(database, url=database.url.update_query_dict({"application_name": "another"}))
    engine = writing_engine(database, 5)
    with engine.begin() as connection:
        connection.execute(text("UPDATE mastership SET holder = holder"))
        yield
    engine.dispose()
