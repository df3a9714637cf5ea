"""One master process: ledger, writer and server together, from start to a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..shared.errors import Unavailable
from ..shared.version import __version__
from .dispatcher.core import Core, Terms
from .dispatcher.store import LedgerStore
from .dispatcher.writer import Writer
from .ledger.ledger import Ledger
from .ledger.reader import Reader
from .services.server import Server

log = logging.getLogger(__name__)

#: A worker is told to give at least this many signs of life in the time of a lease.
BEATS_PER_LEASE = 5


@dataclass(frozen=True, slots=True)
class Options:
    """How a master runs. Durations in seconds."""

    database: str
    listen: str
    lease_ttl: float
    grace: float
    exit_with_parent: bool


async def serve(options: Options, ready: Callable[[str, int], None]) -> None:
    """Serves until it is told to end (SIGTERM, SIGINT); calls `ready(address, term)` once it does.

    Raises DatabaseError or Unavailable where the database cannot be used, InvalidInput where the address cannot,
    MastershipLost where another master took over.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    holder = f"{socket.gethostname()}-{os.getpid()}"
    with ThreadPoolExecutor(1, thread_name_prefix="ledger") as thread:
        ledger = await loop.run_in_executor(thread, lambda: Ledger.open(options.database, holder=holder))
        try:
            writer = Writer(LedgerStore(ledger), _terms(options, ledger.term), thread)
            await writer.start()
            reader = Reader(options.database)
            server = Server(writer, reader, ledger.database)
            port = await server.start(options.listen)
            ready(f"{options.listen.rpartition(':')[0]}:{port}", ledger.term)
            await _run(writer, server, options, stop)
            reader.close()
        finally:
            await loop.run_in_executor(thread, ledger.close)


def _terms(options: Options, term: int) -> Terms:
    return Terms(term, options.lease_ttl, options.lease_ttl / BEATS_PER_LEASE, __version__)


async def _run(writer: Writer, server: Server, options: Options, stop: asyncio.Event) -> None:
    """Runs the writer and the looks until told to stop; always ends the server before the writer."""
    tasks = [
        asyncio.create_task(writer.run()),
        asyncio.create_task(_look(writer)),
        asyncio.create_task(stop.wait()),
    ]
    if options.exit_with_parent:
        tasks.append(asyncio.create_task(_parent_gone()))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        lost = tasks[0] in done
        await server.stop(0 if lost else options.grace)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _look(writer: Writer) -> None:
    while True:
        await asyncio.sleep(writer.look_interval)
        with contextlib.suppress(Unavailable):
            await writer.execute(Core.look)


async def _parent_gone() -> None:
    """Returns when standard input closes: whoever started this process has ended, by whatever means."""
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)
    while await stream.read(4096):
        pass
