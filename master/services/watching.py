"""Follows journals for those who watch: what many ask for is read once, and everything goes out at a bounded rate."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass

from ...proto.v1 import experiment_pb2 as pb
from ...shared.wire import convert
from ...shared.wire.model import ExperimentState
from ..dispatcher.broadcast import Broadcast, Watcher
from ..ledger.read.reader import JournalUpdate, Reader

#: Events in one message of a watch.
WATCH_PAGE = 500
#: Seconds between two looks of a watch at the journal, at least and at most.
WATCH_PACE, WATCH_PATIENCE = 0.1, 2.0
#: A look at the database is followed by a rest of so many times what it took.
REST = 2.0
#: What all watches together are sent in a second: messages and bytes.
MESSAGES, BYTES = 2_000, 32_000_000
#: Bytes of pages that are kept for those who come after.
KEPT = 16 * 1024 * 1024

Read = Callable[[Callable[[], "JournalPage"]], Awaitable["JournalPage"]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an experiment stands."""

    state: ExperimentState
    ending: bool

    @property
    def over(self) -> bool:
        """Whether nothing can follow."""
        return self.state.ended and not self.ending

    def encoded(self) -> bytes:
        """As a part of a message: messages that are joined are one."""
        state = convert.to_number(self.state)
        return pb.WatchExperimentResponse(state=state, ending=self.ending).SerializeToString()


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Entries of a journal that follow each other, as a part of a message; `last` is the number of the last one."""

    encoded: bytes
    count: int
    last: int
    standing: Standing
    read_at: float

    @property
    def size(self) -> int:
        """About how many bytes it takes, what holds it included."""
        return len(self.encoded) + 512

    @property
    def full(self) -> bool:
        """Whether it will never have more."""
        return self.count == WATCH_PAGE


class Watches:
    """The watches of one master. Used from the event loop only."""

    def __init__(self, reader: Reader, read: Read, broadcast: Broadcast) -> None:
        """`read` has a query answered in a thread."""
        self._broadcast = broadcast
        self._shelf = _Shelf(reader, read)
        self._journals: dict[int, _Journal] = {}
        self._pace = _Pace()

    async def follow(self, number: int, after: int) -> AsyncGenerator[bytes, None]:
        """Messages that tell of an experiment from an entry of its journal on, until it has ended. Raises NotFound."""
        told: Standing | None = None
        with self._opened(number) as journal, self._broadcast.watching(number) as watcher:
            while True:
                watcher.forget()
                page = await journal.page(after)
                last = page.standing.over and not page.full
                standing = journal.standing or page.standing
                if standing.over and not last:
                    # Whoever is told that it is over asks for no more, and there are entries to come.
                    standing = told
                if page.count or standing != told:
                    told = standing
                    await self._pace.turn(len(page.encoded))
                    yield page.encoded + (standing.encoded() if standing else b"")
                if last:
                    return
                after = page.last
                if not page.full:
                    await asyncio.sleep(WATCH_PACE)
                    await watcher.wait(WATCH_PATIENCE)

    @contextlib.contextmanager
    def _opened(self, number: int) -> Iterator[_Journal]:
        journal = self._journals.get(number)
        if journal is None:
            journal = self._journals[number] = _Journal(number, self._shelf, self._broadcast)
        journal.watches += 1
        try:
            yield journal
        finally:
            journal.watches -= 1
            if not journal.watches:
                del self._journals[number]
                journal.close()


class _Journal:
    """One experiment's journal, as long as somebody watches it."""

    def __init__(self, number: int, shelf: _Shelf, broadcast: Broadcast) -> None:
        self._number = number
        self._shelf = shelf
        self._stack = contextlib.ExitStack()
        self._news: Watcher = self._stack.enter_context(broadcast.watching(number))
        self._reading: dict[int, asyncio.Task[JournalPage]] = {}
        self._opened_at = time.monotonic()
        self.watches = 0
        #: As it was last seen.
        self.standing: Standing | None = None

    def close(self) -> None:
        """Nobody watches it any more."""
        self._stack.close()
        self._shelf.clear(self._number)

    async def page(self, after: int) -> JournalPage:
        """The entries after one. All who ask for the same at a time get it from one look at the database."""
        kept = self._shelf.kept(self._number, after)
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

    def _holds(self, page: JournalPage) -> bool:
        """Whether a page is as good as one that is read now."""
        recent = max(self._opened_at, time.monotonic() - WATCH_PACE) < page.read_at
        return page.full or (recent and not self._news.told)

    async def _look(self, after: int) -> JournalPage:
        try:
            page = await self._shelf.read(self._number, after, self._news.forget)
            self.standing = page.standing
            return page
        finally:
            del self._reading[after]


class _Shelf:
    """Reads pages, one at a time and with rests between, and keeps those that were read last."""

    def __init__(self, reader: Reader, read: Read) -> None:
        self._reader = reader
        self._read = read
        self._turn = asyncio.Lock()
        self._pages: OrderedDict[tuple[int, int], JournalPage] = OrderedDict()
        self._bytes = 0

    def kept(self, number: int, after: int) -> JournalPage | None:
        """A page that was read before."""
        page = self._pages.get((number, after))
        if page is not None:
            self._pages.move_to_end((number, after))
        return page

    def clear(self, number: int) -> None:
        """Forgets an experiment's pages."""
        for key in [key for key in self._pages if key[0] == number]:
            self._bytes -= self._pages.pop(key).size

    async def read(self, number: int, after: int, begin: Callable[[], None]) -> JournalPage:
        """Looks at the database; `begin` is called just before."""
        await self._turn.acquire()
        began = time.monotonic()
        try:
            begin()
            page = await self._read(lambda: _page(self._reader.news(number, after, WATCH_PAGE), after))
        finally:
            rest = REST * (time.monotonic() - began)
            asyncio.get_running_loop().call_later(rest, self._turn.release)
        self._keep((number, after), page)
        return page

    def _keep(self, key: tuple[int, int], page: JournalPage) -> None:
        before = self._pages.pop(key, None)
        self._pages[key] = page
        self._bytes += page.size - (before.size if before else 0)
        while self._bytes > KEPT:
            self._bytes -= self._pages.popitem(last=False)[1].size


class _Pace:
    """Gives each message its time to go out, one after the other."""

    def __init__(self) -> None:
        self._next_at = 0.0

    async def turn(self, size: int) -> None:
        """Returns when a message of so many bytes may be sent."""
        now = time.monotonic()
        at = max(self._next_at, now)
        self._next_at = at + 1 / MESSAGES + size / BYTES
        if at > now:
            await asyncio.sleep(at - now)


def _page(news: JournalUpdate, after: int) -> JournalPage:
    """In a thread: the event loop only passes it on."""
    events = pb.WatchExperimentResponse(events=map(convert.to_message, news.events)).SerializeToString()
    last = news.events[-1].event_id if news.events else after
    return JournalPage(events, len(news.events), last, Standing(news.state, news.ending), time.monotonic())
