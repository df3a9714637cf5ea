"""What a worker may say at once: up to each limit and no further; and how a thousand workers come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from rungmaster.master.services.bundles import check_bundle, check_hello
from rungmaster.master.services.workers import OUTGOING_LIMIT, StreamConnection
from rungmaster.shared import limits
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.net.backoff import Backoff
from rungmaster.shared.wire.model import Gpu, LeaseRef
from rungmaster.shared.wire.session import (
    CheckpointSaved,
    Exit,
    ExitOutcome,
    Hello,
    LeaseEvent,
    Measurement,
    SessionRequest,
    SessionResponse,
    WorkRequest,
)
from rungmaster.worker.trial.protocol import checked_metrics, checked_resource

LEASE = LeaseRef(1, 2, 3)
DATABASE = "0123456789abcdef"


def bundle(event: Any, sequence: int = 1) -> SessionRequest:
    return SessionRequest(events=(LeaseEvent(LEASE, 1, Measurement(1, {})), LeaseEvent(LEASE, sequence, event)))


def saved(resource: int = 1, *, size: int = 1, checksum: str = "") -> CheckpointSaved:
    return CheckpointSaved(f"{DATABASE}/1/2/3-{resource}-ab", resource, size, checksum)


def hello(**changes: Any) -> Hello:
    return Hello(**({"session_id": "s", "worker": "w", "slots": 1} | changes))


def metrics(count: int) -> dict[str, float]:
    return {f"m{number}": 0.5 for number in range(count)}


BUNDLES: list[tuple[str, int, Callable[[int], SessionRequest]]] = [
    ("events[1].measurement.metrics", limits.MAX_METRICS, lambda n: bundle(Measurement(1, metrics(n)))),
    ("events[1].measurement.metrics", limits.MAX_METRIC_NAME, lambda n: bundle(Measurement(1, {"é" * n: 0.5}))),
    ("events[1].measurement.resource", limits.MAX_RESOURCE, lambda n: bundle(Measurement(n, {}))),
    ("events[1].exit.error", limits.MAX_ERROR, lambda n: bundle(Exit(ExitOutcome.FAILED, "e" * n))),
    ("events[1].checkpoint_saved.resource", limits.MAX_RESOURCE, lambda n: bundle(saved(n))),
    ("events[1].checkpoint_saved.size_bytes", limits.MAX_RESOURCE, lambda n: bundle(saved(size=n))),
    ("events[1].checkpoint_saved.checksum", limits.MAX_CHECKSUM, lambda n: bundle(saved(checksum="c" * n))),
    ("events", limits.MAX_EVENTS, lambda n: SessionRequest(events=bundle(Exit(ExitOutcome.RELEASED)).events[1:] * n)),
    ("work_request.request_id", limits.MAX_ID, lambda n: SessionRequest(work_request=WorkRequest("r" * n, 1))),
    ("work_request.free_slots", limits.MAX_SLOTS, lambda n: SessionRequest(work_request=WorkRequest("r", n))),
    ("waiting", limits.MAX_WAITING, lambda n: SessionRequest(waiting="w" * n)),
    ("deleted_checkpoints", limits.MAX_DELETED, lambda n: SessionRequest(deleted_checkpoints=("u",) * n)),
    ("deleted_checkpoints[0]", limits.MAX_URI_BYTES, lambda n: SessionRequest(deleted_checkpoints=("u" * n,))),
]
HELLOS: list[tuple[str, int, Callable[[int], Hello]]] = [
    ("hello.session_id", limits.MAX_ID, lambda n: hello(session_id="s" * n)),
    ("hello.worker", limits.MAX_WORKER_TEXT, lambda n: hello(worker="w" * n)),
    ("hello.version", limits.MAX_WORKER_TEXT, lambda n: hello(version="v" * n)),
    ("hello.host", limits.MAX_WORKER_TEXT, lambda n: hello(host="h" * n)),
    ("hello.slots", limits.MAX_SLOTS, lambda n: hello(slots=n)),
    ("hello.gpus", limits.MAX_GPUS, lambda n: hello(gpus=(Gpu("u", "m", 1),) * n)),
    ("hello.gpus[0].uuid", limits.MAX_WORKER_TEXT, lambda n: hello(gpus=(Gpu("u" * n, "m", 1),))),
    ("hello.gpus[0].model", limits.MAX_WORKER_TEXT, lambda n: hello(gpus=(Gpu("u", "m" * n, 1),))),
    ("hello.labels", limits.MAX_LABELS, lambda n: hello(labels={f"l{number}": "" for number in range(n)})),
    ("hello.labels", limits.MAX_WORKER_TEXT, lambda n: hello(labels={"k" * n: ""})),
    ("hello.labels.pool", limits.MAX_WORKER_TEXT, lambda n: hello(labels={"pool": "v" * n})),
    ("hello.held", limits.MAX_HELD, lambda n: hello(held=(LEASE,) * n)),
]


@pytest.mark.parametrize(("path", "limit", "make"), BUNDLES)
def test_a_bundle_may_reach_each_limit_and_not_pass_it(
    path: str, limit: int, make: Callable[[int], SessionRequest]
) -> None:
    check_bundle(make(limit - 1))
    check_bundle(make(limit))
    with pytest.raises(InvalidInput) as refusal:
        check_bundle(make(limit + 1))
    _names(refusal.value, path, limit)


@pytest.mark.parametrize(("path", "limit", "make"), HELLOS)
def test_a_hello_may_reach_each_limit_and_not_pass_it(path: str, limit: int, make: Callable[[int], Hello]) -> None:
    check_hello(make(limit - 1))
    check_hello(make(limit))
    with pytest.raises(InvalidInput) as refusal:
        check_hello(make(limit + 1))
    _names(refusal.value, path, limit)


def _names(refusal: InvalidInput, path: str, limit: int) -> None:
    """A refusal says where, how much there may be, and how much there was."""
    assert str(refusal).startswith(f"{path}: ")
    assert f"{limit:,}" in str(refusal)
    assert f"got {limit + 1:,}" in str(refusal)
    assert len(str(refusal)) < 300


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("events[1].sequence", bundle(Exit(ExitOutcome.RELEASED), sequence=0)),
        ("events[1].sequence", bundle(Exit(ExitOutcome.RELEASED), sequence=-(2**63))),
        ("events[1].measurement.resource", bundle(Measurement(0, {}))),
        ("events[1].measurement.resource", bundle(Measurement(-1, {}))),
        ("events[1].measurement.metrics", bundle(Measurement(1, {"": 0.5}))),
        ("events[1].measurement.metrics", bundle(Measurement(1, {"loss\0": 0.5}))),
        ("events[1].checkpoint_saved.path", bundle(CheckpointSaved("", 1, 1, ""))),
        ("events[1].checkpoint_saved.path", bundle(CheckpointSaved("file:///\0", 1, 1, ""))),
        ("events[1].checkpoint_saved.path", bundle(CheckpointSaved("é" * 1_251, 1, 1, ""))),
        ("events[1].checkpoint_saved.size_bytes", bundle(saved(size=-1))),
        ("work_request.request_id", SessionRequest(work_request=WorkRequest("", 1))),
        ("work_request.free_slots", SessionRequest(work_request=WorkRequest("r", -1))),
        ("deleted_checkpoints[1]", SessionRequest(deleted_checkpoints=("u", ""))),
    ],
)
def test_what_makes_no_sense_in_a_bundle_is_refused_by_its_path(path: str, request_: SessionRequest) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_bundle(request_)
    assert str(refusal.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"session_id": ""},
        {"session_id": "s\0"},
        {"worker": "w\0"},
        {"labels": {"pool": "\0"}},
        {"labels": {"\0": "a"}},
        {"slots": 0},
        {"slots": -1},
        {"pid": -1},
        {"gpus": (Gpu("u", "m", -1),)},
    ],
)
def test_a_hello_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=rf"^hello\.{next(iter(changes))}"):
        check_hello(hello(**changes))


def test_an_error_of_training_code_may_hold_any_character() -> None:
    check_bundle(bundle(Exit(ExitOutcome.FAILED, "Segmentation\0fault")))


def test_the_end_of_an_error_is_kept_and_can_be_sent() -> None:
    kept = limits.last_of("x" * limits.MAX_ERROR + "\ud800 end")
    assert len(kept) == limits.MAX_ERROR
    assert kept.endswith("x? end")


def test_a_worker_refuses_what_its_master_would_refuse() -> None:
    for wrong in (metrics(limits.MAX_METRICS + 1), {"m" * (limits.MAX_METRIC_NAME + 1): 1}, {"\0": 1}, {"\ud800": 1}):
        with pytest.raises(InvalidInput, match=r"^metrics: "):
            checked_metrics(wrong)
    with pytest.raises(InvalidInput, match=r"^resource: "):
        checked_resource(limits.MAX_RESOURCE + 1, 0)
    assert checked_metrics(metrics(limits.MAX_METRICS))
    assert checked_resource(limits.MAX_RESOURCE, 0)


def test_a_worker_that_does_not_read_is_cut_off_before_its_messages_fill_the_memory() -> None:
    async def scenario() -> None:
        connection = StreamConnection()
        for _ in range(OUTGOING_LIMIT):
            connection.send(SessionResponse())
        assert not connection.cut.is_set()
        connection.send(SessionResponse())
        assert connection.cut.is_set()
        assert "does not read" in connection.closed_because

    asyncio.run(scenario())


def test_nothing_is_sent_after_the_end_of_a_stream() -> None:
    async def scenario() -> None:
        connection = StreamConnection()
        connection.send(SessionResponse(delete_checkpoints=("a",)))
        connection.close("over")
        connection.send(SessionResponse(delete_checkpoints=("b",)))
        assert await connection.next() == SessionResponse(delete_checkpoints=("a",))
        assert await connection.next() is None

    asyncio.run(scenario())


def arrivals(workers: int, outage: float, longest: float) -> list[float]:
    """When workers that lost their master at time 0 try again and find it back, in seconds after its return."""
    found = []
    for seed in range(workers):
        backoff = Backoff(0.2, longest, random=Random(seed))
        at = backoff.next()
        while at < outage:
            at += backoff.next()
        found.append(at - outage)
    return found


@pytest.mark.parametrize(("outage", "most"), [(1.0, 200), (2.0, 120), (10.0, 50), (60.0, 50)])
def test_a_thousand_workers_do_not_come_back_in_the_same_instant(outage: float, most: int) -> None:
    """Evenly over the longest wait there would be 10 in each tenth of a second; the longer the outage, the nearer."""
    found = arrivals(1_000, outage, longest=10.0)
    in_a_tenth = Counter(int(at * 10) for at in found)
    assert max(in_a_tenth.values()) <= most
    assert max(found) <= 10.0


def test_without_jitter_they_would_all_come_at_once() -> None:
    class Highest(Random):
        def uniform(self, a: float, b: float) -> float:
            del a
            return b

    at = 0.0
    backoff = Backoff(0.2, 10.0, random=Highest())
    while at < 10.0:
        at += backoff.next()
    assert at == pytest.approx(12.6), "every worker alike: what the jitter is for"


@pytest.mark.parametrize(
    "path",
    [
        f"{DATABASE}/1/2/3-9-ab/",
        f"/{DATABASE}/1/2/3-9-ab",
        f"../{DATABASE}/1/2/3-9-ab",
        f"elsewhere/{DATABASE}/1/2/3-9-ab",
        f"file:///home/someone/{DATABASE}/1/2/3-9-ab",
        f"s3://bucket/{DATABASE}/1/2/3-9-ab",
        f"ftp://127.0.0.1/{DATABASE}/1/2/3-9-ab",
        f"nosuch://{DATABASE}/1/2/3-9-ab",
        f"simplecache::file:///{DATABASE}/1/2/3-9-ab",
        f"zip://a::file:///x.zip/{DATABASE}/1/2/3-9-ab",
        f"reference://::file:///{DATABASE}/1/2/3-9-ab",
        f"{DATABASE}/7/2/3-9-ab",
        f"{DATABASE}/1/7/3-9-ab",
        f"{DATABASE}/1/2/7-9-ab",
        f"{DATABASE}/1/2/3-7-ab",
        f"{DATABASE}/1/2/.3-9-ab.partial",
        f"{DATABASE}/1/2/3-9-AB",
        f"{DATABASE}/1/2/3-9-{'f' * 65}",
        f"{DATABASE}/1/2/3-9-ab/../../../7/7/3-9-ab",
        f"{DATABASE}/1/2/3-9-",
        f"{DATABASE}/01/2/3-9-ab",
        f"{DATABASE}/1/2/\u0663-9-ab",
        f"{DATABASE[1:]}/1/2/3-9-ab",
        f"{DATABASE[::-1]}/1/2/3-9-ab",
        f"{DATABASE}/1/2/3-9-ab\n",
        "1/2/3-9-ab",
        "file:///etc",
    ],
)
def test_a_checkpoint_is_taken_only_at_a_path_of_its_own_lease_below_the_storage(path: str) -> None:
    check_bundle(bundle(saved(9)), database_id=DATABASE)
    with pytest.raises(InvalidInput, match=r"events\[1\].checkpoint_saved.path: "):
        check_bundle(bundle(CheckpointSaved(path, 9, 1, "")), database_id=DATABASE)
