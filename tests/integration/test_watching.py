"""What many watch is read once, from the journal's begin to its end, and nobody misses anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from rungmaster.master.dispatcher.broadcast import Broadcast
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import JournalUpdate, Reader
from rungmaster.master.services.watching import WATCH_PAGE, JournalPage, Watches
from rungmaster.proto.v1 import experiment_pb2 as pb
from rungmaster.shared.errors import NotFound

from .ledger_rows import created, event, experiment

WATCHERS = 50


class Counting:
    """A reader whose looks are counted."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.looks = 0

    def news(self, experiment_id: int, after_event_id: int, limit: int) -> JournalUpdate:
        self.looks += 1
        return self._reader.news(experiment_id, after_event_id, limit)


async def in_thread(query: Callable[[], JournalPage]) -> JournalPage:
    return await asyncio.to_thread(query)


def journal(ledger: Ledger, events: int) -> None:
    ledger.commit(created())
    more(ledger, events - 1)


def more(ledger: Ledger, events: int) -> None:
    ledger.commit(Changes(new_events=[event("tick", 1) for _ in range(events)]))


def end(ledger: Ledger) -> None:
    ledger.commit(Changes(experiments={1: experiment(state="completed")}))


async def numbers(watches: Watches, after: int = 0) -> list[int]:
    """The numbers of the events that a watch is told, until it is told that the experiment has ended."""
    seen: list[int] = []
    async with aclosing(watches.follow(1, after)) as news:
        async for message in news:
            answer = pb.WatchExperimentResponse.FromString(message)
            seen += [one.event_id for one in answer.events]
            if answer.state == pb.EXPERIMENT_STATE_COMPLETED:
                return seen
    raise AssertionError("the watch ended, and nobody was told that the experiment has")


def test_many_who_watch_share_each_look_at_a_long_journal(ledger: Ledger, reader: Reader) -> None:
    journal(ledger, 4 * WATCH_PAGE + 7)
    end(ledger)

    async def scenario() -> None:
        counting = Counting(reader)
        watches = Watches(counting, in_thread, Broadcast())  # pyright: ignore[reportArgumentType]
        seen = await asyncio.gather(*(numbers(watches) for _ in range(WATCHERS)))
        assert seen == [list(range(1, 4 * WATCH_PAGE + 8))] * WATCHERS
        assert counting.looks < 4 * WATCHERS, "at worst one for each at the end, none for each of the pages before"

    asyncio.run(scenario())


def test_whoever_watches_is_told_what_happens_from_where_it_stands(ledger: Ledger, reader: Reader) -> None:
    journal(ledger, 3)

    async def scenario() -> None:
        broadcast = Broadcast()
        watches = Watches(reader, in_thread, broadcast)
        everything, rest = asyncio.create_task(numbers(watches)), asyncio.create_task(numbers(watches, after=2))
        for _ in range(5):
            await asyncio.to_thread(more, ledger, 2)
            broadcast.unknown()
            await asyncio.sleep(0)
        await asyncio.to_thread(end, ledger)
        broadcast.unknown()
        assert await everything == list(range(1, 14))
        assert await rest == list(range(3, 14))

    asyncio.run(scenario())


def test_nobody_is_told_of_an_experiment_that_there_is_not(ledger: Ledger, reader: Reader) -> None:
    journal(ledger, 1)

    async def scenario() -> None:
        watches = Watches(reader, in_thread, Broadcast())
        with pytest.raises(NotFound):
            await anext(watches.follow(2, 0))

    asyncio.run(scenario())
