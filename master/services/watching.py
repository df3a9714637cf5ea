"""Follows journals and reports for those who watch: what many ask for is read once, and everything goes out at a
bounded rate."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from ...proto.v1 import experiment_pb2 as pb
from ...shared.net.pace import Pace
from ...shared.wire.convert import to_message, to_number
from ...shared.wire.convert_reports import report_to_message
from ...shared.wire.positions import ReportPosition
from ..dispatcher.broadcast import Broadcast, Watcher
from ..ledger.read.queries.experiments import ExperimentStatus
from ..ledger.read.reader import Reader
from .rests import Look

#: Events or reports in one message of a watch.
WATCH_PAGE = 500
#: Bytes of reports after which a message takes no more.
FULL_MESSAGE = 1024 * 1024
#: Seconds between two looks of a watch at what it follows, at least and at most.
WATCH_PACE_S, WATCH_PATIENCE_S = 0.1, 2.0
#: What all watches together are sent in a second: messages and bytes.
MESSAGES, BYTES = 2_000, 32_000_000
#: Bytes of pages that are kept for those who come after.
KEPT = 16 * 1024 * 1024

P = TypeVar("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StreamPage(Generic[P]):
    """What follows a position, as a part of a message. `last` is the position of the last of it, `full` whether it
    will never have more."""

    encoded: bytes
    count: int
    last: P
    full: bool
    status: ExperimentStatus
    read_at: float

    @property
    def size(self) -> int:
        """About how many bytes it takes, what holds it included."""
        return len(self.encoded) + 512


class Watches:
    """What all watches of one master share: they look at the database one after the other, with rests between, and
    what they are sent goes out at one rate. Used from the event loop only."""

    def __init__(self, read: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        """`read` has a query answered in a thread."""
        self._read = read
        self._turn = asyncio.Lock()
        #: At which all that they are sent goes.
        self.pace = Pace(BYTES, MESSAGES)
        self._pages: OrderedDict[tuple[object, int, object], StreamPage[Any]] = OrderedDict()
        self._bytes = 0

    def kept(self, streams: object, number: int, after: object) -> StreamPage[Any] | None:
        """A page that was read before."""
        page = self._pages.get((streams, number, after))
        if page is not None:
            self._pages.move_to_end((streams, number, after))
        return page

    def clear(self, streams: object, number: int) -> None:
        """Forgets an experiment's pages."""
        for key in [key for key in self._pages if key[:2] == (streams, number)]:
            self._bytes -= self._pages.pop(key).size

    async def look(self, query: Callable[[], T], begin: Callable[[], None] | None = None) -> T:
        """What a query gives, once it is its turn; `begin` is called just before."""
        await self._turn.acquire()
        if begin is not None:
            begin()
        look, loop = Look(), asyncio.get_running_loop()
        reading = asyncio.ensure_future(self._read(lambda: look.run(query)))
        # Whoever asked may be gone before the answer: the turn lasts as long as the look.
        reading.add_done_callback(lambda done: done.cancelled() or done.exception())
        reading.add_done_callback(lambda _: loop.call_later(look.rest_s, self._turn.release))
        return await asyncio.shield(reading)

    async def read(self, streams: Streams[P], number: int, after: P, begin: Callable[[], None]) -> StreamPage[P]:
        """A page of a stream from the database."""
        page = await self.look(lambda: streams.page(number, after), begin)
        self._keep((streams, number, after), page)
        return page

    def _keep(self, key: tuple[object, int, object], page: StreamPage[Any]) -> None:
        before = self._pages.pop(key, None)
        self._pages[key] = page
        self._bytes += page.size - (before.size if before else 0)
        while self._bytes > KEPT:
            self._bytes -= self._pages.popitem(last=False)[1].size


class Streams(ABC, Generic[P]):
    """The streams of one kind, one for each experiment; `P` is a position in one. Used from the event loop only."""

    #: The message that they are made of, with `state` and `ending`.
    message: ClassVar[type[Any]]

    def __init__(self, reader: Reader, broadcast: Broadcast, watches: Watches) -> None:
        self.reader = reader
        self.broadcast = broadcast
        self._watches = watches
        self._open: dict[int, _Stream[P]] = {}

    @abstractmethod
    def page(self, number: int, after: P) -> StreamPage[P]:
        """In a thread: what follows a position. Raises NotFound."""

    @abstractmethod
    def watching(self, number: int) -> AbstractContextManager[Watcher]:
        """Who is told when an experiment's stream has more."""

    async def follow(self, number: int, after: P) -> AsyncGenerator[bytes, None]:
        """Messages that tell of an experiment from a position on, until it has ended. Raises NotFound.

        Messages that are joined are one: the event loop only passes on what a thread has encoded.
        """
        told: ExperimentStatus | None = None
        caught_up = False
        with self._opened(number) as stream, self.watching(number) as watcher:
            while True:
                watcher.forget()
                page = await stream.page(after)
                last = page.status.over and not page.full
                status = stream.status or page.status
                if status.over and not last:
                    # Whoever is told that it is over asks for no more, and there is more to come.
                    status = told
                if page.count or status != told or caught_up == page.full:
                    told, caught_up = status, not page.full
                    await self._watches.pace.keep(len(page.encoded))
                    yield page.encoded + self._encoded(status)
                if last:
                    return
                after = page.last
                if not page.full:
                    await asyncio.sleep(WATCH_PACE_S)
                    await watcher.wait(WATCH_PATIENCE_S)

    def _encoded(self, status: ExperimentStatus | None) -> bytes:
        if status is None:
            return b""
        return self.message(state=to_number(status.state), ending=status.ending).SerializeToString()

    @contextlib.contextmanager
    def _opened(self, number: int) -> Iterator[_Stream[P]]:
        stream = self._open.get(number)
        if stream is None:
            stream = self._open[number] = _Stream(number, self, self._watches)
        stream.watches += 1
        try:
            yield stream
        finally:
            stream.watches -= 1
            if not stream.watches:
                del self._open[number]
                stream.close()


class _Stream(Generic[P]):
    """One experiment's stream, as long as somebody watches it."""

    def __init__(self, number: int, streams: Streams[P], watches: Watches) -> None:
        self._number = number
        self._streams = streams
        self._watches = watches
        self._stack = contextlib.ExitStack()
        self._news: Watcher = self._stack.enter_context(streams.watching(number))
        self._reading: dict[P, asyncio.Task[StreamPage[P]]] = {}
        self._opened_at = time.monotonic()
        self.watches = 0
        #: The experiment's, as it was last seen.
        self.status: ExperimentStatus | None = None

    def close(self) -> None:
        """Nobody watches it any more."""
        self._stack.close()
        self._watches.clear(self._streams, self._number)

    async def page(self, after: P) -> StreamPage[P]:
        """What follows a position. All who ask for the same at a time get it from one look at the database."""
        kept = self._watches.kept(self._streams, self._number, after)
        if kept is not None and self._holds(kept):
            return kept
        if after in self._reading:
            # That look began before this question: what was told since then is not in it.
            page = await asyncio.shield(self._reading[after])
            if self._holds(page):
                return page
        if after not in self._reading:
            self._reading[after] = asyncio.create_task(self._look(after))
            # Everybody who asked may have gone before the answer, and asyncio is not to complain of that.
            self._reading[after].add_done_callback(lambda look: look.cancelled() or look.exception())
        return await asyncio.shield(self._reading[after])

    def _holds(self, page: StreamPage[P]) -> bool:
        """Whether a page is as good as one that is read now."""
        recent = max(self._opened_at, time.monotonic() - WATCH_PACE_S) < page.read_at
        return page.full or (recent and not self._news.told)

    async def _look(self, after: P) -> StreamPage[P]:
        try:
            page = await self._watches.read(self._streams, self._number, after, self._news.forget)
            self.status = page.status
            return page
        finally:
            del self._reading[after]


class Journals(Streams[int]):
    """Journals; a position is the number of an entry."""

    message = pb.WatchExperimentResponse

    def watching(self, number: int) -> AbstractContextManager[Watcher]:
        """Told of entries, and of the experiment's status."""
        return self.broadcast.watching(number)

    def page(self, number: int, after: int) -> StreamPage[int]:
        """In a thread: entries after one. Raises NotFound."""
        events, status = self.reader.news(number, after, WATCH_PAGE)
        encoded = self.message(events=map(to_message, events)).SerializeToString()
        last, full = events[-1].event_id if events else after, len(events) == WATCH_PAGE
        return StreamPage(encoded, len(events), last, full, status, time.monotonic())


class ReportStreams(Streams[ReportPosition]):
    """The reports of all trials of an experiment, in the order in which they were stored."""

    message = pb.WatchReportsResponse

    def watching(self, number: int) -> AbstractContextManager[Watcher]:
        """Told of reports, and of the experiment's status."""
        return self.broadcast.watching_reports(number)

    def page(self, number: int, after: ReportPosition) -> StreamPage[ReportPosition]:
        """In a thread: reports after a position. Raises NotFound."""
        reports, status = self.reader.reported(number, after, WATCH_PAGE)
        answer, size = self.message(), 0
        for report in reports:
            message = report_to_message(report)
            answer.reports.append(message)
            size += message.ByteSize()
            if size > FULL_MESSAGE:
                break
        count = len(answer.reports)
        last = reports[count - 1].position if count else after
        full = count == WATCH_PAGE or size > FULL_MESSAGE
        answer.position, answer.caught_up = str(last), not full
        return StreamPage(answer.SerializeToString(), count, last, full, status, time.monotonic())
