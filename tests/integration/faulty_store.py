"""A store that fails by chance, before or after the real commit; and a master in this process on it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, TypeVar

from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.recovered import RecoveredMemory, SessionParameters
from rungmaster.master.dispatcher.setup import Refused
from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.dispatcher.writer import Store, Writer
from rungmaster.master.experiment.changes import Changes, StoredRows
from rungmaster.master.experiment.setup import ExperimentSetup
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.services.server import Server, ServerOptions
from rungmaster.shared.errors import Unavailable

T = TypeVar("T")


class FaultyStore:
    """Implements `writer.Store` around another one. After a fault that follows a commit, what was written is there."""

    def __init__(self, store: Store, seed: int, rate: float) -> None:
        """`rate` is the part of the calls that fail."""
        self._store = store
        self._random = Random(seed)
        self._rate = rate
        #: How often each fault happened.
        self.faults: Counter[str] = Counter()

    def commit(self, changes: Changes) -> None:
        self._call("commit", lambda: self._store.commit(changes))

    def hparams(self, trials: set[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
        return self._call("hparams", lambda: self._store.hparams(trials))

    def recover(self) -> RecoveredMemory:
        return self._call("recover", self._store.recover)

    def experiment(self, experiment_id: int) -> tuple[StoredRows, ExperimentSetup | Refused] | None:
        return self._call("experiment", lambda: self._store.experiment(experiment_id))

    def _call(self, name: str, call: Callable[[], T]) -> T:
        fate = self._random.random() / self._rate
        if fate < 0.5:
            self.faults[f"{name} failed"] += 1
            raise Unavailable("the disk is full, it says")
        answer = call()
        if fate < 1:
            self.faults[f"{name} done, and its answer lost"] += 1
            raise Unavailable("the connection broke before the answer came")
        return answer


@contextlib.contextmanager
def serving(url: str, address: str, wrap: Callable[[Store], Store], lease_ttl_s: float = 20.0) -> Iterator[None]:
    """A master on the wrapped store, in a thread of this process."""
    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        with ThreadPoolExecutor(1) as thread, contextlib.closing(Ledger.open(url, holder="faulty")) as ledger:
            writer = Writer(wrap(LedgerStore(ledger)), SessionParameters(ledger.term, lease_ttl_s, 1.0, "test"), thread)
            await _patiently(writer.start)
            with contextlib.closing(Reader(url)) as reader:
                server = Server(writer, reader, ledger.database, "test", ServerOptions())
                await server.start(address)
                started.set()
                tasks = [asyncio.create_task(writer.run()), asyncio.create_task(_look(writer))]
                await stop.wait()
                await server.stop(0.5)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    runner = threading.Thread(target=lambda: asyncio.run(run()))
    runner.start()
    assert started.wait(30)
    try:
        yield
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        runner.join(30)
    assert not runner.is_alive()


async def _patiently(call: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await call()
        except Unavailable:
            continue


async def _look(writer: Writer) -> None:
    while True:
        await asyncio.sleep(writer.look_interval_s)
        with contextlib.suppress(Unavailable):
            await writer.execute(Core.look)
