"""A worker's message is counted before values are made of it, and a large one is taken in slices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.master.services.intake import LARGE, SLICE_EVENTS, SLICE_VALUES, take_in
from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.shared import limits
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire.convert_session import session_request_from_proto
from rungmaster.shared.wire.session import Measurement, SessionRequest


def taken(data: bytes) -> list[SessionRequest]:
    return asyncio.run(take_in(data))


def report(sequence: int, metrics: int) -> pb.LeaseEvent:
    measured = pb.Measurement(resource=sequence, metrics={f"metric-{number}": 0.5 for number in range(metrics)})
    return pb.LeaseEvent(lease=pb.LeaseRef(experiment_id=1, token=1), sequence=sequence, measurement=measured)


def reports(count: int, metrics: int) -> list[pb.LeaseEvent]:
    return [report(number, metrics) for number in range(1, count + 1)]


def test_a_large_bundle_comes_in_slices_that_hold_what_it_held() -> None:
    asked = pb.WorkRequest(request_id="r", free_slots=1)
    message = pb.SessionRequest(events=reports(1_000, 20), work_request=asked, deleted_checkpoints=["u"])
    slices = taken(message.SerializeToString())
    whole = session_request_from_proto(message)
    assert tuple(event for one in slices for event in one.events) == whole.events
    assert [one._replace(events=()) for one in slices[:-1]] == [SessionRequest()] * (len(slices) - 1)
    assert slices[-1]._replace(events=()) == whole._replace(events=())
    for one in slices:
        values = sum(len(event.event.metrics) for event in one.events if isinstance(event.event, Measurement))
        assert len(one.events) <= SLICE_EVENTS
        assert values < SLICE_VALUES + limits.MAX_METRICS


def test_a_large_message_without_events_is_one_bundle() -> None:
    message = pb.SessionRequest(deleted_checkpoints=["u" * 2_000] * 100)
    assert taken(message.SerializeToString()) == [session_request_from_proto(message)]


def _hello(**fields: object) -> pb.SessionRequest:
    return pb.SessionRequest(hello=pb.Hello(session_id="s", slots=1, **fields))  # pyright: ignore[reportArgumentType]


#: Below 4 MiB all of them, and each of something that takes long to make values of.
TOO_MANY: dict[str, Callable[[], bytes]] = {
    "events: at most 2,000": lambda: b"\x1a\x04\x10\x01\x1a\x00" * 699_040,
    "deleted_checkpoints: at most 10,000": lambda: b"\x2a\x00" * 2_000_000,
    "failed_deletions: at most 10,000": lambda: b"\x3a\x00" * 2_000_000,
    "fields that are not repeated": lambda: b"\x20\x01" * 2_000_000,
    "events: metrics of all together: at most 60,000": lambda: pb.SessionRequest(
        events=reports(601, 100)
    ).SerializeToString(),
    "events[0].measurement.metrics: at most 100": lambda: pb.SessionRequest(
        events=reports(1, 100_000)
    ).SerializeToString(),
    "events[0].broken_uris: at most 100": lambda: pb.SessionRequest(
        events=[pb.LeaseEvent(sequence=1, broken_uris=[""] * 200_000)]
    ).SerializeToString(),
    "hello.held: at most 65,536": lambda: _hello(held=[pb.LeaseRef()] * 65_537).SerializeToString(),
    "hello.experiment_ids: at most": lambda: _hello(experiment_ids=range(1_000_000)).SerializeToString(),
    "hello.gpus: at most": lambda: _hello(gpus=[pb.Gpu()] * 100_000).SerializeToString(),
    "hello.labels: at most": lambda: _hello(labels={str(n): "" for n in range(100_000)}).SerializeToString(),
    "swept.found: at most 1,000": lambda: pb.SessionRequest(
        swept=pb.Swept(request_id="r", found=[pb.FoundCheckpoint()] * 100_000)
    ).SerializeToString(),
    "swept.logged_experiments: at most": lambda: pb.SessionRequest(
        swept=pb.Swept(request_id="r", logged_experiments=range(1_000_000))
    ).SerializeToString(),
}


@pytest.mark.parametrize("words", TOO_MANY)
def test_what_is_too_many_is_refused_with_its_limit_before_values_are_made(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("values were made")

    data = TOO_MANY[words]()
    assert LARGE < len(data) < limits.MAX_MESSAGE_BYTES
    for name in ("session_request_from_proto", "events_from_proto"):
        monkeypatch.setattr(f"rungmaster.master.services.intake.{name}", never)
    with pytest.raises(InvalidInput) as refused:
        taken(data)
    assert str(refused.value).startswith(words)


def test_too_many_events_in_a_small_message_are_refused_before_values_are_made() -> None:
    with pytest.raises(InvalidInput, match=r"^events: at most 2,000 in one message, got 10,000"):
        taken(b"\x1a\x04\x10\x01\x1a\x00" * 10_000)


def test_a_wrong_event_is_named_by_its_place_in_the_whole_bundle() -> None:
    events = reports(1_000, 5)
    events[900].sequence = -1
    with pytest.raises(InvalidInput, match=r"^events\[900\]\.sequence"):
        taken(pb.SessionRequest(events=events).SerializeToString())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64), st.sampled_from([b"", b"\x1a\x00" * 40_000, b"\xff" * 70_000, b"\x0a\xff" * 40_000]))
def test_any_bytes_are_refused_as_bytes_or_as_what_they_say(head: bytes, tail: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        taken(head + tail)
