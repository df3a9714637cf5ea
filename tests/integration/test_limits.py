"""A master lives on whatever it is sent, says what was wrong, and applies nothing of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from e2e.cluster import Cluster, toy_spec
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.client import Client
from rungmaster.client.connection import MasterConnection
from rungmaster.master.maintenance.check import check_database
from rungmaster.proto.v1 import cluster_pb2, experiment_pb2
from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.shared import limits
from rungmaster.shared.errors import InvalidInput

from .raw_session import RawSession, raw_session

METHODS = [
    method
    for file in (experiment_pb2, pb, cluster_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
#: What a master says to a request that is understood or not; anything else would be a failure of its own.
ANSWERS = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
}


def long_spec(folder: Path, trials: int = 4) -> str:
    """An experiment whose trials never reach their first target."""
    return toy_spec(folder, searcher={"name": "asha", "max_trials": trials, "max_resource": 2**50, "max_rungs": 1})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One master for all: it must survive every test here."""
    folder = tmp_path_factory.mktemp("limits")
    running = Cluster(folder, f"sqlite:///{folder / 'ledger.db'}", lease_ttl_s=60.0)
    master = running.master()
    with Client(running.address) as client:
        client.submit(long_spec(folder, trials=1000))
    yield running
    assert master.popen.poll() is None
    running.close()
    assert check_database(running.database).violations == []


def holding(cluster: Cluster, name: str, then: Callable[[RawSession], Awaitable[None]]) -> None:
    """Does something with a session that holds a lease."""

    async def scenario() -> None:
        async with raw_session(cluster.address, name) as session:
            await session.hello()
            await session.take_work()
            await then(session)

    asyncio.run(scenario())


def wrong_event(lease: pb.LeaseRef, **event: Any) -> pb.LeaseEvent:
    return pb.LeaseEvent(**({"lease": lease, "sequence": 2} | event))


WRONG: dict[str, Callable[[pb.LeaseRef], pb.SessionRequest]] = {
    "events[1].measurement.metrics: at most 100": lambda lease: _with(
        lease, measurement=pb.Measurement(resource=2, metrics={f"m{n}": 0.5 for n in range(101)})
    ),
    "events[1].measurement.metrics: a name": lambda lease: _with(
        lease, measurement=pb.Measurement(resource=2, metrics={"loss\0": 0.5})
    ),
    "events[1].measurement.resource": lambda lease: _with(lease, measurement=pb.Measurement(resource=2**62)),
    "events[1].sequence": lambda lease: _with(lease, sequence=0, exit=pb.Exit(outcome=pb.EXIT_OUTCOME_RELEASED)),
    "events[1].exit.error": lambda lease: _with(lease, exit=pb.Exit(outcome=pb.EXIT_OUTCOME_FAILED, error="e" * 4_001)),
    "events.exit.outcome": lambda lease: _with(lease, exit=pb.Exit(outcome=77)),  # pyright: ignore[reportArgumentType]
    "events: an event is": lambda lease: _with(lease),
    "events[1].checkpoint_saved.path": lambda lease: _with(
        lease, checkpoint_saved=pb.CheckpointSaved(path="u" * 3_000)
    ),
    "events: at most 2,000": lambda lease: pb.SessionRequest(events=[_good(lease)] * 2_001),
    "work_request.free_slots": lambda lease: pb.SessionRequest(
        events=[_good(lease)], work_request=pb.WorkRequest(request_id="r", free_slots=-1)
    ),
    "deleted_checkpoints[0]": lambda lease: pb.SessionRequest(events=[_good(lease)], deleted_checkpoints=["\0"]),
}


def _good(lease: pb.LeaseRef) -> pb.LeaseEvent:
    return pb.LeaseEvent(lease=lease, sequence=1, measurement=pb.Measurement(resource=1, metrics={"error": 0.5}))


def _with(lease: pb.LeaseRef, **event: Any) -> pb.SessionRequest:
    return pb.SessionRequest(events=[_good(lease), wrong_event(lease, **event)])


@pytest.mark.parametrize("path", WRONG)
def test_nothing_of_a_wrong_bundle_is_applied_and_the_worker_learns_what_was_wrong(cluster: Cluster, path: str) -> None:
    name = f"wrong-{list(WRONG).index(path)}"

    async def then(session: RawSession) -> None:
        await session.write(WRONG[path](session.lease))
        refused = await session.refusal()
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.details.startswith(path)
        async with raw_session(cluster.address, name) as again:
            welcome = await again.hello(held=[session.lease])
            assert [known.sequence for known in welcome.acknowledgements] == [0]
            again.lease = session.lease
            await again.send(again.measurements(1))
            await again.acknowledged(1)

    holding(cluster, name, then)


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("hello.session_id", {"session_id": "s" * 65}),
        ("hello.session_id", {"session_id": ""}),
        ("hello.worker", {"worker": "w\0"}),
        ("hello.slots", {"slots": 0}),
        ("hello.labels", {"labels": {str(n): "" for n in range(101)}}),
        ("hello.gpus", {"gpus": [pb.Gpu()] * 257}),
    ],
)
def test_a_worker_that_cannot_be_is_refused(cluster: Cluster, path: str, changes: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with raw_session(cluster.address, "impossible") as session:
            await session.write(
                pb.SessionRequest(hello=pb.Hello(**({"session_id": "impossible", "slots": 1} | changes)))
            )
            refused = await session.refusal()
            assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
            assert refused.details.startswith(path)

    asyncio.run(scenario())


def test_whatever_may_be_sent_can_be_stored(tmp_path: Path, database_url: str) -> None:
    """At every limit at once, on each database: no batch fails, or this stream would end."""
    own = Cluster(tmp_path, database_url, lease_ttl_s=60.0)
    own.master()
    with Client(own.address) as client:
        experiment_id = client.submit(long_spec(tmp_path)).experiment_id

        async def scenario() -> None:
            async with raw_session(own.address, "s" * limits.MAX_ID) as session:
                labels = {f"{n}".rjust(limits.MAX_WORKER_TEXT, "é"): "v" for n in range(limits.MAX_LABELS)}
                await session.hello(worker="ö" * limits.MAX_WORKER_TEXT, labels=labels, slots=limits.MAX_SLOTS)
                request = pb.WorkRequest(request_id="é" * limits.MAX_ID, free_slots=limits.MAX_SLOTS)
                await session.write(pb.SessionRequest(work_request=request))
                while not (answer := await session.read()).assignments:
                    pass
                session.lease = answer.assignments[0].lease
                await session.send(_largest_events(session.lease, answer.assignments[0].database_id))
                await session.acknowledged(4)

        asyncio.run(scenario())
        lease = client.trial(experiment_id, 0).leases[0]
        assert (
            lease.error == ("Segmentation\N{REPLACEMENT CHARACTER}fault" + "e" * limits.MAX_ERROR)[: limits.MAX_ERROR]
        )
    own.close()
    assert check_database(database_url).violations == []


def _largest_events(lease: pb.LeaseRef, database_id: str) -> list[pb.LeaseEvent]:
    metrics = {f"{n}".rjust(limits.MAX_METRIC_NAME, "é"): 1.7e308 for n in range(limits.MAX_METRICS - 1)}
    most = limits.MAX_RESOURCE
    path = f"{database_id}/{lease.experiment_id}/{lease.trial_id}/{lease.token}-{most}-{'f' * 64}"
    saved = pb.CheckpointSaved(path=path, resource=most, size_bytes=most, checksum="c" * limits.MAX_CHECKSUM)
    error = ("Segmentation\0fault" + "e" * limits.MAX_ERROR)[: limits.MAX_ERROR]
    return [
        pb.LeaseEvent(lease=lease, sequence=1, measurement=pb.Measurement(resource=1, metrics=metrics)),
        pb.LeaseEvent(
            lease=lease, sequence=2, measurement=pb.Measurement(resource=most, metrics={"error": float("nan")})
        ),
        pb.LeaseEvent(lease=lease, sequence=3, checkpoint_saved=saved),
        pb.LeaseEvent(lease=lease, sequence=4, exit=pb.Exit(outcome=pb.EXIT_OUTCOME_FAILED, error=error)),
    ]


def test_the_largest_search_that_a_spec_can_describe_can_be_stored(cluster: Cluster) -> None:
    searcher = {"name": "asha", "max_trials": 10**9, "max_resource": 2**53 - 1}
    with Client(cluster.address) as client:
        made = client.submit(toy_spec(cluster.folder, searcher=searcher))
        client.cancel(made.experiment_id)
        assert made.resource_full == limits.MAX_TOTAL
        client.delete(made.experiment_id)


def raw_call(address: str, method: MethodDescriptor, data: bytes) -> tuple[grpc.StatusCode, str]:
    """Sends bytes to a method, of whatever kind it is, and gives how the call ended, or OK for its first answer."""
    with grpc.insecure_channel(address) as channel:
        path = f"/{method.containing_service.full_name}/{method.name}"
        if method.client_streaming:
            call: Any = channel.stream_stream(path)(iter([data]), timeout=20)
        elif method.server_streaming:
            call = channel.unary_stream(path)(data, timeout=20)
        else:
            call = channel.unary_unary(path).future(data, timeout=20)
        try:
            _ = next(call, None) if method.server_streaming else call.result()
        except grpc.RpcError:
            return call.code(), call.details() or ""
        finally:
            call.cancel()
        return grpc.StatusCode.OK, ""


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_bytes_that_are_no_message_are_the_callers_fault(cluster: Cluster, method: MethodDescriptor) -> None:
    for broken in (b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 200, b"\x0a\x02\xc3"):
        code, details = raw_call(cluster.address, method, broken)
        assert code is grpc.StatusCode.INVALID_ARGUMENT, (broken, code, details)
        assert "no message of this method" in details


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_fields_that_this_version_does_not_know_are_ignored(cluster: Cluster, method: MethodDescriptor) -> None:
    unknown = b"\xfa\x3f\x03new"
    plain, known = raw_call(cluster.address, method, b""), raw_call(cluster.address, method, unknown)
    assert known == plain
    assert plain[0] in ANSWERS


@settings(max_examples=40, deadline=None)
@given(method=st.sampled_from(METHODS), data=st.binary(max_size=200))
def test_no_bytes_at_all_make_the_master_fail(cluster: Cluster, method: MethodDescriptor, data: bytes) -> None:
    code, details = raw_call(cluster.address, method, data)
    assert code in ANSWERS, (code, details)


NUMBERS = st.sampled_from([0, 1, -1, 2, 1_001, 10_001, 2**31 - 1, -(2**31)])
TEXTS = st.sampled_from(["", "a", "\0", "é" * 100, "x" * 100_000, "%", "'", "[]", "name: x"])


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from([m for m in METHODS if not m.client_streaming]),
    values=st.lists(NUMBERS, min_size=4, max_size=4),
    texts=st.lists(TEXTS, min_size=4, max_size=4),
)
def test_no_values_of_any_request_make_the_master_fail(
    cluster: Cluster, method: MethodDescriptor, values: list[int], texts: list[str]
) -> None:
    request = GetMessageClass(method.input_type)()
    for field, number, text in zip(method.input_type.fields, values * 2, texts * 2, strict=False):
        value: Any = text if field.type == field.TYPE_STRING else number
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(request, field.name)[text] = text
        elif field.is_repeated:
            getattr(request, field.name).append(value)
        elif field.message_type is not None:
            # A time, also one that no calendar has.
            time_of = getattr(request, field.name)
            time_of.seconds, time_of.nanos = number * 1_000_000, number
        else:
            setattr(request, field.name, value)
    code, details = raw_call(cluster.address, method, request.SerializeToString())
    assert code in ANSWERS, (request, code, details)
    assert len(details) < 2_000


def test_a_spec_of_more_than_a_mebibyte_is_refused_with_its_limit(cluster: Cluster) -> None:
    with Client(cluster.address) as client, pytest.raises(InvalidInput, match="1 MiB"):
        client.connection.call(experiment_pb2.CreateExperimentRequest(spec="#" * (2**20 + 1)))


def test_a_message_that_is_too_large_is_explained_and_not_tried_again(cluster: Cluster) -> None:
    began = time.monotonic()
    with (
        Client(cluster.address, timeout=60) as client,
        pytest.raises(InvalidInput, match="at most 4,194,304") as refusal,
    ):
        client.connection.call(experiment_pb2.CreateExperimentRequest(spec="#" * (limits.MAX_MESSAGE_BYTES + 1)))
    assert "smaller spec" in str(refusal.value)
    assert time.monotonic() - began < 30


def test_a_request_id_is_bounded(cluster: Cluster) -> None:
    with Client(cluster.address) as client:
        for wrong in ("r" * (limits.MAX_ID + 1), "\0"):
            with pytest.raises(InvalidInput, match=r"^request_id: "):
                client.submit(long_spec(cluster.folder), request_id=wrong)
        first = client.submit(long_spec(cluster.folder), request_id="r" * limits.MAX_ID)
        assert client.submit(long_spec(cluster.folder), request_id="r" * limits.MAX_ID) == first
        client.cancel(first.experiment_id)


def test_a_fingerprint_of_code_is_bounded(cluster: Cluster) -> None:
    many = {f"{number}.py": "0" for number in range(limits.MAX_CODE_FILES + 1)}
    with Client(cluster.address) as client:
        for wrong in (many, {"": "0"}, {"a\0": "0"}, {"a.py": "0" * (limits.MAX_CHECKSUM + 1)}):
            with pytest.raises(InvalidInput, match=r"^code"):
                client.connection.call(
                    experiment_pb2.CreateExperimentRequest(spec=long_spec(cluster.folder), code=wrong)
                )


def test_a_call_beyond_those_that_a_server_takes_at_once_is_tried_again() -> None:
    """gRPC's own refusal, which nothing but its words tells from a message that is too large."""
    open_now, most = 0, 0

    async def answer(request: bytes, context: object) -> bytes:
        nonlocal open_now, most
        del request, context
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.2)
        open_now -= 1
        return b""

    async def scenario() -> None:
        server = grpc.aio.server(maximum_concurrent_rpcs=1)
        handler = grpc.unary_unary_rpc_method_handler(answer)
        service = "rungmaster.v1.ClusterService"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"GetMasterInfo": handler}),))
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        calls = [asyncio.to_thread(_ask, address) for _ in range(4)]
        await asyncio.gather(*calls)
        await server.stop(0)

    asyncio.run(scenario())
    assert most == 1


def _ask(address: str) -> None:
    connection = MasterConnection((address,), timeout_s=30)
    try:
        connection.call(cluster_pb2.GetMasterInfoRequest())
    finally:
        connection.close()
