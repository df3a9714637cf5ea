"""The schema: what migrations make is what the code expects, and what `docs/ledger.md` tells people to ask works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from rungmaster.master.ledger.engine import parse_database, reading_engine, writing_engine
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.schema.migrate import config_for, migrate
from rungmaster.master.ledger.schema.revisions import check_known, known_revisions, revisions_of
from rungmaster.master.ledger.schema.tables import metadata

from .ledger_rows import created

DOCUMENT = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)


def described(connection: Connection) -> dict[str, Any]:
    """Every table, column, key and index, in the database's own words where it has them."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
        found = {name: " ".join(sql.split()) for name, sql in rows}
    else:
        indexes = connection.execute(text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
        found = {row.indexname: row.indexdef for row in indexes}
        columns = connection.execute(
            text(
                "SELECT table_name, column_name, ordinal_position, data_type, character_maximum_length, is_nullable,"
                " column_default FROM information_schema.columns WHERE table_schema = 'public'"
            )
        )
        found |= {f"{row.table_name}.{row.column_name}": str(row[2:]) for row in columns}
    return found


def first_rows(connection: Connection) -> list[Any]:
    """What is in a database before anybody has used it; its id is random."""
    terms = connection.execute(text("SELECT mastership_id, term, holder, start_time, address FROM mastership")).all()
    assert re.fullmatch("[0-9a-f]{16}", connection.scalar(text("SELECT database_id FROM mastership")))
    signs = connection.execute(text("SELECT mastership_id, renew_time FROM renewals")).all()
    return [*terms, *signs, *revisions_of(connection)]


@pytest.fixture
def engine(database_url: str) -> Any:
    engine = writing_engine(parse_database(database_url), 5)
    yield engine
    engine.dispose()


def test_migrations_make_what_an_empty_database_gets(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection, "test")
        created, rows = described(connection), first_rows(connection)
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        command.upgrade(config_for(connection), "head")
        assert described(connection) == created
        assert first_rows(connection) == rows


def test_the_revisions_are_told_from_the_names_of_their_files(engine: Engine) -> None:
    with engine.begin() as connection:
        scripts = ScriptDirectory.from_config(config_for(connection))
    assert [revision.revision for revision in scripts.walk_revisions()][::-1] == list(known_revisions())


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection, "test")
        once = described(connection)
        migrate(connection, "test")
        assert described(connection) == once


def test_a_migration_that_fails_leaves_nothing(engine: Engine) -> None:
    class Stop(Exception):
        pass

    def fail() -> None:
        with engine.begin() as connection:
            migrate(connection, "test")
            raise Stop

    with pytest.raises(Stop):
        fail()
    with engine.begin() as connection:
        assert inspect(connection).get_table_names() == []


def test_every_table_and_column_is_documented() -> None:
    for table in metadata.tables.values():
        section = DOCUMENT.split(f"### `{table.name}`", 1)[1].split("\n### ", 1)[0]
        assert [column.name for column in table.columns if f"`{column.name}`" not in section] == []


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_documents_examples_run_on_both_databases(database_url: str, number: int) -> None:
    ledger = Ledger.open(database_url, holder="me")
    ledger.commit(created())
    engine = reading_engine(parse_database(database_url), 5)
    with engine.begin() as connection:
        connection.execute(text(EXAMPLES[number].replace(":", r"\:"))).all()
    engine.dispose()
    ledger.close()


def test_what_this_version_knows_of_schemas_is_loaded_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A standby looks twice a second."""
    with engine.begin() as connection:
        migrate(connection, "test")
        monkeypatch.setattr(Path, "glob", None)
        assert check_known(connection, "test")
