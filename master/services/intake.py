"""Takes in what workers send: counted before it is parsed and before it is made values of, large ones in slices.

Whatever arrives costs the event loop time before anybody has agreed to it, and everybody else waits meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from ...proto.v1 import worker_pb2 as pb
from ...shared.errors import InvalidInput
from ...shared.limits import (
    MAX_BROKEN,
    MAX_DELETED,
    MAX_EVENTS,
    MAX_FOUND,
    MAX_GPUS,
    MAX_HELD,
    MAX_LABELS,
    MAX_LOG_CHUNKS,
    MAX_LOGGED,
    MAX_METRICS,
    MAX_VALUES,
)
from ...shared.wire.convert_session import events_from_proto, session_request_from_proto
from ...shared.wire.session import SessionRequest
from .bundles import check_bundle, check_count, check_hello
from .errors import parsed

#: Bytes of a message from which on it is counted first. Whatever smaller ones hold, it is not much.
LARGE = 64 * 1024
#: Events and values of a large bundle that are taken at a stretch.
SLICE_EVENTS, SLICE_VALUES = 200, 1_500

#: The repeated fields of a SessionRequest by number, each with its name and how many of it one message may have.
_REPEATED = {
    field.number: (field.name, most)
    for name, most in (
        ("events", MAX_EVENTS),
        ("deleted_checkpoints", MAX_DELETED),
        ("failed_deletions", MAX_DELETED),
        ("log_chunks", MAX_LOG_CHUNKS),
    )
    for field in (pb.SessionRequest.DESCRIPTOR.fields_by_name[name],)
}
#: Fields that come once; a message that repeats one is parsed into the last, so a few more do no harm.
_SINGLE = 16


async def take_in(data: bytes, database_id: str = "") -> list[SessionRequest]:
    """The bundle in a message: as one value, or as several that follow each other, where it is large. `database_id` as
    for `check_bundle`.

    Raises InvalidInput where it holds what no worker of this version sends; then nothing of it is to be applied.
    """
    if len(data) <= LARGE:
        message = parsed(pb.SessionRequest.FromString, data)
        check_count("events", len(message.events), MAX_EVENTS)
        request = session_request_from_proto(message)
        _check(request, database_id)
        return [request]
    _count_fields(data)
    message = parsed(pb.SessionRequest.FromString, data)
    _count_within(message)
    return await _in_slices(message, database_id)


async def _in_slices(message: pb.SessionRequest, database_id: str) -> list[SessionRequest]:
    """A bundle as several: first its events, with the last of them everything else. Others are served in between."""
    slices: list[SessionRequest] = []
    events = message.events
    for first, end in _slices(events):
        await asyncio.sleep(0)
        if end < len(events):
            slices.append(SessionRequest(events=events_from_proto(events[first:end])))
        else:
            slices.append(session_request_from_proto(message, events[first:end]))
        _check(slices[-1], database_id, first)
    return slices


def _check(request: SessionRequest, database_id: str, first_event: int = 0) -> None:
    check_bundle(request, first_event, database_id)
    if request.hello is not None:
        check_hello(request.hello)


def _slices(events: Sequence[pb.LeaseEvent]) -> Iterator[tuple[int, int]]:
    """Where to cut, as (first, end); one that is empty where there are no events."""
    first = values = 0
    for index, event in enumerate(events):
        if index - first >= SLICE_EVENTS or values >= SLICE_VALUES:
            yield first, index
            first, values = index, 0
        values += len(event.measurement.metrics)
    yield first, len(events)


def _count_fields(data: bytes) -> None:
    """Raises InvalidInput where a message has too many of a field: seen from its tags, before anything is parsed.

    What is no message at all is left to the parser, which stops where it notices.
    """
    found = dict.fromkeys(_REPEATED, 0)
    at, end, others = 0, len(data), 0
    try:
        while at < end:
            tag, at = _varint(data, at)
            number, kind = tag >> 3, tag & 7
            if number in found:
                found[number] += 1
                name, most = _REPEATED[number]
                if found[number] > most:
                    raise InvalidInput(f"{name}: at most {most:,} in one message, got more")
            else:
                others += 1
                if others > _SINGLE:
                    raise InvalidInput(f"fields that are not repeated: at most {_SINGLE} in one message, got more")
            at = _skipped(data, at, kind)
    except (IndexError, ValueError):
        return


def _skipped(data: bytes, at: int, kind: int) -> int:
    """Behind a field's value. Raises ValueError for what this wire format does not have."""
    if kind == 2:
        length, at = _varint(data, at)
        return at + length
    if kind == 0:
        return _varint(data, at)[1]
    if kind in (1, 5):
        return at + (8 if kind == 1 else 4)
    raise ValueError(kind)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends. Raises IndexError at the end of the data, ValueError where it is too long."""
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    value, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at + 1
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _count_within(message: pb.SessionRequest) -> None:
    """Counts what the parts of a message hold, before values are made of it."""
    values = 0
    for index, event in enumerate(message.events):
        metrics = len(event.measurement.metrics)
        if metrics > MAX_METRICS:
            check_count(f"events[{index}].measurement.metrics", metrics, MAX_METRICS)
        values += metrics
        if event.broken_uris:
            check_count(f"events[{index}].broken_uris", len(event.broken_uris), MAX_BROKEN)
    check_count("events: metrics of all together", values, MAX_VALUES)
    hello, swept = message.hello, message.swept
    for name, field, most in (
        ("hello.gpus", hello.gpus, MAX_GPUS),
        ("hello.labels", hello.labels, MAX_LABELS),
        ("hello.held", hello.held, MAX_HELD),
        ("hello.experiment_ids", hello.experiment_ids, MAX_HELD),
        ("swept.found", swept.found, MAX_FOUND),
        ("swept.logged_experiments", swept.logged_experiments, MAX_LOGGED),
    ):
        check_count(name, len(field), most)
