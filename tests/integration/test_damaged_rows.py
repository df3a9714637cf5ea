"""Values that a hand or a disk has damaged are the trouble of their own experiment: the master starts, and serves."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from unit.master_harness import Line, make_spec

from rungmaster.master.dispatcher.recovered import SessionParameters
from rungmaster.master.dispatcher.setup import set_up
from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.dispatcher.writer import Writer
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import Unavailable
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import Hello, LeaseEvent, Measurement, SessionRequest, WorkRequest


async def until_held(line: Line, leases: int) -> list[LeaseRef]:
    """The leases of the assignments that came, once so many have."""
    while True:
        held = [assignment.lease for response in line.inbox for assignment in response.assignments]
        if len(held) >= leases:
            return held
        await asyncio.sleep(0.01)


async def serve(ledger: Ledger, thread: ThreadPoolExecutor, *, begin: bool) -> dict[int, tuple[str, str]]:
    """One life of a master, in which a worker asks for two trials; states of the experiments at its end."""
    parameters = SessionParameters(ledger.term, 30.0, 10.0, "test", ledger.database_id)
    writer = Writer(LedgerStore(ledger), parameters, thread)
    await writer.start()
    running = asyncio.create_task(writer.run())
    line, name = Line(), str(begin)
    for _ in range(2 * begin):
        plan = set_up(make_spec())
        await writer.execute(lambda core, _, plan=plan: core.create(plan, ""))
    await writer.execute(lambda core, now: core.connect(Hello(name, name, 2), line, now))
    held: list[LeaseRef] = []
    for i in range(2):
        asked = SessionRequest(work_request=WorkRequest(f"{name}{i}", 1))
        await writer.execute(lambda core, now, asked=asked: core.receive(name, line, asked, now))
        held = await until_held(line, i + 1)
    events = tuple(LeaseEvent(lease, 1, Measurement(1, {"error": 0.5})) for lease in held)
    await writer.execute(lambda core, now: core.receive(name, line, SessionRequest(events=events), now))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return await asyncio.get_running_loop().run_in_executor(thread, states, ledger)


async def cancel(ledger: Ledger, thread: ThreadPoolExecutor, experiment_id: int) -> None:
    """The life of a master in which a person cancels what was paused, and with it go its trials."""
    parameters = SessionParameters(ledger.term, 30.0, 10.0, "test", ledger.database_id)
    writer = Writer(LedgerStore(ledger), parameters, thread)
    await writer.start()
    running = asyncio.create_task(writer.run())
    while True:
        try:
            await writer.execute(lambda core, _: core.cancel(experiment_id))
            break
        except Unavailable:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.get_running_loop().run_in_executor(thread, ledger.close)


def states(ledger: Ledger) -> dict[int, tuple[str, str]]:
    """By experiment, where it stands and why; closes the ledger."""
    rows = [records.row for records in ledger.load().experiments]
    ledger.close()
    return {row.experiment_id: (row.state, row.state_reason) for row in rows}


@pytest.mark.parametrize(
    ("damage", "state", "reason"),
    [
        ("UPDATE experiments SET spec = '{bro' WHERE experiment_id = 1", "paused", "refuses its spec"),
        ("UPDATE experiments SET spec = '[7]' WHERE experiment_id = 1", "paused", "refuses its spec"),
        ("UPDATE reports SET metrics = '{bro' WHERE experiment_id = 1", "paused", "cannot be read"),
        ("UPDATE leases SET last_sequence = 'x' WHERE experiment_id = 1", "paused", "cannot be read"),
        ("UPDATE experiments SET counts = '{bro' WHERE experiment_id = 1", "active", ""),
    ],
)
def test_a_damaged_value_of_one_experiment_keeps_no_master_from_starting(
    damage: str, state: str, reason: str, tmp_path: Path
) -> None:
    database = tmp_path / "search.db"
    with ThreadPoolExecutor(1) as thread:
        asyncio.run(serve(thread.submit(Ledger.open, str(database), holder="first").result(), thread, begin=True))
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(damage)
        second = thread.submit(Ledger.open, str(database), holder="second").result()
        found = asyncio.run(asyncio.wait_for(serve(second, thread, begin=False), 30))
    assert found[2] == ("active", "")
    assert found[1][0] == state
    assert reason in found[1][1]


@pytest.mark.parametrize("spec", ["{bro", "[7]", '{"metric": 7}', '{"metric": {"name": "error", "goal": "minimise"}}'])
def test_an_experiment_whose_spec_cannot_be_read_is_cancelled_with_its_trials_and_leases(
    spec: str, tmp_path: Path
) -> None:
    database = tmp_path / "search.db"
    with ThreadPoolExecutor(1) as thread:
        asyncio.run(serve(thread.submit(Ledger.open, str(database), holder="first").result(), thread, begin=True))
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE experiments SET spec = ? WHERE experiment_id = 1", [spec])
        second = thread.submit(Ledger.open, str(database), holder="second").result()
        asyncio.run(asyncio.wait_for(cancel(second, thread, 1), 30))
    with closing(sqlite3.connect(database)) as connection:
        asked = "SELECT state, end_time IS NULL FROM {} WHERE experiment_id = 1"
        assert {*connection.execute(asked.format("experiments"))} == {("cancelled", 0)}
        assert {*connection.execute(asked.format("trials"))} == {("cancelled", 0)}
        assert {*connection.execute("SELECT outcome FROM leases WHERE experiment_id = 1")} == {("cancelled",)}
    (violation,) = check_database(str(database)).violations
    assert violation.startswith("experiment 1: its spec is refused: ")
