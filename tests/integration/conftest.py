"""The master's two sides of the test's database (`database_url`, in tests/conftest.py): what writes, and what reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader


@pytest.fixture
def open_ledger(database_url: str) -> Iterator[Callable[[], Ledger]]:
    """Opens ledgers on the test's database, one after the other or beside each other; each takes a term."""
    opened: list[Ledger] = []

    def open_one() -> Ledger:
        opened.append(Ledger.open(database_url, holder=f"master-{len(opened) + 1}", timeout_s=0.5))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    """A ledger on the test's database."""
    return open_ledger()


@pytest.fixture
def reader(ledger: Ledger, database_url: str) -> Iterator[Reader]:
    """A reader of the test's database."""
    reader = Reader(database_url)
    yield reader
    reader.close()
