"""What many watch is read once, from the journal's begin to its end, and nobody misses anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import pytest

from rungmaster.master.dispatcher.broadcast import Broadcast
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.queries.experiments import ExperimentStatus
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.services.watching import FULL_MESSAGE, WATCH_PAGE, Journals, ReportStreams, StreamPage, Watches
from rungmaster.proto.v1 import experiment_pb2 as pb
from rungmaster.shared.errors import NotFound
from rungmaster.shared.wire.model import Event, Report
from rungmaster.shared.wire.positions import ReportPosition

from .ledger_rows import created, event, experiment, report

WATCHERS = 50


class Counting:
    """A reader whose looks are counted."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.looks = 0

    def news(self, experiment_id: int, after_event_id: int, limit: int) -> tuple[list[Event], ExperimentStatus]:
        self.looks += 1
        return self._reader.news(experiment_id, after_event_id, limit)

    def reported(self, experiment_id: int, after: ReportPosition, limit: int) -> tuple[list[Report], ExperimentStatus]:
        self.looks += 1
        return self._reader.reported(experiment_id, after, limit)


async def in_thread(query: Callable[[], StreamPage[Any]]) -> StreamPage[Any]:
    return await asyncio.to_thread(query)


def journals(reader: Reader | Counting, broadcast: Broadcast | None = None) -> Journals:
    return Journals(reader, broadcast or Broadcast(), Watches(in_thread))  # pyright: ignore[reportArgumentType]


def report_streams(reader: Reader | Counting, broadcast: Broadcast | None = None) -> ReportStreams:
    return ReportStreams(reader, broadcast or Broadcast(), Watches(in_thread))  # pyright: ignore[reportArgumentType]


def journal(ledger: Ledger, events: int) -> None:
    ledger.commit(created())
    more(ledger, events - 1)


def more(ledger: Ledger, events: int) -> None:
    ledger.commit(Changes(new_events=[event("tick", 1) for _ in range(events)]))


def end(ledger: Ledger) -> None:
    ledger.commit(Changes(experiments={1: experiment(state="completed")}))


async def numbers(watches: Journals, after: int = 0) -> list[int]:
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
        watches = journals(counting)
        seen = await asyncio.gather(*(numbers(watches) for _ in range(WATCHERS)))
        assert seen == [list(range(1, 4 * WATCH_PAGE + 8))] * WATCHERS
        assert counting.looks < 4 * WATCHERS, "at worst one for each at the end, none for each of the pages before"

    asyncio.run(scenario())


def test_whoever_watches_is_told_what_happens_from_where_it_stands(ledger: Ledger, reader: Reader) -> None:
    journal(ledger, 3)

    async def scenario() -> None:
        broadcast = Broadcast()
        watches = journals(reader, broadcast)
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
        with pytest.raises(NotFound):
            await anext(journals(reader).follow(2, 0))
        with pytest.raises(NotFound):
            await anext(report_streams(reader).follow(2, ReportPosition()))

    asyncio.run(scenario())


async def messages(
    streams: ReportStreams, after: str = "", experiment_id: int = 1
) -> AsyncGenerator[pb.WatchReportsResponse, None]:
    """What a watch of reports is told, until it is told that the experiment has ended."""
    async with aclosing(streams.follow(experiment_id, ReportPosition.parse(after))) as news:
        async for message in news:
            answer = pb.WatchReportsResponse.FromString(message)
            yield answer
            if answer.state == pb.EXPERIMENT_STATE_COMPLETED:
                return
    raise AssertionError("the watch ended, and nobody was told that the experiment has")


async def reported(streams: ReportStreams, after: str = "") -> list[tuple[int, int]]:
    """Trial and sequence number of the reports that a watch is told."""
    answers = [answer async for answer in messages(streams, after)]
    assert [answer.caught_up for answer in answers][-1], "at the end nothing is missing"
    return [(one.trial_id, one.sequence) for answer in answers for one in answer.reports]


def test_many_who_watch_reports_share_each_look_at_them(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    expected = []
    for first in range(1, 4 * WATCH_PAGE, 400):
        rows = [report(trial, n) for n in range(first, first + 200) for trial in (1, 0)]
        ledger.commit(Changes(new_reports=rows))
        expected += sorted((row.trial_id, row.sequence) for row in rows)
    end(ledger)

    async def scenario() -> None:
        counting = Counting(reader)
        streams = report_streams(counting)
        assert await asyncio.gather(*(reported(streams) for _ in range(WATCHERS))) == [expected] * WATCHERS
        assert counting.looks < 4 * WATCHERS

    asyncio.run(scenario())


def test_whoever_watches_reports_is_told_of_each_from_where_it_stands(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    ledger.commit(Changes(new_reports=[report(0, 1), report(1, 1)]))
    first = reader.reported(1, ReportPosition(), 1)[0][0]

    async def scenario() -> None:
        broadcast = Broadcast()
        streams = report_streams(reader, broadcast)
        everything = asyncio.create_task(reported(streams))
        rest = asyncio.create_task(reported(streams, str(first.position)))
        for n in range(2, 5):
            changes = Changes(new_reports=[report(1, n), report(0, n)])
            await asyncio.to_thread(ledger.commit, changes)
            broadcast.committed(changes)
            await asyncio.sleep(0)
        ending = Changes(experiments={1: experiment(state="completed")})
        await asyncio.to_thread(ledger.commit, ending)
        broadcast.committed(ending)
        expected = [(trial, n) for n in range(1, 5) for trial in (0, 1)]
        assert await everything == expected
        assert await rest == expected[1:]

    asyncio.run(scenario())


def test_who_has_seen_all_that_there_is_is_told_so(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())

    async def scenario() -> None:
        broadcast = Broadcast()
        async with aclosing(messages(report_streams(reader, broadcast))) as answers:
            first = await anext(answers)
            assert (list(first.reports), first.caught_up, first.state) == ([], True, pb.EXPERIMENT_STATE_ACTIVE)
            rows = [report(0, n) for n in range(1, WATCH_PAGE + 1)]
            await asyncio.to_thread(ledger.commit, Changes(new_reports=rows))
            broadcast.unknown()
            second, third = await anext(answers), await anext(answers)
            assert (len(second.reports), second.caught_up) == (WATCH_PAGE, False)
            assert (len(third.reports), third.caught_up, third.position) == (0, True, second.position)

    asyncio.run(scenario())


def test_messages_of_large_reports_stay_small(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    metrics = {f"{n:0100}": 0.5 for n in range(100)}
    ledger.commit(Changes(new_reports=[report(0, n, metrics=metrics) for n in range(1, 301)]))
    end(ledger)

    async def scenario() -> None:
        answers = [answer async for answer in messages(report_streams(reader))]
        assert max(answer.ByteSize() for answer in answers) < 1.1 * FULL_MESSAGE
        assert [one.sequence for answer in answers for one in answer.reports] == list(range(1, 301))

    asyncio.run(scenario())


def test_who_reads_slowly_delays_nobody(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    ledger.commit(Changes(new_reports=[report(0, n) for n in range(1, 3 * WATCH_PAGE)]))
    end(ledger)

    async def scenario() -> None:
        streams = report_streams(reader)
        async with aclosing(messages(streams)) as slow:
            begin = await anext(slow)
            assert len(await reported(streams)) == 3 * WATCH_PAGE - 1
            rest = [one.sequence async for answer in slow for one in answer.reports]
            assert [one.sequence for one in begin.reports] + rest == list(range(1, 3 * WATCH_PAGE))

    asyncio.run(scenario())
