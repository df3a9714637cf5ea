"""Nobody who floods a master keeps it from the others: limits that are told, and callers that are cut off."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest
from attack.http2 import RawConnection
from e2e.cluster import Cluster, Process, free_port, toy_spec, wait_for
from grpc_health.v1 import health_pb2

from rungmaster.client import Client
from rungmaster.master.services.errors import SHARES
from rungmaster.proto.v1 import experiment_pb2, experiment_pb2_grpc
from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.shared.limits import MAX_REQUEST_BYTES
from rungmaster.shared.net.channel import open_async_channel

from .raw_session import RawSession, raw_session
from .secure_cluster import ADMIN, ALL, VIEWER, SecureCluster

CHECK = "/grpc.health.v1.Health/Check"
#: Seconds until a master has done what it does by itself, on a busy machine too.
PATIENCE_S = 60.0
OTHER_VIEWER = ("board", "viewer", "b" * 32)


def endless_spec(folder: Path, trials: int = 1_000) -> str:
    """An experiment whose trials never reach their first target."""
    return toy_spec(folder, searcher={"name": "asha", "max_trials": trials, "max_resource": 2**50, "max_rungs": 1})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Process]]:
    """One master for all: it must survive every test here."""
    folder = tmp_path_factory.mktemp("floods")
    cluster = Cluster(folder, f"sqlite:///{folder / 'ledger.db'}", lease_ttl_s=60.0)
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
    cluster = SecureCluster(tmp_path_factory.mktemp("secure"), lease_ttl_s=60.0)
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
        async with contextlib.AsyncExitStack() as stack:

            async def channel(caller: tuple[str, str, str]) -> grpc.aio.Channel:
                return await stack.enter_async_context(open_async_channel(cluster.address, cluster.credentials(caller)))

            # A connection takes no more than 128 streams.
            greedy, greedy_too, modest = await channel(VIEWER), await channel(VIEWER), await channel(OTHER_VIEWER)
            held = [watch(greedy if number % 2 else greedy_too) for number in range(share)]
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


def check(address: str, credentials: grpc.ChannelCredentials | None = None) -> int:
    """Asks for the health by a connection of its own."""
    opened = grpc.insecure_channel(address) if credentials is None else grpc.secure_channel(address, credentials)
    with opened as channel:
        answer = health_pb2.HealthCheckResponse.FromString
        call: Any = channel.unary_unary(CHECK, health_pb2.HealthCheckRequest.SerializeToString, answer)
        return call(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S, wait_for_ready=True).status


def raw_connection(cluster: SecureCluster, source: str = "127.0.0.9") -> RawConnection:
    return RawConnection(cluster.address, cluster.authority.path, source)


def test_a_connection_with_too_many_calls_that_are_never_said_is_cut_off(
    secure: tuple[SecureCluster, Process],
) -> None:
    cluster, master = secure
    flood = raw_connection(cluster)
    with contextlib.suppress(OSError):
        for _ in range(200):
            flood.open_calls(CHECK, 100)
    assert flood.ended.wait(PATIENCE_S)
    flood.close()
    master.wait_for_line("connection ipv4:127.0.0.9:")
    trusted = grpc.ssl_channel_credentials(cluster.authority.path.read_bytes())
    assert check(cluster.address, trusted) == health_pb2.HealthCheckResponse.SERVING


def test_a_connection_that_takes_its_calls_back_at_once_is_cut_off(secure: tuple[SecureCluster, Process]) -> None:
    cluster, _ = secure
    flood = raw_connection(cluster, "127.0.0.10")
    with contextlib.suppress(OSError):
        while not flood.ended.is_set():
            flood.open_and_reset_calls(CHECK, 100)
    assert flood.ended.wait(PATIENCE_S)
    flood.close()


def test_a_call_that_does_not_say_what_it_is_about_is_ended(secure: tuple[SecureCluster, Process]) -> None:
    cluster, _ = secure
    slow = raw_connection(cluster, "127.0.0.11")
    slow.open_calls(CHECK, 1)
    wait_for("an answer", lambda: slow.answered)
    assert not slow.ended.is_set(), "one such call is no flood"
    slow.close()


def test_a_connection_on_which_nothing_is_said_is_closed(secure: tuple[SecureCluster, Process]) -> None:
    cluster, _ = secure
    host, _, port = cluster.address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as silent:
        assert closed(silent)


def closed(connection: socket.socket) -> bool:
    """Reads until the other side closes; raises TimeoutError where it does not."""
    try:
        while connection.recv(1_024):
            pass
    except ConnectionError:
        pass
    return True


def test_a_host_has_only_so_many_connections_and_those_in_use_stay(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", lease_ttl_s=60.0)
    listen = ("--listen", cluster.address, "--db", cluster.database)
    master = cluster.start("master", "master", *listen, "--connections-per-host", "20")
    master.wait_for_line("ready on")
    host, _, port = cluster.address.rpartition(":")

    async def scenario() -> None:
        async with raw_session(cluster.address, "worker") as session:
            await session.hello()
            crowd = [socket.create_connection((host, int(port)), PATIENCE_S) for _ in range(60)]
            await asyncio.gather(*(asyncio.to_thread(closed, one) for one in crowd))
            await session.write(pb.SessionRequest(work_request=pb.WorkRequest(request_id="r", free_slots=1)))
            for one in crowd:
                one.close()

    try:
        with Client(cluster.address) as client:
            client.submit(endless_spec(tmp_path))
        asyncio.run(scenario())
        master.wait_for_line("a host may have 20")
        with Client(cluster.address) as client:
            assert [worker.worker for worker in client.workers()] == ["worker"]
    finally:
        cluster.close()


def test_a_master_opens_as_many_files_as_it_may_and_serves_its_health_by_itself(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}")
    health = f"127.0.0.1:{free_port()}"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1_024), hard))
    try:
        listen = ("--listen", cluster.address, "--db", cluster.database)
        master = cluster.start("master", "master", *listen, "--health-listen", health)
        master.wait_for_line("ready on")
        assert psutil.Process(master.popen.pid).rlimit(psutil.RLIMIT_NOFILE)[0] == hard
        assert check(health) == health_pb2.HealthCheckResponse.SERVING
        with grpc.insecure_channel(health) as channel:
            call: Any = channel.unary_unary("/rungmaster.v1.ClusterService/GetMasterInfo")
            with pytest.raises(grpc.RpcError) as refused:
                call(b"", timeout=PATIENCE_S)
        error: Any = refused.value
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        cluster.close()
