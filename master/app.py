"""One master process: ledger, writer and server together, from start to a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..shared.errors import DatabaseLost, FailedPrecondition, InvalidInput, MastershipLost, RungmasterError, Unavailable
from ..shared.net.announcement import announce, check_announceable
from ..shared.version import __version__
from .dispatcher.core import Core
from .dispatcher.recovered import SessionParameters
from .dispatcher.store import LedgerStore
from .dispatcher.upkeep.cleanup import go_on_in_portions
from .dispatcher.upkeep.retention import Upkeep
from .dispatcher.upkeep.sweeps import Sweeper
from .dispatcher.writer import Writer
from .failpoints import arm, hit
from .ledger.ledger import Ledger
from .ledger.read.reader import Reader
from .ownership import Claim, Election, own, renew
from .sampling.host import SamplerHost
from .services.limits.connections import raise_file_limit
from .services.listening import check_address, check_free, reachable
from .services.security.identity import Security
from .services.server import CONNECTIONS_OF_HOST, Server, ServerOptions
from .stopping import PATIENCE_S, Stopping

if TYPE_CHECKING:
    from .metrics.monitor import Monitor

log = logging.getLogger(__name__)

#: A worker is told to give at least this many signs of life in the time of a lease.
BEATS_PER_LEASE = 5
#: Seconds that an address may stay in use by the master that was replaced.
ADDRESS_PATIENCE_S = 15.0


def default_holder() -> str:
    """What people call a master that was given no name."""
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Options:
    """How a master runs. Durations in seconds, but for `keep_reports_days`: days, or None for ever.

    `holder` says for people who it is, the file `announced_in` for everybody who shares its folder where it is.
    """

    database: str
    listen: str
    lease_ttl_s: float
    grace_s: float
    exit_with_parent: bool
    election: Election
    takeover_after_s: float
    security: Security
    keep_reports_days: float | None = None
    connections_of_host: int = CONNECTIONS_OF_HOST
    health_listen: str = ""
    metrics_listen: str = ""
    holder: str = field(default_factory=default_holder)
    announced_in: Path | None = None


class Announcer(Protocol):
    """Tells people how it stands."""

    def waiting(self, holder: str, term: int) -> None:
        """Another master owns the database, and is waited for."""
        ...

    def ready(self, address: str, term: int) -> None:
        """This one serves."""
        ...


async def serve(options: Options, announcer: Announcer) -> None:
    """Serves until it is told to end (SIGTERM, SIGINT), if need be after waiting for another master's end. Once told,
    the process has ended PATIENCE_S seconds after the grace of its calls, whatever it is busy with.

    Raises DatabaseError or Unavailable where the database cannot be used, InvalidInput where the address, a certificate
    or the tokens cannot,
    FailedPrecondition where there is another master and it is not to be waited for, MastershipLost where another
    master took over, DatabaseLost where the database was deleted or replaced.
    """
    arm()
    stopping = Stopping(options.grace_s + PATIENCE_S)
    with stopping.by_signals(signal.SIGTERM, signal.SIGINT):
        await _serve_until(stopping, options, announcer)


async def _serve_until(stopping: Stopping, options: Options, announcer: Announcer) -> None:
    check_address(options.listen)
    if options.health_listen:
        check_address(options.health_listen, "--health-listen")
    if options.announced_in is not None:
        check_announceable(options.announced_in)
    raise_file_limit()
    with _monitor(options.metrics_listen) as monitor:
        await _own_and_serve(stopping, options, announcer, monitor)


@contextlib.contextmanager
def _monitor(address: str) -> Iterator[Monitor | None]:
    """What tells how the master is, a standby too; None where no address is given."""
    if not address:
        yield None
        return
    try:
        from .metrics.monitor import Monitor
    except ImportError as error:
        told = "--metrics-listen needs prometheus_client: pip install 'rungmaster[metrics]'"
        raise FailedPrecondition(f"{told} ({error})") from error
    monitor = Monitor(address)
    monitor.start()
    try:
        yield monitor
    finally:
        monitor.stop()


async def _own_and_serve(stopping: Stopping, options: Options, announcer: Announcer, monitor: Monitor | None) -> None:
    loop, stop = asyncio.get_running_loop(), stopping.told
    guard = ServerOptions.of(options.security, options.connections_of_host, options.health_listen)
    if monitor is not None:
        monitor.certificate = guard.certificates
    async with _stopping_with_parent(stopping, options.exit_with_parent):
        ready = partial(check_free, options.listen)
        claim = Claim(options.database, options.holder, options.election, options.takeover_after_s, ready)
        hit("start.before")
        with ThreadPoolExecutor(1, thread_name_prefix="ledger") as thread:
            ledger = await own(claim, stop, thread, announcer.waiting)
            if ledger is None:
                return
            try:
                await _serve(ledger, thread, options, guard, stopping, announcer, monitor)
            except DatabaseLost as error:
                log.error("%s", error)
                saved = await loop.run_in_executor(thread, ledger.rescue)
                raise DatabaseLost(": ".join(filter(None, (str(error), saved)))) from error
            finally:
                await loop.run_in_executor(thread, ledger.close)
            stopping.code = 0


async def _serve(
    ledger: Ledger,
    thread: ThreadPoolExecutor,
    options: Options,
    guard: ServerOptions,
    stopping: Stopping,
    announcer: Announcer,
    monitor: Monitor | None,
) -> None:
    parameters = SessionParameters(
        ledger.term, options.lease_ttl_s, options.lease_ttl_s / BEATS_PER_LEASE, __version__, ledger.database_id
    )
    store = LedgerStore(ledger)
    writer = Writer(store, parameters, thread)
    with contextlib.closing(Reader(options.database, files=ledger.files)) as reader:
        server = Server(writer, reader, ledger.database, options.holder, guard)
        async with _renewing(ledger, writer, server) as renewing:
            with _collecting_no_garbage():
                if not await _started(writer, renewing, stopping.told):
                    # Nothing is lost where what is read is cut off.
                    stopping.code = 0
                    return
            hit("recover.after")
            port = await _listen(server, options)
            hit("serve.after")
            await _announce(ledger, thread, reachable(options.listen, port))
            if options.announced_in is not None:
                await asyncio.to_thread(announce, options.announced_in, reachable(options.listen, port))
            samplers = SamplerHost(writer, reader)
            if monitor is not None:
                monitor.serves(writer, reader, server, ledger.term, samplers.programs)
            announcer.ready(f"{options.listen.rpartition(':')[0]}:{port}", ledger.term)
            background = [
                Upkeep(writer, ledger, reader, thread, options.keep_reports_days).run(),
                Sweeper(writer, ledger, reader, thread).run(),
                samplers.run(),
                go_on_in_portions(writer),
            ]
            await _run(writer, server, background, renewing, options, stopping.told)


@contextlib.asynccontextmanager
async def _renewing(ledger: Ledger, writer: Writer, server: Server) -> AsyncIterator[asyncio.Task[None]]:
    """Shows signs of life from the first moment: a long recovery is not to be taken for a master that hangs."""

    async def told(writes: bool) -> None:
        await server.set_ready(writes and writer.takes_writes)

    task = asyncio.create_task(renew(ledger.renewal(), told))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _started(writer: Writer, renewing: asyncio.Task[None], stop: asyncio.Event) -> bool:
    """Builds the memory; False where the process is told to end meanwhile. Raises MastershipLost as soon as a sign of
    life tells so."""
    starting, stopped = asyncio.create_task(writer.start()), asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({starting, renewing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting in done:
            await starting
        elif renewing in done:
            await renewing
        return starting in done
    finally:
        for task in (starting, stopped):
            task.cancel()


async def _announce(ledger: Ledger, thread: ThreadPoolExecutor, address: str) -> None:
    try:
        await asyncio.get_running_loop().run_in_executor(thread, ledger.announce, address)
    except MastershipLost:
        raise
    except Unavailable as error:
        log.warning("clients that are given the database will not find this master: %s", error)


@contextlib.contextmanager
def _collecting_no_garbage() -> Iterator[None]:
    """A long search is hundreds of thousands of objects that stay: looking through them while they are made takes a
    third of the time, and looking again later would hold up the event loop."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        # A thousand streams are a million objects: with Python's usual thresholds looking through them takes a tenth
        # of the time, and holds up everybody for 0.2 s now and then.
        gc.set_threshold(50_000, 20, 100)
        gc.enable()


async def _listen(server: Server, options: Options) -> int:
    """Starts the server. Where a master is taken over from, its address may take a moment to become free."""
    patience_s = ADDRESS_PATIENCE_S if options.election is Election.TAKE_OVER else 0.0
    give_up_at = asyncio.get_running_loop().time() + patience_s
    while True:
        try:
            return await server.start(options.listen)
        except InvalidInput:
            if asyncio.get_running_loop().time() >= give_up_at:
                raise
            await asyncio.sleep(0.2)


async def _run(
    writer: Writer,
    server: Server,
    background: Iterable[Coroutine[None, None, None]],
    renewing: asyncio.Task[None],
    options: Options,
    stop: asyncio.Event,
) -> None:
    """Runs the writer, the looks and the background until told to stop; always ends the server before the writer."""
    stopped = asyncio.create_task(stop.wait())
    tasks = [
        stopped,
        asyncio.create_task(writer.run()),
        asyncio.create_task(_look(writer)),
        *map(asyncio.create_task, background),
        renewing,
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        await server.stop(options.grace_s if stopped in done else 0)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _look(writer: Writer) -> None:
    while True:
        await asyncio.sleep(writer.look_interval_s)
        with contextlib.suppress(RungmasterError):
            await writer.execute(Core.look)


@contextlib.asynccontextmanager
async def _stopping_with_parent(stopping: Stopping, wanted: bool) -> AsyncIterator[None]:
    """Tells it to end when standard input closes: whoever started this process has ended, by whatever means."""
    watch = asyncio.create_task(_tell_without_parent(stopping)) if wanted else None
    try:
        yield
    finally:
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def _tell_without_parent(stopping: Stopping) -> None:
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)
    while await stream.read(4096):
        pass
    stopping.tell()
