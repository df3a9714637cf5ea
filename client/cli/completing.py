"""What a shell completes beside commands and options: ids of experiments; quickly, or not at all."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ...shared.text.visible import visible

TIMEOUT_S = 0.7
"""Nobody waits longer for the answer of a master."""

_MOST = 50
_CONNECT_TIMEOUT_S = 0.1
_LOCK_TIMEOUT_S = 0.1
_QUERY = "SELECT experiment_id, name, state FROM experiments ORDER BY experiment_id DESC LIMIT ?"


class ExperimentId(click.IntRange):
    """The id of an experiment; a shell completes those that there are, newest first."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:  # noqa: ARG002
        """Ids that begin as typed, with name and state; none where nobody tells them at once."""
        # Whatever goes wrong, a shell that completes is no place to tell it.
        with contextlib.suppress(Exception):
            return [
                CompletionItem(str(number), help=f"{visible(name)}, {state}")
                for number, name, state in _experiments(ctx.params)
                if str(number).startswith(incomplete)
            ]
        return []


def _experiments(given: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    """Id, name and state of the newest experiments, of the master or database that the options name."""
    from ..local.database import DEFAULT_DATABASE, file_of

    addresses, database = given.get("addresses"), given.get("database")
    if addresses is None and database is None:
        addresses = os.environ.get("RUNGMASTER_MASTER") or None
    if addresses is None:
        file = file_of(database or DEFAULT_DATABASE)
        if file is not None and (database or file.is_file()):
            return list(_in_file(file))
    return [] if database else list(_of_master(addresses, given))


def _in_file(file: Path) -> Iterator[tuple[int, str, str]]:
    """From an SQLite file itself, in a fraction of the time that a process takes which reads it; docs/ledger.md keeps
    the meaning of its columns. It writes nothing: without a log beside it the file is as it is."""
    how = "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "mode=ro&immutable=1"
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?{how}", uri=True, timeout=_LOCK_TIMEOUT_S)
    with contextlib.closing(connection):
        yield from connection.execute(_QUERY, (_MOST,))


def _of_master(addresses: str | None, given: Mapping[str, Any]) -> Iterator[tuple[int, str, str]]:
    from itertools import islice

    from ...shared.net.addresses import DEFAULT_ADDRESS
    from ...shared.net.credentials import Credentials
    from ...shared.options import TOKEN_VARIABLE
    from ..client import Client

    if addresses is None:
        # Most machines have no master there.
        host, _, port = DEFAULT_ADDRESS.rpartition(":")
        socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_S).close()
    token = "" if given.get("token_file") else os.environ.get(TOKEN_VARIABLE, "").strip()
    own: dict[str, Any] = {name: given.get(name) for name in ("tls_ca", "tls_cert", "tls_key", "token_file")}
    credentials = Credentials(tls=bool(given.get("tls")), token=token, **own)
    with Client(addresses or DEFAULT_ADDRESS, timeout=TIMEOUT_S, credentials=credentials) as client:
        for each in islice(client.list(), _MOST):
            yield each.experiment_id, each.name, each.state.value
