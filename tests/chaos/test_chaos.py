"""A short storm; `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .databases import Postgresql, Sqlite
from .run import chaos

if TYPE_CHECKING:
    from ..conftest import PostgresqlServer

#: What takes long to heal: a dead connection is found after 40 s, a master that holds the lock on SQLite never.
SLOW = ("network: half-open for good", "master: SIGSTOP, replaced by another, SIGCONT")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_nothing_is_lost_whatever_dies(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database: Sqlite | Postgresql = Sqlite(tmp_path)
    if kind == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        database = Postgresql(server, request.getfixturevalue("postgresql_url"))
    outcome = chaos(tmp_path, database, seconds=8, seed=4, workers=2, without=SLOW)
    assert outcome.problems == []
    assert outcome.verdict.acknowledged > 0
    assert outcome.struck.total() > 0
