"""One process that reads a database for the process that started it, and changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable

from ..shared.errors import RungmasterError
from .ledger.read.reader import Reader
from .services.reading import ReadingServer


async def serve_reading(database: str, address: str, say: Callable[[str], None]) -> None:
    """Serves a database at `unix:PATH` until standard input closes.

    The first thing that it says is a JSON object: the `owner` of the database (`holder`, `term`, `address`,
    `database_id`), or null where no master runs on it. Where it cannot be read, that object has the `error` and its
    `kind` instead, and nothing is served.
    """
    try:
        reader = Reader(database, from_outside=True)
        owner = reader.owner()
    except RungmasterError as error:
        say(json.dumps({"error": str(error), "kind": type(error).__name__}))
        return
    with contextlib.closing(reader):
        server = ReadingServer(reader)
        await server.start(address)
        names = ("holder", "term", "address", "database_id")
        found = owner and {name: getattr(owner, name) for name in names}
        say(json.dumps({"owner": found}))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
        await server.stop()
