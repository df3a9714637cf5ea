"""Everything that waits to be sent to the master, gathered into bundles. No clock, and no I/O of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ...shared.wire.model import LeaseRef
from ...shared.wire.session import (
    CheckpointSaved,
    Exit,
    FailedDeletion,
    LeaseEvent,
    LogChunk,
    Measurement,
    SessionRequest,
    Swept,
    WorkRequest,
)
from .lease_log import LeaseLog, Memory, Spill

#: At most so many events in one bundle, and at most so many bytes, roughly: gRPC refuses messages above 4 MiB.
MAX_EVENTS = 1_000
MAX_BYTES = 1 << 20
#: At most so many metrics, all events together: what a master takes in one go.
MAX_VALUES = 10_000
#: Parts of logs in one bundle: what was measured is not to wait behind much else.
MAX_CHUNKS = 4


class Outbox:
    """What a worker has to say: events of its leases, its wish for work, that it drains, what it deleted."""

    def __init__(
        self,
        new_id: Callable[[], str],
        buffer: int,
        open_spill: Callable[[LeaseRef], Spill] | None = None,
        waits: Callable[[], str] = lambda: "",
    ) -> None:
        """`new_id` makes the ids of work requests; `buffer` is how many events all leases keep in memory together.

        What does not fit goes to what `open_spill` gives for each lease; where that is full, too, reports wait.
        `waits` says what the worker itself waits for, for people; empty for nothing.
        """
        self._new_id = new_id
        self._memory = Memory(buffer)
        self._open_spill = open_spill
        self._logs: dict[LeaseRef, LeaseLog] = {}
        self._request_id = new_id()
        self._free_slots = 0
        self._told_slots = 0
        self._draining = False
        self._told_draining = False
        self._deleted: list[str] = []
        self._not_deleted: list[FailedDeletion] = []
        self._swept: Swept | None = None
        self._log_chunks: deque[LogChunk] = deque()
        self._waits = waits
        self._told_waiting = ""
        self._waiting_is_due = False

    @property
    def held(self) -> tuple[LeaseRef, ...]:
        """The leases that are not over yet: training, or with events that the master has not acknowledged."""
        return tuple(self._logs)

    @property
    def draining(self) -> bool:
        """Whether the worker takes no more work."""
        return self._draining

    def open(self, lease: LeaseRef, request_id: str) -> bool:
        """Takes a lease on, as the answer to a work request. False for one that is held already."""
        if request_id == self._request_id:
            self._request_id = self._new_id()
            self._told_slots = 0
        if lease in self._logs:
            return False
        self._logs[lease] = LeaseLog(lease, self._memory, self._open_spill)
        return True

    def drop(self, lease: LeaseRef) -> None:
        """Forgets a lease and everything under it: it is another's now."""
        log = self._logs.pop(lease, None)
        if log is not None:
            log.close()

    def has_room(self, lease: LeaseRef) -> bool:
        """Whether the lease can take another measurement now."""
        log = self._logs.get(lease)
        return log is None or not log.full

    def record(self, lease: LeaseRef, event: Measurement | CheckpointSaved | Exit) -> int:
        """Adds an event to its lease and returns its sequence number; 0 for a lease that is not held any more."""
        log = self._logs.get(lease)
        return 0 if log is None else log.record(event)

    def checkpoints_broken(self, lease: LeaseRef, text: str, uris: tuple[str, ...], started_from: str) -> None:
        """The lease's next event tells of broken checkpoints."""
        log = self._logs.get(lease)
        if log is not None:
            log.checkpoints_broken(text, uris, started_from)

    def acknowledge(self, lease: LeaseRef, sequence: int) -> list[LeaseEvent]:
        """Everything of the lease up to `sequence` is durable; returns the events of which that is news."""
        log = self._logs.get(lease)
        if log is None:
            return []
        durable = log.acknowledge(sequence)
        if log.settled:
            self.drop(lease)
        return durable

    def give_up_what_is_lost(self) -> dict[LeaseRef, str]:
        """The leases that end here, since events of theirs were lost on this worker, and why."""
        given_up = {lease: log.give_up_what_is_lost() for lease, log in self._logs.items()}
        return {lease: why for lease, why in given_up.items() if why is not None}

    def set_free_slots(self, free: int) -> None:
        """Asks for an assignment of at most so many slots; 0 withdraws the wish."""
        self._free_slots = free

    def drain(self) -> None:
        """No more work."""
        self._draining = True

    def deleted(self, uri: str) -> None:
        """A checkpoint that the master wanted deleted is gone."""
        self._deleted.append(uri)

    def not_deleted(self, failed: FailedDeletion) -> None:
        """A checkpoint that the master wanted deleted is still there."""
        self._not_deleted.append(failed)

    def swept(self, swept: Swept) -> None:
        """The answer to the master's last question about a storage."""
        self._swept = swept

    def log_chunk(self, chunk: LogChunk) -> None:
        """The answer to a question about a log."""
        self._log_chunks.append(chunk)

    def reconnect(self) -> None:
        """A new stream to a master: what is not acknowledged has to be said again, and logs are asked for anew."""
        self._log_chunks.clear()
        for log in self._logs.values():
            log.reconnect()
        self._told_slots = 0
        self._told_draining = False
        self._told_waiting = ""
        self._waiting_is_due = True

    def waiting_changed(self) -> None:
        """What the worker waits for is told with the next bundle, and not with the next heartbeat only."""
        self._waiting_is_due = True

    def beat(self) -> None:
        """Called at each heartbeat, see LeaseLog.beat."""
        self._waiting_is_due = True
        for log in self._logs.values():
            log.beat()

    def bundle(self) -> SessionRequest | None:
        """Takes what is to be sent now, as one bundle of bounded size; None where there is nothing."""
        request = SessionRequest(
            work_request=self._take_work_request(),
            events=self._take_events(),
            draining=self._draining and not self._told_draining,
            deleted_checkpoints=tuple(self._deleted),
            failed_deletions=tuple(self._not_deleted),
            swept=self._swept,
            waiting=self._take_waiting() if self._waiting_is_due else None,
            log_chunks=tuple(self._log_chunks.popleft() for _ in range(min(MAX_CHUNKS, len(self._log_chunks)))),
        )
        self._told_draining = self._draining
        self._deleted.clear()
        self._not_deleted.clear()
        self._swept = None
        return None if request == SessionRequest() else request

    def _take_waiting(self) -> str | None:
        """What is waited for where that is news."""
        self._waiting_is_due = False
        told, self._told_waiting = self._told_waiting, self._waits()
        return None if told == self._told_waiting else self._told_waiting

    def _take_work_request(self) -> WorkRequest | None:
        wanted = 0 if self._draining else self._free_slots
        if wanted == self._told_slots:
            return None
        self._told_slots = wanted
        return WorkRequest(self._request_id, wanted)

    def _take_events(self) -> tuple[LeaseEvent, ...]:
        events: list[LeaseEvent] = []
        room, values = MAX_BYTES, MAX_VALUES
        for log in self._logs.values():
            for event in log.unsent(MAX_EVENTS - len(events)):
                room -= _size(event)
                values -= len(event.event.metrics) if isinstance(event.event, Measurement) else 0
                if events and (room < 0 or values < 0):
                    return tuple(events)
                events.append(event)
                log.sent(event.sequence)
        return tuple(events)


def _size(event: LeaseEvent) -> int:
    """About how many bytes an event takes in a message; never less than it does."""
    uris = (*event.broken_uris, event.started_from)
    note = 4 * len(event.broken_checkpoints) + sum(16 + 4 * len(uri) for uri in uris)
    match event.event:
        case Measurement(metrics=metrics):
            return note + 64 + sum(4 * len(name) + 16 for name in metrics)
        case CheckpointSaved(path=path):
            return note + 192 + 4 * len(path)
        case Exit(error=error):
            return note + 64 + 4 * len(error)
