"""Every method of every service asks who is calling, and lets in only whom it is for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from e2e.cluster import Process, toy_spec, wait_for
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from rungmaster.client import Client
from rungmaster.proto.v1 import cluster_pb2, experiment_pb2, worker_pb2
from rungmaster.shared.errors import PermissionDenied, Unauthenticated
from rungmaster.shared.net.channel import open_async_channel, open_channel
from rungmaster.shared.net.credentials import Credentials

from .raw_session import RawSession, Refused, raw_session
from .secure_cluster import ADMIN, ALL, EXPIRED, SUBMITTER, VIEWER, WORKER, SecureCluster

METHODS: list[MethodDescriptor] = [
    method
    for file in (experiment_pb2, worker_pb2, cluster_pb2, health_pb2, reflection_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
BY_NAME = {f"{method.containing_service.name}/{method.name}": method for method in METHODS}
OPEN = "Health/Check"
DENIALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
#: Seconds for an answer, on a busy machine too.
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SecureCluster, Process]]:
    cluster = SecureCluster(tmp_path_factory.mktemp("access"), lease_ttl_s=60.0)
    master = cluster.secure_master()
    yield cluster, master
    assert master.popen.poll() is None
    cluster.close()


@pytest.fixture
def cluster(running: tuple[SecureCluster, Process]) -> Iterator[SecureCluster]:
    """The master with all its tokens."""
    yield running[0]
    running[0].allow(*ALL)


def outcome(address: str, credentials: Credentials, method: MethodDescriptor) -> tuple[grpc.StatusCode, str]:
    """What an empty request to a method is answered; OK where there is an answer, of which a stream has many."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    with open_channel(address, credentials) as channel:
        request = GetMessageClass(method.input_type).SerializeToString
        kind: Any = channel.stream_stream if method.client_streaming else channel.unary_stream
        call: Any = kind(path, lambda message: request(message))
        message = GetMessageClass(method.input_type)()
        try:
            next(call(iter([message]) if method.client_streaming else message, timeout=PATIENCE_S))
        except grpc.RpcError as error:
            ended: Any = error
            return ended.code(), ended.details() or ""
        return grpc.StatusCode.OK, ""


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != OPEN])
def test_every_method_asks_for_a_token(cluster: SecureCluster, name: str) -> None:
    for caller, words in (
        (None, "asks for a token"),
        (("eve", "admin", "e" * 32), "not known"),
        (("eve", "admin", ADMIN[2][:-1]), "not known"),
        (EXPIRED, "has expired"),
    ):
        code, details = outcome(cluster.address, cluster.credentials(caller), BY_NAME[name])
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert words in details


@pytest.mark.parametrize("name", BY_NAME)
def test_every_method_lets_in_only_the_roles_that_it_is_for(cluster: SecureCluster, name: str) -> None:
    """The rule is told here once more, by the names: whatever sounds like reading is for viewers."""
    service, method = name.split("/")
    wanted = {
        ADMIN: True,
        VIEWER: service == "Health" or method.startswith(("Get", "List", "Watch", "Read", "ServerReflection")),
        # Whose experiment it is makes the difference where there is one: test_submitters.py.
        SUBMITTER: service in ("Health", "ExperimentService", "ServerReflection") or method.startswith(("Get", "List")),
        WORKER: service in ("Health", "WorkerService"),
    }
    for caller, allowed in wanted.items():
        code, details = outcome(cluster.address, cluster.credentials(caller), BY_NAME[name])
        assert (code not in DENIALS) == allowed, details
        assert allowed or code is grpc.StatusCode.PERMISSION_DENIED


def test_a_probe_needs_no_token(cluster: SecureCluster) -> None:
    assert outcome(cluster.address, cluster.credentials(), BY_NAME[OPEN]) == (grpc.StatusCode.OK, "")


def test_a_method_that_there_is_not_tells_strangers_nothing(cluster: SecureCluster) -> None:
    for caller, code in ((None, grpc.StatusCode.UNAUTHENTICATED), (ADMIN, grpc.StatusCode.UNIMPLEMENTED)):
        with open_channel(cluster.address, cluster.credentials(caller)) as channel:
            call: Any = channel.unary_unary("/rungmaster.v1.ExperimentService/Nothing")
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=PATIENCE_S)
            assert isinstance(caught.value, grpc.Call)
            assert caught.value.code() is code


@pytest.mark.parametrize("value", ["", "Bearer", "Basic " + ADMIN[2], ADMIN[2], "bearer  " + ADMIN[2]])
def test_only_a_bearer_token_counts(cluster: SecureCluster, value: str) -> None:
    with open_channel(cluster.address, cluster.credentials()) as channel:
        call: Any = channel.unary_unary("/rungmaster.v1.ClusterService/GetMasterInfo")
        metadata = [("authorization", value)] if value else []
        if value.startswith("bearer "):
            assert call(b"", timeout=PATIENCE_S, metadata=metadata)
            return
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=PATIENCE_S, metadata=metadata)
        assert isinstance(caught.value, grpc.Call)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_client_is_told_at_once_what_is_wrong_with_its_token(cluster: SecureCluster) -> None:
    """A call that were tried again would take longer than a test may."""
    for caller, kind in ((None, Unauthenticated), (EXPIRED, Unauthenticated), (WORKER, PermissionDenied)):
        credentials = cluster.credentials(caller)
        with Client(cluster.address, timeout=600, credentials=credentials) as client, pytest.raises(kind):
            client.get(1)


def test_on_one_machine_tokens_do_without_tls(tmp_path: Path) -> None:
    site = SecureCluster(tmp_path)
    master = site.start(
        "plain", "master", "--listen", "127.0.0.1:0", "--db", site.database, "--tokens", str(site.tokens)
    )
    try:
        port = master.wait_for_line("ready on").split()[4].rpartition(":")[2]
        for host in ("127.0.0.1", "localhost"):
            address = f"{host}:{port}"
            with Client(address, credentials=Credentials(token=VIEWER[2])) as client:
                info = client.master_info()
                assert (info.term, info.caller, info.role) == (1, "wall", "viewer")
            with Client(address) as client, pytest.raises(Unauthenticated):
                client.master_info()

        async def story() -> None:
            async with raw_session(address, "plain", credentials=Credentials(token=WORKER[2])) as opened:
                assert (await opened.hello()).welcome.term == 1

        asyncio.run(story())
    finally:
        site.close()


@asynccontextmanager
async def session(cluster: SecureCluster, caller: tuple[str, str, str], name: str) -> AsyncIterator[RawSession]:
    async with raw_session(cluster.address, name, credentials=cluster.credentials(caller)) as opened:
        await opened.hello()
        yield opened


async def ended(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a stream ends; what it says before that is of no matter."""
    try:
        while await asyncio.wait_for(call.read(), PATIENCE_S) is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return await call.code(), await call.details()


def test_streams_end_when_their_token_is_revoked_and_no_others(cluster: SecureCluster, tmp_path: Path) -> None:
    with Client(cluster.address, credentials=cluster.credentials(ADMIN)) as client:
        number = client.submit(toy_spec(tmp_path)).experiment_id

    async def story() -> None:
        async with (
            session(cluster, WORKER, "revoked") as revoked,
            session(cluster, ADMIN, "stays") as stays,
            open_async_channel(cluster.address, cluster.credentials(VIEWER)) as channel,
        ):
            kinds = experiment_pb2.WatchExperimentRequest, experiment_pb2.WatchExperimentResponse
            watch: Any = channel.unary_stream(
                "/rungmaster.v1.ExperimentService/WatchExperiment", kinds[0].SerializeToString, kinds[1].FromString
            )(experiment_pb2.WatchExperimentRequest(experiment_id=number))
            reflection: Any = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")()
            await watch.read()
            cluster.allow(ADMIN, ("wall", "worker", VIEWER[2]))
            refusal = await revoked.refusal()
            assert refusal.code is grpc.StatusCode.UNAUTHENTICATED
            assert refusal.details == "the token of gpu-7 was revoked"
            for call in (watch, reflection):
                code, details = await ended(call)
                assert code is grpc.StatusCode.PERMISSION_DENIED
                assert details.startswith("the role of wall, worker, may not call /")
            await stays.take_work()

    asyncio.run(story())
    with Client(cluster.address, credentials=cluster.credentials(ADMIN)) as client:
        client.cancel(number)


def test_the_log_tells_who_did_what_and_has_no_token(running: tuple[SecureCluster, Process], tmp_path: Path) -> None:
    cluster, master = running
    with Client(cluster.address, credentials=cluster.credentials(ADMIN)) as client:
        client.submit(toy_spec(tmp_path))
    outcome(
        cluster.address, cluster.credentials(("eve", "admin", "e" * 32)), BY_NAME["ExperimentService/GetExperiment"]
    )
    master.wait_for_line("/rungmaster.v1.ExperimentService/CreateExperiment of alice")
    master.wait_for_line("turned away from /rungmaster.v1.")
    log = "\n".join(master.lines)
    assert not [token for token in (*(caller[2] for caller in (*ALL, EXPIRED)), "e" * 32) if token in log]


def wait_until_known(cluster: SecureCluster, caller: tuple[str, str, str]) -> None:
    """The master reads its file of tokens again a moment after it has changed."""
    looking = BY_NAME["ExperimentService/GetExperiment"]
    wait_for(
        "the token",
        lambda: outcome(cluster.address, cluster.credentials(caller), looking)[0] is not DENIALS[0],
        PATIENCE_S,
    )


def test_a_session_is_taken_over_with_no_other_token_and_no_other_secret(
    running: tuple[SecureCluster, Process], tmp_path: Path
) -> None:
    cluster, _ = running
    other = ("gpu-8", "worker", "o" * 32)
    cluster.allow(*ALL, other)
    wait_until_known(cluster, other)
    with Client(cluster.address, credentials=cluster.credentials(ADMIN)) as client:
        number = client.submit(toy_spec(tmp_path)).experiment_id

    async def story() -> None:
        async with raw_session(cluster.address, "own", credentials=cluster.credentials(WORKER)) as own:
            await own.hello(secret="s" * 32)
            await own.take_work()
            for caller, secret in ((other, "s" * 32), (other, ""), (WORKER, ""), (WORKER, "t" * 32), (ADMIN, "s" * 32)):
                async with raw_session(cluster.address, "own", credentials=cluster.credentials(caller)) as thief:
                    with pytest.raises(Refused) as refused:
                        await thief.hello(secret=secret)
                    assert refused.value.code is grpc.StatusCode.PERMISSION_DENIED
                    assert refused.value.details.startswith("session own was opened ")
            await own.send(own.measurements(1))
            await own.acknowledged(1)

    asyncio.run(story())
    with Client(cluster.address, credentials=cluster.credentials(ADMIN)) as client:
        client.cancel(number)


def test_people_see_whose_token_a_worker_has(cluster: SecureCluster) -> None:
    wait_until_known(cluster, WORKER)

    async def story() -> None:
        async with session(cluster, WORKER, "calls itself alice"):
            with Client(cluster.address, credentials=cluster.credentials(VIEWER)) as client:
                (shown,) = [each for each in client.workers() if each.worker == "calls itself alice"]
                assert shown.identity == "gpu-7"

    asyncio.run(story())
