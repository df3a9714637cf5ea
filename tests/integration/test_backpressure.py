"""Too much at once: a flood of reports, a worker that does not read, hundreds of workers that come back together."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from e2e.cluster import Cluster, Process, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.shared.wire.model import LeaseRef, WorkerState
from rungmaster.shared.wire.session import Hello, LeaseLost, Measurement, SessionResponse
from rungmaster.worker.link.outbox import Outbox
from rungmaster.worker.link.uplink import Uplink

from .raw_session import RawSession, Refused, raw_session

LEASE_TTL = 5.0
FLOOD_SECONDS = 8.0
#: Bytes that a master may grow by between the first half of a flood and its end: caches fill, nothing piles up.
GROWTH = 64 * 1024 * 1024
HERD = 300
#: Keeps what gRPC itself takes in for who does not read at 64 KiB; it would let that grow to many times as much.
NARROW = (("grpc.http2.bdp_probe", 0),)


@pytest.fixture
def cluster(tmp_path: Path, sqlite_url: str) -> Iterator[Cluster]:
    running = Cluster(tmp_path, sqlite_url, lease_ttl_s=LEASE_TTL)
    yield running
    running.close()


def start(cluster: Cluster, trials: int) -> Process:
    """A master with an experiment whose trials never reach their first target."""
    master = cluster.master()
    searcher = {"name": "asha", "max_trials": trials, "max_resource": 2**50, "max_rungs": 1}
    with Client(cluster.address) as client:
        client.submit(toy_spec(cluster.folder, searcher=searcher))
    return master


class Flood:
    """One worker that reports as fast as its master takes it, from a thread of its own."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.acknowledged = 0
        self.lost = False

    def __enter__(self) -> Flood:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _run(self) -> None:
        async with raw_session(self._address, "flood") as session:
            await session.hello()
            await session.take_work()
            reading = asyncio.create_task(self._read(session))
            while not self._over.is_set():
                await session.send(session.measurements(1_000))
            reading.cancel()
            await asyncio.wait((reading,))

    async def _read(self, session: RawSession) -> None:
        while True:
            answer = await session.read()
            self.lost = self.lost or bool(answer.lost_leases)
            for known in answer.acknowledgements:
                self.acknowledged = known.sequence


def test_a_flood_from_one_worker_starves_no_other_and_fills_no_memory(cluster: Cluster) -> None:
    master = psutil.Process(start(cluster, trials=2).popen.pid)
    waits: list[float] = []
    sizes: list[int] = []

    async def quiet() -> None:
        async with raw_session(cluster.address, "quiet") as session:
            await session.hello()
            await session.take_work()
            wait_for("the flood to begin", lambda: flood.acknowledged > 0)
            until = time.monotonic() + FLOOD_SECONDS
            while time.monotonic() < until:
                began = time.monotonic()
                await session.send(session.measurements(1))
                await session.acknowledged(session.sequence)
                waits.append(time.monotonic() - began)
                sizes.append(master.memory_info().rss)
                await asyncio.sleep(0.05)

    with Flood(cluster.address) as flood:
        asyncio.run(quiet())
    assert flood.acknowledged >= 10_000, "a flood it must have been"
    assert not flood.lost
    assert max(waits) < LEASE_TTL, "the quiet worker's reports are durable well within a lease"
    half = len(sizes) // 2
    assert half >= 2
    assert max(sizes) - max(sizes[:half]) < GROWTH


def test_heartbeats_keep_a_lease_while_another_worker_floods(cluster: Cluster) -> None:
    start(cluster, trials=2)

    async def beating() -> None:
        async with raw_session(cluster.address, "beating") as session:
            await session.hello()
            await session.take_work()
            until = time.monotonic() + 1.5 * LEASE_TTL
            while time.monotonic() < until:
                await session.write(pb.SessionRequest())
                await asyncio.sleep(LEASE_TTL / 5)
            await session.send(session.measurements(1))
            await session.acknowledged(1)

    with Flood(cluster.address):
        asyncio.run(beating())


def test_a_worker_that_does_not_read_is_cut_off_and_the_others_go_on(cluster: Cluster) -> None:
    start(cluster, trials=2)

    async def deaf(session: RawSession) -> None:
        """Asks for large answers, one after the other, and reads none."""
        nobodys = [pb.LeaseRef(experiment_id=1, trial_id=n, token=1) for n in range(20_000)]
        hello = pb.Hello(session_id="deaf", worker="deaf", slots=1, held=nobodys)
        await session.write(pb.SessionRequest(hello=hello))
        event = pb.LeaseEvent(lease=nobodys[0], sequence=1, measurement=pb.Measurement(resource=1))
        with contextlib.suppress(Refused, grpc.aio.AioRpcError):
            while connected():
                for _ in range(100):
                    await session.send([event])

    def connected() -> bool:
        with Client(cluster.address) as client:
            states = [worker.state for worker in client.workers() if worker.worker == "deaf"]
        return states != [WorkerState.DISCONNECTED]

    async def scenario() -> None:
        async with raw_session(cluster.address, "deaf", *NARROW) as session:
            await asyncio.wait_for(deaf(session), 60)
            refused = await session.refusal()
            assert refused.code is grpc.StatusCode.UNAVAILABLE
            assert "does not read" in refused.details
        async with raw_session(cluster.address, "reading") as session:
            await session.hello()
            await session.take_work()

    asyncio.run(scenario())


class Member:
    """One of the herd: a worker's own outbox and way to its master, with a trial that only reports."""

    finished = False

    def __init__(self, number: int) -> None:
        self.outbox = Outbox(lambda: uuid.uuid4().hex, 100)
        self.outbox.set_free_slots(1)
        self.wake = asyncio.Event()
        self.welcomes = 0
        self.lost: list[LeaseLost] = []
        self.leases: list[LeaseRef] = []
        self.reported = self.acknowledged = 0
        self._name = f"member-{number}"

    def hello(self) -> Hello:
        """Who it is."""
        return Hello(self._name, self._name, 1, held=self.outbox.held)

    def received(self, response: SessionResponse) -> None:
        """Takes in what its master says."""
        self.welcomes += response.welcome is not None
        self.lost += response.lost_leases
        for assignment in response.assignments:
            self.outbox.open(assignment.lease, assignment.request_id)
            self.leases.append(assignment.lease)
            self.outbox.set_free_slots(0)
            self.report()
        for known in response.acknowledgements:
            self.outbox.acknowledge(known.lease, known.sequence)
            self.acknowledged = known.sequence

    async def abandon(self, reason: str) -> None:
        """No master here has another database."""
        raise AssertionError(reason)

    def report(self) -> None:
        """The next report under its lease."""
        self.reported += 1
        self.outbox.record(self.leases[-1], Measurement(self.reported, {"error": 0.5}))
        self.wake.set()


def test_hundreds_of_workers_come_back_to_a_restarted_master_and_none_loses_its_lease(cluster: Cluster) -> None:
    cluster.lease_ttl_s = 20.0
    master = start(cluster, trials=HERD)

    async def scenario() -> None:
        herd = [Member(number) for number in range(HERD)]
        leaving = asyncio.Event()
        links = [asyncio.create_task(Uplink([cluster.address], 30).stay_connected(one, leaving)) for one in herd]
        try:
            await until("all have work", lambda: all(len(one.leases) == 1 for one in herd))
            master.kill()
            for one in herd:
                one.report()
            await asyncio.sleep(1.0)
            await asyncio.to_thread(cluster.master)
            await until("all are back", lambda: all(one.welcomes == 2 for one in herd))
            await until("all reports are durable", lambda: all(one.acknowledged == 2 for one in herd))
            assert not [lost for one in herd for lost in one.lost]
            assert all(len(one.leases) == 1 for one in herd)
        finally:
            for link in links:
                link.cancel()
            await asyncio.gather(*links, return_exceptions=True)

    asyncio.run(scenario())
    with Client(cluster.address) as client:
        assert sum(trial.resource for trial in client.trials(1)) == 2 * HERD


async def until(what: str, condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Returns once the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        await asyncio.sleep(0.05)
