"""Streams break, masters come and go; the training goes on, and nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from pathlib import Path

import grpc.aio
import pytest

from rungmaster.shared.errors import Unavailable
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import (
    Acknowledgement,
    Decision,
    DecisionKind,
    ExitOutcome,
    SessionRequest,
    SessionResponse,
)
from rungmaster.worker.agent import Agent
from rungmaster.worker.link import session
from rungmaster.worker.settings import WorkerSettings

from .scripted_master import ScriptedMaster, assignment, stop
from .worker_harness import COUNTING, DEADLINE, scene, until, write_training

#: Reports as fast as it can, and leaves a file beside itself for each.
BUSY = """
    import time
    from pathlib import Path
    def train(trial):
        for step in trial.steps():
            trial.report(loss=1.0)
            Path("reported").write_text(str(step + 1))
            time.sleep(0.002)
"""


def reported(directory: Path) -> int:
    """How far the training code of BUSY has come."""
    path = directory / "reported"
    return int(path.read_text() or 0) if path.exists() else 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_after_broken_streams_every_report_is_there_once_and_in_order(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, BUSY) as it:
            record = it.master.give(assignment(target=10**6))
            for streams in (1, 2, 3, 4):
                known = len(record.events)
                await until(lambda known=known: len(record.events) > known + 10)
                it.master.hang_up()
                await until(lambda streams=streams: len(it.master.hellos) > streams)
            it.master.tell(SessionResponse(decisions=(stop(record.assignment.lease, 0),)))
            await until(lambda: record.exit)
            assert record.resources == list(range(1, len(record.resources) + 1))
            assert {hello.session_id for hello in it.master.hellos} == {it.master.hellos[0].session_id}
            assert it.master.hellos[1].held == (record.assignment.lease,)

    asyncio.run(story())


def test_while_the_master_is_away_the_training_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, BUSY) as it:
            record = it.master.give(assignment(target=400))
            await until(lambda: len(record.events) >= 10)
            it.master.stop()
            known = len(record.events)
            await until(lambda: reported(tmp_path) >= known + 50)
            assert len(record.events) == known
            it.master.start(it.master.port)
            await until(lambda: record.exit)
            assert record.resources == list(range(1, 401))

    asyncio.run(story())


def test_what_the_master_applied_but_could_not_acknowledge_is_not_applied_twice(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, BUSY, master=ScriptedMaster(heartbeat=60)) as it:
            record = it.master.give(assignment(target=50))
            await until(lambda: it.agent.outbox.held)
            it.master.silent = True
            await until(lambda: len(record.events) >= 50)
            it.master.silent = False
            it.master.hang_up()
            await until(lambda: record.exit)
            assert record.resources == list(range(1, 51))
            assert it.master.repeated == [], "the acknowledgement after the hello tells where to go on from"

    asyncio.run(story())


def test_what_a_master_dropped_is_sent_again_on_the_same_stream(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, BUSY, master=ScriptedMaster(heartbeat=0.05)) as it:
            record = it.master.give(assignment(target=30))
            await until(lambda: len(record.events) >= 5)
            it.master.deaf = True
            await until(lambda: reported(tmp_path) >= 25)
            it.master.deaf = False
            await until(lambda: record.exit)
            assert record.resources == list(range(1, 31))
            assert len(it.master.hellos) == 1

    asyncio.run(story())


def test_reports_wait_when_too_many_are_not_acknowledged(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, BUSY, buffer=20, spill=0) as it:
            record = it.master.give(assignment(target=100))
            await until(lambda: it.agent.outbox.held)
            it.master.deaf = True
            await until(lambda: reported(tmp_path) - len(record.events) == 20)
            beats = len(it.master.received)
            await until(lambda: len(it.master.received) > beats + 3)
            assert reported(tmp_path) - len(record.events) == 20
            it.master.deaf = False
            it.master.hang_up()
            await until(lambda: record.exit)
            assert record.resources == list(range(1, 101))

    asyncio.run(story())


def spilled(temporary: Path) -> list[Path]:
    return list(temporary.glob("*/spill-*"))


def test_what_does_not_fit_into_memory_goes_to_disk_and_arrives_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(temporary: Path) -> None:
        async with scene(tmp_path, BUSY, buffer=20) as it:
            record = it.master.give(assignment(target=2_000))
            await until(lambda: it.agent.outbox.held)
            it.master.deaf = True
            await until(lambda: reported(tmp_path) >= 1_900, "the training to go on without a master")
            assert len(spilled(temporary)) == 1
            it.master.deaf = False
            it.master.hang_up()
            await until(lambda: record.exit)
            assert record.resources == list(range(1, 2_001)), "each once, in order"
            assert it.master.repeated == []
            await until(lambda: not it.agent.outbox.held)
            assert spilled(temporary) == [], "the file goes with the lease"

    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:
        monkeypatch.setattr(tempfile, "tempdir", temporary)
        asyncio.run(story(Path(temporary)))


def test_a_decision_that_comes_again_changes_nothing(tmp_path: Path) -> None:
    def go_on_twice(lease: LeaseRef, resource: int) -> Decision:
        return Decision(lease, 0, DecisionKind.CONTINUE, resource + 2) if resource < 5 else stop(lease, resource)

    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=go_on_twice)) as it:
            record = it.master.give(assignment(target=1))
            await until(lambda: record.decision)
            assert record.decision is not None
            for _ in range(3):
                it.master.tell(SessionResponse(decisions=(record.decision,)))
            await until(lambda: record.exit)
            assert record.resources == [1, 2, 3, 4, 5]

    asyncio.run(story())


def test_a_lost_answer_to_a_work_request_is_given_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, slots=2) as it:
            await until(lambda: any(request.work_request for request in it.master.received))
            (asked,) = [request.work_request for request in it.master.received if request.work_request]
            it.master.hang_up()
            await until(lambda: len(it.master.hellos) == 2)
            await until(lambda: it.master.received[-1].work_request)
            assert it.master.received[-1].work_request == asked
            first = it.master.give(assignment(trial_id=1, target=1))
            await until(lambda: first.exit)
            later = [r.work_request for r in it.master.received if r.work_request and r.work_request != asked]
            assert asked is not None
            assert all(wish.request_id != asked.request_id for wish in later)

    asyncio.run(story())


def test_a_replaced_master_is_left_for_the_next_address(tmp_path: Path) -> None:
    write_training(tmp_path, COUNTING)

    async def story() -> None:
        replaced, current = ScriptedMaster(term=3), ScriptedMaster(term=4)
        replaced.start()
        current.start()
        settings = WorkerSettings((current.address, replaced.address), tmp_path, tmp_path / "logs")
        agent = Agent(settings)
        running = asyncio.create_task(agent.run())
        await until(lambda: current.hellos)
        current.hang_up()
        await until(lambda: len(current.hellos) == 2)
        assert len(replaced.hellos) == 1
        assert len(replaced.received) == 1, "a master of an older term is told nothing but hello"
        agent.drain()
        assert await asyncio.wait_for(running, DEADLINE) == 0
        replaced.stop()
        current.stop()

    asyncio.run(story())


def test_a_master_whose_database_was_begun_anew_is_served_and_told_nothing_of_the_former(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(term=5), slots=1) as it:
            # It waits at its target, which it is never told that it may pass.
            it.master.decide = lambda lease, resource: None
            before = it.master.give(assignment(trial_id=7, target=1))
            await until(lambda: before.resources)
            it.master.stop()
            anew = ScriptedMaster(term=1, database_id="second")
            # The same numbers come again, and mean something else.
            record = anew.give(assignment(trial_id=7, target=3))
            anew.start(it.master.port)
            await until(lambda: record.exit)
            assert record.resources == [1, 2, 3]
            assert [hello.held for hello in anew.hellos] == [(before.assignment.lease,), ()]
            assert await it.drained() == 0
            anew.stop()

    asyncio.run(story())
    (line,) = [line for line in caplog.messages if "its database (second) is another one" in line]
    assert "than that of the masters before (first)" in line


def test_a_master_that_was_never_reached_is_given_up_with_a_hint(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = WorkerSettings((address,), tmp_path, tmp_path / "logs", connect_timeout_s=0.3)
    with pytest.raises(Unavailable, match=f"no master could be reached at {address}: UNAVAILABLE.*check the address"):
        asyncio.run(asyncio.wait_for(Agent(settings).run(), DEADLINE))


def test_a_server_that_is_no_master_is_given_up_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        server = grpc.aio.server()
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        settings = WorkerSettings((f"127.0.0.1:{port}",), tmp_path, tmp_path / "logs")
        with pytest.raises(Unavailable, match="UNIMPLEMENTED"):
            await asyncio.wait_for(Agent(settings).run(), DEADLINE)
        await server.stop(None)

    asyncio.run(story())


def test_a_master_that_does_not_answer_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "WELCOME_TIMEOUT_S", 0.2)

    async def story() -> None:
        deaf = ScriptedMaster()
        deaf.deaf = True
        deaf.start()
        settings = WorkerSettings((deaf.address,), tmp_path, tmp_path / "logs", connect_timeout_s=0.1)
        with pytest.raises(Unavailable, match="no welcome from the master within"):
            await asyncio.wait_for(Agent(settings).run(), DEADLINE)
        deaf.stop()

    asyncio.run(story())


def test_an_idle_worker_shows_signs_of_life(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(heartbeat=0.05)) as it:
            await until(lambda: it.master.received.count(SessionRequest()) >= 5)

    asyncio.run(story())


def test_a_drained_worker_gives_back_what_it_saved(tmp_path: Path) -> None:
    code = BUSY.replace("trial.steps()", "trial.steps(lambda f: (f / 'x').touch(), lambda f: None)")

    async def story() -> None:
        async with scene(tmp_path, code, slots=2) as it:
            records = [it.master.give(assignment(trial_id=trial, target=10**6)) for trial in (1, 2)]
            await until(lambda: all(len(record.events) > 3 for record in records))
            assert await it.drained() == 0
            assert it.master.draining
            for record in records:
                assert record.exit is not None
                assert record.exit.outcome is ExitOutcome.GIVEN_BACK
                assert [saved.resource for saved in record.saved] == record.resources[-1:]

    asyncio.run(story())


def test_a_worker_drains_even_where_its_trial_waits_for_a_decision(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, master=ScriptedMaster(decide=lambda lease, resource: None)) as it:
            record = it.master.give(assignment(target=2))
            await until(lambda: record.resources == [1, 2])
            assert await it.drained() == 0
            assert [saved.resource for saved in record.saved] == [2]

    asyncio.run(story())


def test_a_trial_that_cannot_be_saved_in_time_goes_back_as_it_was(tmp_path: Path) -> None:
    code = """
        import time
        def train(trial):
            for step in trial.steps():
                trial.report(loss=1.0)
                time.sleep(600)
    """

    async def story() -> None:
        async with scene(tmp_path, code, grace_s=0.2) as it:
            record = it.master.give(assignment(target=9))
            await until(lambda: record.resources)
            assert await it.drained() == 0
            assert record.exit is not None
            assert record.exit.outcome is ExitOutcome.GIVEN_BACK
            assert record.saved == []

    asyncio.run(story())


def test_an_acknowledgement_of_something_unknown_is_of_no_importance(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path) as it:
            await until(lambda: it.master.hellos)
            it.master.tell(SessionResponse(acknowledgements=(Acknowledgement(LeaseRef(9, 9, 9), 5),)))
            record = it.master.give(assignment())
            await until(lambda: record.exit)

    asyncio.run(story())
