"""The writer: nothing is answered before it is durable, and a failed commit costs the memory and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar

import pytest
from unit.master_harness import Line, make_spec
from unit.master_store import MemoryStore, plain_blueprint

from rungmaster.master.dispatcher import writer as writer_module
from rungmaster.master.dispatcher.broadcast import Broadcast
from rungmaster.master.dispatcher.clock import Now
from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.recovered import RecoveredMemory, SessionParameters
from rungmaster.master.dispatcher.writer import Writer
from rungmaster.master.experiment.changes import ROWS_AT_ONCE, Changes, EventRow, NotWritten, ReportRow
from rungmaster.shared.errors import FailedPrecondition, InternalError, LimitExceeded, MastershipLost, Unavailable
from rungmaster.shared.wire.session import Hello, SessionRequest, WorkRequest

T = TypeVar("T")
NOW = Now(1_000.0, 1.7e9)


class FaultyStore(MemoryStore):
    """Raises before or after the real commit, when told to; can hold commits up."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[tuple[str, Exception]] = []
        self.away = False
        self.commits = 0
        self.recoveries = 0
        self.gate = threading.Event()
        self.gate.set()
        self.committing = threading.Event()

    def commit(self, changes: Changes) -> None:
        self.committing.set()
        assert self.gate.wait(30), "the gate stayed closed"
        when, error = self.faults.pop(0) if self.faults else ("", None)
        if when != "before":
            super().commit(changes)
            self.commits += 1
        if error is not None:
            raise error

    def recover(self) -> RecoveredMemory:
        self.recoveries += 1
        if self.away:
            raise Unavailable("the database is away")
        return super().recover()


def run(scenario: Callable[[Writer, FaultyStore], Awaitable[None]]) -> None:
    """Runs a scenario beside a writer."""

    async def main() -> None:
        store = FaultyStore()
        with ThreadPoolExecutor(1) as thread:
            writer = Writer(store, SessionParameters(1, 30.0, 10.0, "test"), thread, lambda: NOW)
            await writer.start()
            running = asyncio.create_task(writer.run())
            try:
                await asyncio.wait_for(scenario(writer, store), 30)
            finally:
                store.gate.set()
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError, MastershipLost):
                    await running

    asyncio.run(main())


def create(request_id: str = "", **searcher: Any) -> Callable[[Core, Now], int]:
    plan = plain_blueprint(make_spec(searcher))
    return lambda core, _: core.create(plan, request_id)


def fail(core: Core, now: Now) -> NoReturn:
    raise ZeroDivisionError("a bug")


async def insist(writer: Writer, command: Callable[[Core, Now], T]) -> T:
    """Comes again until the master has its database back, as clients do."""
    while True:
        try:
            return await writer.execute(command)
        except Unavailable:
            await asyncio.sleep(0.001)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition; the scenario's deadline bounds it."""
    while not condition():  # noqa: ASYNC110 - the conditions are those of another thread
        await asyncio.sleep(0.001)


def test_a_result_comes_after_its_commit() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        store.gate.clear()
        creation = asyncio.create_task(writer.execute(create()))
        await until(store.committing.is_set)
        assert not creation.done()
        store.gate.set()
        assert await creation == 1
        assert store.experiments[1].state == "active"

    run(scenario)


def test_what_gathers_while_a_batch_commits_is_one_batch() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        store.gate.clear()
        first = asyncio.create_task(writer.execute(create()))
        await until(store.committing.is_set)
        others = [asyncio.create_task(writer.execute(create())) for _ in range(20)]
        await until(lambda: writer.waiting == 20)
        store.gate.set()
        assert await asyncio.gather(first, *others) == list(range(1, 22))
        assert store.commits == 2

    run(scenario)


def test_a_command_that_is_refused_spoils_nothing_for_the_others() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        refused = writer.execute(lambda core, _: core.pause(7))
        results = await asyncio.gather(refused, writer.execute(create()), return_exceptions=True)
        assert isinstance(results[0], FailedPrecondition)
        assert results[1] == 1

    run(scenario)


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_failed_commit_is_unavailable_and_the_memory_is_what_the_database_has(when: str, stored: int) -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        store.faults = [(when, Unavailable("disk full"))]
        with pytest.raises(Unavailable, match="disk full"):
            await writer.execute(create("r"))
        assert len(store.experiments) == stored
        assert await insist(writer, create("r")) == 1
        assert len(store.experiments) == 1

    run(scenario)


def test_asyncio_has_no_complaint_of_a_command_that_fails_while_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What pytest keeps of the log holds the error, and that the command.
    monkeypatch.setattr(writer_module.log, "disabled", True)
    refusals: list[dict[str, Any]] = []

    async def scenario(writer: Writer, store: FaultyStore) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: refusals.append(context))
        store.faults = [("before", Unavailable("disk full"))]
        writer.submit(create("r"))
        await until(lambda: not store.faults)
        assert await insist(writer, create("r")) == 1
        gc.collect()

    run(scenario)
    assert refusals == []


def test_a_failed_commit_ends_every_stream_and_sends_nothing() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        line = Line()
        await writer.execute(lambda core, now: core.connect(Hello("s", "w", 1), line, now))
        await writer.execute(create())
        line.inbox.clear()
        store.faults = [("before", Unavailable("disk full"))]
        request = SessionRequest(work_request=WorkRequest("r", 1))
        with pytest.raises(Unavailable):
            await writer.execute(lambda core, now: core.receive("s", line, request, now))
        await until(lambda: bool(line.closed))
        assert not line.inbox
        assert not store.leases

    run(scenario)


def test_an_assignment_is_sent_once_it_is_stored_and_with_its_hyperparameters() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        line = Line()
        await writer.execute(create())
        await writer.execute(lambda core, now: core.connect(Hello("s", "w", 1), line, now))
        request = SessionRequest(work_request=WorkRequest("r", 1))
        await writer.execute(lambda core, now: core.receive("s", line, request, now))
        await until(lambda: any(bundle.assignments for bundle in line.inbox))
        (assignment,) = line.inbox[-1].assignments
        assert assignment.hparams == {"trial": 0}
        assert len(store.leases) == 1

    run(scenario)


def test_while_the_database_is_away_commands_are_refused_at_once_and_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "RECOVERY_PAUSE_S", 0.001)

    async def scenario(writer: Writer, store: FaultyStore) -> None:
        store.away = True
        store.faults.append(("before", Unavailable("gone")))
        with pytest.raises(Unavailable, match="gone"):
            await writer.execute(create())
        await until(lambda: store.recoveries >= 3)
        with pytest.raises(Unavailable):
            await writer.execute(create())
        store.away = False
        assert await insist(writer, create()) == 1

    run(scenario)


def test_a_bug_in_a_command_costs_its_batch_and_not_the_master() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        with pytest.raises(InternalError, match="a bug"):
            await writer.execute(fail)
        assert await insist(writer, create()) == 1

    run(scenario)


def test_what_may_have_been_written_is_not_applied_again() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        store.faults.append(("after", ValueError("met after the commit")))
        commands = (create("a"), create(), create())
        results = await asyncio.gather(*map(writer.execute, commands), return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable] * 3
        assert await insist(writer, create("a")) == 1
        assert sorted(store.experiments) == [1, 2, 3], "they were written, and once"

    run(scenario)


def test_what_was_certainly_not_written_is_applied_again_one_by_one() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        await writer.execute(lambda core, _: None)
        store.faults.append(("before", NotWritten("it did not fit")))
        store.faults.append(("before", NotWritten("it did not fit")))
        results = await asyncio.gather(
            *(writer.execute(create(request_id)) for request_id in "bc"), return_exceptions=True
        )
        assert results == [1, 2]

    run(scenario)


def test_an_error_that_stays_is_not_met_again_and_again_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RECOVERY_PAUSE_S", 0.2)

    async def scenario(writer: Writer, store: FaultyStore) -> None:
        for _ in range(writer_module.FAILURES_BORNE + 1):
            with pytest.raises(InternalError):
                await writer.execute(fail)
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="waits for its database"):
            await writer.execute(create())
        assert await insist(writer, create()) == 1

    run(scenario)


@pytest.mark.parametrize("where", ["commit", "recovery"])
def test_a_lost_mastership_ends_the_writer(where: str) -> None:
    async def main() -> None:
        store = FaultyStore()
        with ThreadPoolExecutor(1) as thread:
            writer = Writer(store, SessionParameters(1, 30.0, 10.0, "test"), thread, lambda: NOW)
            await writer.start()
            running = asyncio.create_task(writer.run())
            error = MastershipLost("term 1 is over") if where == "commit" else Unavailable("gone")
            store.faults.append(("before", error))
            if where == "recovery":
                store.recover = _lose_mastership
            with pytest.raises(Unavailable):
                await asyncio.wait_for(writer.execute(create()), 30)
            with pytest.raises(MastershipLost):
                await asyncio.wait_for(running, 30)

    asyncio.run(main())


def _lose_mastership() -> NoReturn:
    raise MastershipLost("term 1 is over")


def test_a_full_queue_refuses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT", 3)

    async def scenario(writer: Writer, store: FaultyStore) -> None:
        store.gate.clear()
        first = asyncio.create_task(writer.execute(create()))
        await until(store.committing.is_set)
        others = [asyncio.create_task(writer.execute(create())) for _ in range(3)]
        await until(lambda: writer.waiting == 3)
        with pytest.raises(LimitExceeded):
            await writer.execute(create())
        store.gate.set()
        assert await asyncio.gather(first, *others) == [1, 2, 3, 4]

    run(scenario)


def test_a_sign_of_life_does_not_wait_for_the_database() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        line = Line()
        await writer.execute(lambda core, now: core.connect(Hello("s", "w", 1), line, now))
        session = await writer.execute(lambda core, _: core.sessions["s"])
        store.gate.clear()
        slow = asyncio.create_task(writer.execute(create()))
        session.last_seen = 0.0
        writer.heard("s")
        assert session.last_seen == NOW.monotonic
        store.gate.set()
        await slow

    run(scenario)


def test_a_batch_is_full_by_the_rows_that_change() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        def much(number: int) -> Callable[[Core, Now], None]:
            uris = [f"{number}/{n}" for n in range(ROWS_AT_ONCE // 2)]
            return lambda core, _: core.give_up(uris)

        store.gate.clear()
        first = writer.submit(lambda core, now: None)
        await asyncio.to_thread(store.committing.wait, 30)
        waiting = [writer.submit(much(number)) for number in range(6)]
        store.gate.set()
        await asyncio.gather(first, *waiting)
        assert store.commits == 1 + 3

    run(scenario)


def test_those_who_watch_an_experiment_are_told_of_its_commits_and_of_no_others() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        one, other = await writer.execute(create()), await writer.execute(create())
        with writer.broadcast.watching(one) as first, writer.broadcast.watching(other) as second:
            await writer.execute(lambda core, _: core.pause(one))
            await first.wait(30)
            told = asyncio.create_task(second.wait(30))
            await writer.execute(lambda core, _: core.resume(one))
            assert not told.done()
            await writer.execute(lambda core, _: core.pause(other))
            await told

    run(scenario)


def test_those_who_watch_the_reports_of_an_experiment_are_told_of_its_reports_and_of_no_others() -> None:
    broadcast = Broadcast()
    row = ReportRow(1, 0, 1, 1, 1, {"loss": 0.5}, 0.0)
    with (
        broadcast.watching(1) as journal,
        broadcast.watching_reports(1) as reports,
        broadcast.watching_reports(2) as others,
    ):
        broadcast.committed(Changes(new_reports=[row]))
        assert (journal.told, reports.told, others.told) == (False, True, False)
        reports.forget()
        broadcast.committed(Changes(new_events=[EventRow(1, 0, 0.0, "assigned", {})]))
        assert (journal.told, reports.told, others.told) == (True, False, False)
        broadcast.committed(Changes(endings={1: True}))
        assert (reports.told, others.told) == (True, False)


def test_a_commit_between_a_look_and_the_wait_for_the_next_one_is_not_missed() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        number = await writer.execute(create())
        with writer.broadcast.watching(number) as watcher:
            watcher.forget()
            # Here it looks; then something happens; and only then it waits.
            await writer.execute(lambda core, _: core.pause(number))
            waiting = asyncio.create_task(watcher.wait(3600))
            await asyncio.wait_for(waiting, 10)

    run(scenario)


def test_those_who_watch_look_again_where_nobody_knows_what_was_committed() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        number = await writer.execute(create())
        with writer.broadcast.watching(number) as watcher:
            store.faults = [("after", Unavailable("a test"))]
            with pytest.raises(Unavailable):
                await writer.execute(lambda core, _: core.pause(number))
            await asyncio.wait_for(watcher.wait(3600), 10)

    run(scenario)
