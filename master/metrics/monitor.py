"""What a master tells at `--metrics-listen`, from its first moment to its last: /metrics, /healthz and /readyz.

It runs in threads of its own. A scrape reads the database as any query does, and asks the event loop for one count of
the workers; however many scrape, that happens at most once a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ...shared.errors import RungmasterError
from ..dispatcher.census import take_census
from ..dispatcher.writer import Writer
from ..ledger.read.queries.overview import Overview
from ..sampling.programs import SamplerPrograms
from .endpoint import Endpoint, HttpAnswer
from .families import Committed, MasterSnapshot, families

log = logging.getLogger(__name__)
T = TypeVar("T")

OPTION = "--metrics-listen"
#: Seconds for which a scrape is good for others as well.
FRESH_S = 1.0
#: Seconds that the database may take to answer, and the event loop to count the workers or to show that it lives.
PATIENCE_S = 5.0


class Source(Protocol):
    """The database in numbers: the reader of the ledger."""

    def last_event_id(self) -> int:
        """The number of the journal's latest entry."""
        ...

    def overview(self, after_event_id: int) -> Overview:
        """The database as it is, with the entries of the journal after the given one."""
        ...


class Certificate(Protocol):
    """What callers are shown."""

    def expires_at(self) -> float | None:
        """The time (Unix) from which on they refuse it; None where that cannot be told."""
        ...


class Readiness(Protocol):
    """Whether calls can be answered now: the gRPC server."""

    ready: bool


@dataclass(frozen=True, slots=True)
class _Serving:
    """What there is to tell of, once a master owns its database."""

    writer: Writer
    source: Source
    server: Readiness
    term: int
    samplers: SamplerPrograms


class Monitor:
    """Answers at one address. Made and told by the master's event loop."""

    def __init__(self, address: str) -> None:
        """`address` as host:port."""
        self._loop = asyncio.get_running_loop()
        self._serving: _Serving | None = None
        #: What this master shows its callers, or will once it serves; None without TLS.
        self.certificate: Certificate | None = None
        self._events: Counter[tuple[str, str]] = Counter()
        self._last_event_id: int | None = None
        self._scraping = asyncio.Lock()
        self._seen, self._seen_at = MasterSnapshot(False), float("-inf")
        #: Reads the database, which may be away: those who ask whether the master lives do not wait for it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scrape")
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_Families(self))
        pages = {"/metrics": self._metrics, "/healthz": self._health, "/readyz": self._readiness}
        self._endpoint = Endpoint(OPTION, address, pages)

    def start(self) -> None:
        """Listens. Raises InvalidInput where the address cannot be listened on."""
        self._endpoint.start()
        log.info("metrics are served on port %d", self._endpoint.port)

    def serves(self, writer: Writer, source: Source, server: Readiness, term: int, samplers: SamplerPrograms) -> None:
        """From now on these are what there is to tell of."""
        self._serving = _Serving(writer, source, server, term, samplers)
        self._thread.submit(self._read, source)

    def stop(self) -> None:
        """Ends at once."""
        self._endpoint.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def latest(self) -> MasterSnapshot:
        """What the last scrape has found."""
        return self._seen

    async def _metrics(self, accept: str) -> HttpAnswer:
        async with self._scraping:
            if time.monotonic() - self._seen_at >= FRESH_S:
                self._seen = await self._look()
                self._seen_at = time.monotonic()
        encode, kind = choose_encoder(accept)
        return HttpAnswer(HTTPStatus.OK, encode(self._registry), kind)

    async def _health(self, _: str) -> HttpAnswer:
        """The event loop of the master answers, be it a standby's."""
        try:
            await asyncio.wait_for(self._asked(_nothing()), PATIENCE_S)
        except TimeoutError:
            return _no(f"the master's event loop has not answered for {PATIENCE_S:.0f} s")
        return HttpAnswer(HTTPStatus.OK, b"alive\n")

    async def _readiness(self, _: str) -> HttpAnswer:
        """Calls are answered here."""
        serving = self._serving
        if serving is None:
            return _no("it does not serve: a standby, or on its way up or down")
        if not serving.server.ready:
            return _no("the database takes no writes")
        return HttpAnswer(HTTPStatus.OK, b"ready\n")

    async def _look(self) -> MasterSnapshot:
        serving = self._serving
        expires_at = None if self.certificate is None else await asyncio.to_thread(self.certificate.expires_at)
        if serving is None:
            return MasterSnapshot(False, certificate_expires_at=expires_at)
        writer, counted = serving.writer, serving.writer.measures
        reading = asyncio.get_running_loop().run_in_executor(self._thread, self._read, serving.source)
        found, census = await asyncio.gather(_in_time(reading), _in_time(self._asked(writer.execute(take_census))))
        return MasterSnapshot(
            serving=True,
            term=serving.term,
            takes_writes=writer.takes_writes,
            queued=writer.waiting,
            committed=Committed(counted.reports, counted.refused_batches, list(counted.batches), counted.total_s),
            census=census,
            overview=found,
            samplers=serving.samplers,
            certificate_expires_at=expires_at,
            events=None if found is None else dict(self._events),
        )

    def _read(self, source: Source) -> Overview | None:
        """In the thread for it. The journal is counted from the first time on."""
        try:
            if self._last_event_id is None:
                self._last_event_id = source.last_event_id()
            found = source.overview(self._last_event_id)
        except RungmasterError as error:
            log.warning("the database did not answer a scrape: %s", error)
            return None
        self._events.update(found.events)
        self._last_event_id = found.last_event_id
        return found

    async def _asked(self, question: Any) -> Any:
        """What the master's event loop answers."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(question, self._loop))


class _Families(Collector):
    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def describe(self) -> list[Any]:
        """Nothing beforehand: what there is to tell depends on what the master is."""
        return []

    def collect(self) -> Any:
        """See prometheus_client."""
        return families(self._monitor.latest)


async def _nothing() -> None:
    return


async def _in_time(answer: Awaitable[T]) -> T | None:
    """None where it does not come within PATIENCE_S, or the master waits for its database."""
    try:
        return await asyncio.wait_for(answer, PATIENCE_S)
    except (TimeoutError, RungmasterError):
        return None


def _no(why: str) -> HttpAnswer:
    return HttpAnswer(HTTPStatus.SERVICE_UNAVAILABLE, f"{why}\n".encode())
