"""Checks what workers send, before any of it is applied: a bundle that is wrong must never reach a batch of others.

Every message names the field by its path in the .proto, the limit, and what was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from ...shared.checkpoints.paths import CheckpointPath
from ...shared.errors import InvalidInput
from ...shared.limits import (
    LEAST_SECRET,
    MAX_BROKEN,
    MAX_CHECKSUM,
    MAX_DELETED,
    MAX_ERROR,
    MAX_EVENTS,
    MAX_FOUND,
    MAX_GPUS,
    MAX_HELD,
    MAX_ID,
    MAX_LABELS,
    MAX_LOG_CHUNK,
    MAX_LOG_CHUNKS,
    MAX_LOGGED,
    MAX_METRIC_NAME,
    MAX_METRICS,
    MAX_RESOURCE,
    MAX_SLOTS,
    MAX_URI_BYTES,
    MAX_WAITING,
    MAX_WORKER_TEXT,
)
from ...shared.text.visible import hidden_problem
from ...shared.wire.model import LeaseRef
from ...shared.wire.session import (
    CheckpointSaved,
    Exit,
    Hello,
    LeaseEvent,
    LogChunk,
    Measurement,
    SessionRequest,
    Swept,
)


def check_bundle(request: SessionRequest, first_event: int = 0, database_id: str = "") -> None:
    """Raises InvalidInput where a bundle, or a slice of one from that event on, holds what no worker of this version
    sends. `database_id` is that of the master's database, in whose part of a storage all checkpoints lie; empty: in
    that of any."""
    if request.events:
        check_count("events", len(request.events), MAX_EVENTS)
        for index, happened in enumerate(request.events, first_event):
            _check_event(index, happened, database_id)
    if request.work_request is not None:
        check_text("work_request.request_id", request.work_request.request_id, MAX_ID, least=1)
        _check_number("work_request.free_slots", request.work_request.free_slots, 0, MAX_SLOTS)
    if request.waiting is not None:
        check_length("waiting", request.waiting, MAX_WAITING)
    if request.answers_errands:
        _check_errands(request)
    if request.log_chunks:
        _check_log_chunks(request.log_chunks)


def _check_errands(request: SessionRequest) -> None:
    if request.swept is not None:
        _check_swept(request.swept)
    check_count("failed_deletions", len(request.failed_deletions), MAX_DELETED)
    for index, failed in enumerate(request.failed_deletions):
        _check_uri(f"failed_deletions[{index}].uri", failed.uri)
        check_length(f"failed_deletions[{index}].error", failed.error, MAX_WAITING)
    check_count("deleted_checkpoints", len(request.deleted_checkpoints), MAX_DELETED)
    for index, uri in enumerate(request.deleted_checkpoints):
        _check_uri(f"deleted_checkpoints[{index}]", uri)


def _check_log_chunks(chunks: Sequence[LogChunk]) -> None:
    check_count("log_chunks", len(chunks), MAX_LOG_CHUNKS)
    for index, chunk in enumerate(chunks):
        check_text(f"log_chunks[{index}].request_id", chunk.request_id, MAX_ID, least=1)
        _check_number(f"log_chunks[{index}].position", chunk.position, 0, MAX_RESOURCE)
        if len(chunk.content) > MAX_LOG_CHUNK:
            raise InvalidInput(
                f"log_chunks[{index}].content: at most {MAX_LOG_CHUNK:,} bytes, got {len(chunk.content):,}"
            )
        check_length(f"log_chunks[{index}].error", chunk.error, MAX_WAITING)


def _check_swept(swept: Swept) -> None:
    check_text("swept.request_id", swept.request_id, MAX_ID, least=1)
    check_count("swept.found", len(swept.found), MAX_FOUND)
    for index, found in enumerate(swept.found):
        _check_uri(f"swept.found[{index}].path", found.path)
    check_count("swept.logged_experiments", len(swept.logged_experiments), MAX_LOGGED)
    check_length("swept.error", swept.error, MAX_WAITING)


def check_hello(hello: Hello) -> None:
    """Raises InvalidInput where a worker does not say properly who it is."""
    check_text("hello.session_id", hello.session_id, MAX_ID, least=1)
    if hello.secret:
        check_text("hello.secret", hello.secret, MAX_ID, least=LEAST_SECRET)
    for name in ("worker", "version", "host"):
        check_text(f"hello.{name}", getattr(hello, name), MAX_WORKER_TEXT)
    _check_number("hello.slots", hello.slots, 1, MAX_SLOTS)
    _check_number("hello.pid", hello.pid, 0, 2**31 - 1)
    check_count("hello.gpus", len(hello.gpus), MAX_GPUS)
    for index, gpu in enumerate(hello.gpus):
        check_text(f"hello.gpus[{index}].uuid", gpu.uuid, MAX_WORKER_TEXT)
        check_text(f"hello.gpus[{index}].model", gpu.model, MAX_WORKER_TEXT)
        _check_number(f"hello.gpus[{index}].memory_bytes", gpu.memory_bytes, 0, MAX_RESOURCE)
    _check_labels(hello.labels)
    check_count("hello.held", len(hello.held), MAX_HELD)
    check_count("hello.experiment_ids", len(hello.experiment_ids), MAX_HELD)


def _check_labels(labels: Mapping[str, str]) -> None:
    check_count("hello.labels", len(labels), MAX_LABELS)
    for key, value in labels.items():
        check_text("hello.labels", key, MAX_WORKER_TEXT, what="a key")
        check_text(f"hello.labels.{key}", value, MAX_WORKER_TEXT)


def _check_event(index: int, happened: LeaseEvent, database_id: str) -> None:
    """On the path of every report: a few comparisons, and words only where something is wrong."""
    if happened.sequence < 1:
        raise InvalidInput(f"events[{index}].sequence: must be at least 1, got {happened.sequence}")
    event = happened.event
    if isinstance(event, Measurement):
        if not 1 <= event.resource <= MAX_RESOURCE:
            _check_number(f"events[{index}].measurement.resource", event.resource, 1, MAX_RESOURCE)
        metrics = event.metrics
        if not metrics.keys() <= _known_names or len(metrics) > MAX_METRICS:
            _check_metrics(f"events[{index}].measurement.metrics", metrics)
    elif isinstance(event, CheckpointSaved):
        _check_checkpoint(f"events[{index}].checkpoint_saved", event, happened.lease, database_id)
    elif isinstance(event, Exit):
        check_length(f"events[{index}].exit.error", event.error, MAX_ERROR)
    if happened.broken_checkpoints:
        check_length(f"events[{index}].broken_checkpoints", happened.broken_checkpoints, MAX_ERROR)
        check_count(f"events[{index}].broken_uris", len(happened.broken_uris), MAX_BROKEN)
        for uri in happened.broken_uris:
            _check_uri(f"events[{index}].broken_uris", uri)
        if happened.started_from:
            _check_uri(f"events[{index}].started_from", happened.started_from)


def _check_checkpoint(path: str, saved: CheckpointSaved, lease: LeaseRef, database_id: str) -> None:
    """Only a path in the lease's own folder is taken: whatever it says is deleted one day, by another worker."""
    _check_uri(f"{path}.path", saved.path)
    place = CheckpointPath.parse(saved.path)
    known = place is not None and str(place) == saved.path and not place.partial
    if place is None or not known or (*place.trial, place.token, place.resource) != (*lease, saved.resource):
        expected = f"<database_id>/{lease.experiment_id}/{lease.trial_id}/{lease.token}-{saved.resource}-<random>"
        raise InvalidInput(f"{path}.path: must be {expected}, below the experiment's storage, got {saved.path[:200]!r}")
    if place.database_id != (database_id or place.database_id):
        raise InvalidInput(f"{path}.path: the database is {database_id}, got {place.database_id!r}")
    _check_number(f"{path}.resource", saved.resource, 0, MAX_RESOURCE)
    _check_number(f"{path}.size_bytes", saved.size_bytes, 0, MAX_RESOURCE)
    check_text(f"{path}.checksum", saved.checksum, MAX_CHECKSUM)


def _check_uri(path: str, uri: str) -> None:
    """Of one that is told back, whatever was let in when it was saved."""
    check_length(path, uri, MAX_URI_BYTES)
    if not uri or "\0" in uri:
        raise InvalidInput(f"{path}: must be a URI, got {uri[:100]!r}")
    if (size := len(uri.encode())) > MAX_URI_BYTES:
        raise InvalidInput(f"{path}: it has at most {MAX_URI_BYTES:,} bytes, got {size:,}")


#: Names of metrics that were found to be in order: the same few come again and again.
_known_names: set[str] = set()
_KNOWN_NAMES = 4_096


def _check_metrics(path: str, metrics: Mapping[str, float]) -> None:
    check_count(path, len(metrics), MAX_METRICS)
    for name in metrics:
        check_text(path, name, MAX_METRIC_NAME, least=1, what="a name")
    if len(_known_names) >= _KNOWN_NAMES:
        _known_names.clear()
    _known_names.update(metrics)


def check_count(path: str, found: int, limit: int) -> None:
    """Raises InvalidInput where a list or a mapping has too many entries."""
    if found > limit:
        raise InvalidInput(f"{path}: at most {limit:,} in one message, got {found:,}")


def check_length(path: str, text: str, limit: int, what: str = "it") -> None:
    """Raises InvalidInput where a text is too long."""
    if len(text) > limit:
        raise InvalidInput(f"{path}: {what} has at most {limit:,} characters, got {len(text):,}")


def check_text(path: str, text: str, limit: int, *, least: int = 0, what: str = "it") -> None:
    """Raises InvalidInput where a name is too long or too short, or has a character that nobody could see."""
    check_length(path, text, limit, what)
    if len(text) < least:
        raise InvalidInput(f"{path}: {what} has 1 to {limit:,} characters, got none")
    if problem := hidden_problem(text):
        raise InvalidInput(f"{path}: {what} {problem}")


def seconds_of(path: str, moment: Timestamp) -> float:
    """Seconds since 1970. Raises InvalidInput where no calendar has that time."""
    try:
        return moment.ToNanoseconds() / 1e9
    except ValueError:
        wrong = f"{moment.seconds} s and {moment.nanos} ns"
        raise InvalidInput(f"{path}: must be a time in the years 1 to 9999, got {wrong}") from None


def _check_number(path: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise InvalidInput(f"{path}: must be from {least:,} to {most:,}, got {number:,}")
