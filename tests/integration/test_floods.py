"""Nobody who floods a master keeps it from the others: limits that are told, and callers that are cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.cluster import Cluster, Process, toy_spec

from rungmaster.client import Client
from rungmaster.master.services.errors import SHARES
from rungmaster.proto.v1 import experiment_pb2, experiment_pb2_grpc
from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.shared.channel import open_async_channel
from rungmaster.shared.limits import MAX_REQUEST_BYTES

from .raw_session import RawSession, raw_session
from .secure_cluster import ADMIN, ALL, VIEWER, SecureCluster

OTHER_VIEWER = ("board", "viewer", "b" * 32)


def endless_spec(folder: Path, trials: int = 1_000) -> str:
    """An experiment whose trials never reach their first target."""
    return toy_spec(folder, searcher={"name": "asha", "max_trials": trials, "max_resource": 2**50, "max_rungs": 1})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Process]]:
    """One master for all: it must survive every test here."""
    folder = tmp_path_factory.mktemp("floods")
    cluster = Cluster(folder, f"sqlite:///{folder / 'ledger.db'}", lease_ttl=60.0)
    master = cluster.master()
    with Client(cluster.address) as client:
        client.submit(endless_spec(folder))
    yield cluster, master
    assert master.popen.poll() is None
    cluster.close()


def large_bundle(session: RawSession, events: int, metrics: int) -> pb.SessionRequest:
    bundle = session.measurements(events)
    for event in bundle:
        event.measurement.metrics.update({f"m{number}": 0.5 for number in range(metrics - 2)})
    return pb.SessionRequest(events=bundle)


def test_whoever_sends_too_much_is_told_the_limit_and_cut_off_and_the_log_names_it(
    running: tuple[Cluster, Process],
) -> None:
    cluster, master = running

    async def scenario() -> None:
        async with raw_session(cluster.address, "quiet") as quiet, raw_session(cluster.address, "loud") as loud:
            for session in (quiet, loud):
                await session.hello()
                await session.take_work()
            await loud.write(large_bundle(loud, 2_000, 100))
            refused = await loud.refusal()
            assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
            assert refused.details.startswith(
                "events: metrics of all together: at most 60,000 in one message, got 200,000"
            )
            await quiet.send(quiet.measurements(1))
            await quiet.acknowledged(1)

    asyncio.run(scenario())
    assert "worker 'loud' at ipv4:127.0.0.1:" in master.wait_for_line("is cut off: events: metrics of all together")


def test_a_bundle_at_its_limits_is_taken_whole(running: tuple[Cluster, Process]) -> None:
    cluster, _ = running

    async def scenario() -> None:
        async with raw_session(cluster.address, "large") as session:
            await session.hello()
            await session.take_work()
            await session.write(large_bundle(session, 2_000, 30))
            await session.acknowledged(2_000)
            await session.write(large_bundle(session, 600, 100))
            await session.acknowledged(2_600)

    asyncio.run(scenario())


def test_nothing_of_a_large_bundle_is_applied_where_its_end_is_wrong(running: tuple[Cluster, Process]) -> None:
    cluster, _ = running

    async def scenario() -> None:
        async with raw_session(cluster.address, "wrong-end") as session:
            await session.hello()
            await session.take_work()
            bundle = large_bundle(session, 2_000, 20)
            bundle.events[1_999].measurement.resource = 0
            await session.write(bundle)
            assert (await session.refusal()).details.startswith("events[1999].measurement.resource")
            async with raw_session(cluster.address, "wrong-end") as again:
                welcome = await again.hello(held=[session.lease])
                assert [known.sequence for known in welcome.acknowledgements] == [0]

    asyncio.run(scenario())


def test_a_request_that_asks_for_something_may_be_only_so_large(running: tuple[Cluster, Process]) -> None:
    cluster, _ = running
    many_states = b"\x0a\x83\x80\x04" + b"\x01" * (MAX_REQUEST_BYTES + 3)
    with grpc.insecure_channel(cluster.address) as channel:
        call: Any = channel.unary_unary("/rungmaster.v1.ExperimentService/ListExperiments")
        with pytest.raises(grpc.RpcError) as refused:
            call(many_states, timeout=60)
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("the request: at most 65,536 bytes, got 65,543")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SecureCluster, Process]]:
    """One master that asks for tokens: limits count by them."""
    cluster = SecureCluster(tmp_path_factory.mktemp("secure"), lease_ttl=60.0)
    cluster.allow(*ALL, OTHER_VIEWER)
    master = cluster.secure_master()
    with Client(cluster.address, credentials=cluster.credentials(ADMIN)) as client:
        client.submit(endless_spec(cluster.folder))
    yield cluster, master
    assert master.popen.poll() is None
    cluster.close()


def test_one_caller_may_have_a_share_of_the_watches_and_others_still_watch(
    secure: tuple[SecureCluster, Process],
) -> None:
    cluster, master = secure
    share = SHARES["watches"]

    async def scenario() -> None:
        async with (
            open_async_channel(cluster.address, cluster.credentials(VIEWER)) as greedy,
            open_async_channel(cluster.address, cluster.credentials(OTHER_VIEWER)) as modest,
        ):
            held = [watch(greedy) for _ in range(share)]
            await asyncio.gather(*(call.read() for call in held))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await watch(greedy).read()
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "more than 200 watches of one caller (wall)" in (refused.value.details() or "")
            assert (await watch(modest).read()).events
            held.pop().cancel()
            await until_served(lambda: watch(greedy))

    asyncio.run(scenario())
    master.wait_for_line("turned away: wall has 200 watches at once")


def watch(channel: grpc.aio.Channel) -> Any:
    """A stream of experiment 1's journal."""
    stub = experiment_pb2_grpc.ExperimentServiceStub(channel)
    return stub.WatchExperiment(experiment_pb2.WatchExperimentRequest(experiment_id=1))


async def until_served(call: Callable[[], Any]) -> None:
    """Returns once such a call is answered; it may be refused before."""
    while True:
        try:
            await call().read()
            return
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
