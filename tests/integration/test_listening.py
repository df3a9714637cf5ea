"""A master that cannot listen says so in one line, and leaves the database as it was."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from rungmaster.master.ledger.engine import parse_database
from rungmaster.master.ledger.ledger import Ledger


@pytest.fixture
def port_in_use() -> Iterator[int]:
    """A port of this machine at which another program listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def refused(folder: Path, listen: str, database: str = "search.db") -> str:
    """What `rungmaster master` writes, which has to fail."""
    command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "master", "--insecure"]
    done = subprocess.run(
        [*command, "--listen", listen, "--db", database], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def tables(url: str) -> list[str]:
    engine = create_engine(parse_database(url).url)
    try:
        return inspect(engine).get_table_names()
    finally:
        engine.dispose()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::]"])
def test_a_port_in_use_is_one_line_and_no_database_is_made(tmp_path: Path, port_in_use: int, host: str) -> None:
    told = refused(tmp_path, f"{host}:{port_in_use}").splitlines()
    assert told[-1] == (
        f"Error: --listen {host}:{port_in_use}: cannot listen there: another program does; end it, or give another "
        "port (0: any that is free)"
    )
    assert all(line.startswith("warning: ") for line in told[:-1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("listen", "why"),
    [
        ("192.0.2.1:50051", "it is no address of this machine"),
        ("nowhere.invalid:50051", "no such host is known"),
        ("127.0.0.1:http", "the port must be a number"),
        ("127.0.0.1:65536", "the port must be a number"),
    ],
)
def test_an_address_that_makes_no_sense_here_leaves_no_database_either(tmp_path: Path, listen: str, why: str) -> None:
    assert why in refused(tmp_path, listen).splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_makes_no_tables_and_takes_no_term(tmp_path: Path, database_url: str, port_in_use: int) -> None:
    refused(tmp_path, f"127.0.0.1:{port_in_use}", database_url)
    if database_url.startswith("postgresql"):
        assert tables(database_url) == []
    Ledger.open(database_url, holder="first").close()
    refused(tmp_path, f"127.0.0.1:{port_in_use}", database_url)
    ledger = Ledger.open(database_url, holder="second")
    ledger.close()
    assert ledger.term == 2
