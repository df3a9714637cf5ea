"""The log of a trial for those who read it: from assignment to assignment, each from wherever it can be had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from ....proto.v1 import experiment_pb2 as pb
from ....shared.checkpoints.paths import log_path
from ....shared.checkpoints.storage import address_in
from ....shared.errors import FailedPrecondition, InvalidInput, NotFound, Unavailable
from ....shared.limits import MAX_RESOURCE, MAX_TAIL_LINES
from ....shared.wire.convert import to_message
from ....shared.wire.model import Lease, LeaseRef, TrialState
from ....shared.wire.session import LogChunk, LogRequest
from ...dispatcher.broadcast import Broadcast, Watcher
from ...ledger.read.queries.logs import TrialLeases
from ...ledger.read.reader import Reader
from .relay import LogRelay

#: Bytes of a log that are asked for at a time.
CHUNK = 32 * 1024
#: Seconds that a worker waits for something to be printed, and between two looks at a trial that prints nothing.
WAIT_S, PACE_S, PATIENCE_S = 5.0, 0.5, 2.0

Answers = AsyncGenerator[pb.ReadTrialLogResponse, None]


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """What is asked for, as in ReadTrialLogRequest; `tail_lines` None for everything."""

    experiment_id: int
    trial_id: int
    token: int
    follow: bool
    tail_lines: int | None
    from_token: int
    from_position: int

    @classmethod
    def of(cls, request: pb.ReadTrialLogRequest) -> LogQuestion:
        """Raises InvalidInput."""
        tail = request.tail_lines if request.HasField("tail_lines") else None
        if tail is not None and not 0 <= tail <= MAX_TAIL_LINES:
            raise InvalidInput(f"tail_lines: must be 0 to {MAX_TAIL_LINES:,}, got {tail}")
        if not 0 <= request.from_position <= MAX_RESOURCE:
            raise InvalidInput(f"from_position: must be 0 to {MAX_RESOURCE:,}, got {request.from_position}")
        who = request.experiment_id, request.trial_id, request.token
        return cls(*who, request.follow, tail, request.from_token, request.from_position)

    def wanted(self, leases: TrialLeases) -> list[Lease]:
        """The assignments that it is about. Raises NotFound where it names one that there is not."""
        if self.token and leases.lease(self.token) is None:
            told = ", ".join(str(lease.token) for lease in leases.leases) or "none"
            what = f"trial {self.trial_id} of experiment {self.experiment_id} has no assignment {self.token}"
            raise NotFound(f"{what}; it has {told}", experiment_id=self.experiment_id, trial_id=self.trial_id)
        found = [each for each in leases.leases if each.token >= self.from_token and self.token in (0, each.token)]
        return found[-1:] if self.tail_lines is not None and not self.from_token else found

    def not_started(self, leases: TrialLeases) -> FailedPrecondition:
        """The error for a trial that has printed nothing yet."""
        what = f"trial {self.trial_id} of experiment {self.experiment_id} has not started: it is {_state(leases)}"
        return FailedPrecondition(what, experiment_id=self.experiment_id, trial_id=self.trial_id)

    def waits(self, leases: TrialLeases) -> str:
        """What a trial without an assignment waits for; nothing of one that is just giving its own back."""
        if leases.state is TrialState.RUNNING:
            return ""
        reason = f" ({leases.state_reason})" if leases.state_reason else ""
        return f"trial {self.trial_id} is {_state(leases)}{reason}"


class TrialLogs:
    """Reads logs for those who ask. `relay` is None where there is no master, and so no worker to ask."""

    def __init__(
        self,
        reader: Reader,
        read: Callable[[Callable[[], TrialLeases]], Awaitable[TrialLeases]],
        broadcast: Broadcast,
        relay: LogRelay | None,
    ) -> None:
        self._reader = reader
        self._read = read
        self._broadcast = broadcast
        self._relay = relay

    async def answers(self, asked: LogQuestion) -> Answers:
        """What is printed, part by part. Raises NotFound, FailedPrecondition where the trial has not started."""
        follow = asked.follow and self._relay is not None
        with self._broadcast.watching(asked.experiment_id) as watcher:
            reading = _Reading(asked, follow, self._leases, self._relay, watcher)
            while True:
                leases = await reading.look()
                if not leases.leases and (leases.over or not follow):
                    raise asked.not_started(leases)
                for lease in asked.wanted(leases):
                    if lease.token > reading.done:
                        async for answer in reading.assignment(lease):
                            yield answer
                if not follow or leases.over or asked.token:
                    yield pb.ReadTrialLogResponse(done=True)
                    return
                for answer in reading.noted(asked.waits(leases)):
                    yield answer
                await reading.rest()

    async def _leases(self, experiment_id: int, trial_id: int) -> TrialLeases:
        return await self._read(lambda: self._reader.trial_leases(experiment_id, trial_id))


class _Reading:
    """One reader's way through the assignments of a trial."""

    def __init__(
        self,
        asked: LogQuestion,
        follow: bool,
        read: Callable[[int, int], Awaitable[TrialLeases]],
        relay: LogRelay | None,
        watcher: Watcher,
    ) -> None:
        self._asked = asked
        self._follow = follow
        self._read = read
        self._relay = relay
        self._watcher = watcher
        self._note = ""
        self._position = 0
        self._tail: int | None = None
        #: The token of the last assignment of which all is read.
        self.done = 0

    async def look(self) -> TrialLeases:
        """The trial as the ledger has it now."""
        self._watcher.forget()
        self._leases = await self._read(self._asked.experiment_id, self._asked.trial_id)
        return self._leases

    async def rest(self) -> None:
        """Returns when it is worth looking again."""
        await asyncio.sleep(PACE_S)
        await self._watcher.wait(PATIENCE_S)

    def noted(self, note: str) -> list[pb.ReadTrialLogResponse]:
        """What to say of what is waited for; nothing where it was said before."""
        told, self._note = self._note, note
        return [pb.ReadTrialLogResponse(note=note)] if note and note != told else []

    async def assignment(self, lease: Lease) -> Answers:
        """All that was printed under a lease."""
        resumed = lease.token == self._asked.from_token
        self._position = self._asked.from_position if resumed else 0
        self._tail = None if resumed or self._asked.from_token or self.done else self._asked.tail_lines
        yield pb.ReadTrialLogResponse(lease=to_message(lease), position=self._position)
        held: Lease | None = lease
        finished = False
        while held is not None and held.end_time is None and self._relay is not None and not finished:
            try:
                chunk = await self._ask(self._relay, self._leases.sessions[lease.token], lease, "")
            except Unavailable as error:
                # How long it is away changes all the time.
                why = str(error).partition(" (")[0]
                if not self._follow:
                    yield pb.ReadTrialLogResponse(lease=pb.Lease(token=lease.token), missing=str(error))
                    finished = True
                elif self._note != why:
                    self._note = why
                    yield pb.ReadTrialLogResponse(note=str(error))
                if not finished:
                    await self.rest()
                    held = (await self.look()).lease(lease.token)
                continue
            if answer := self._answer(lease, chunk):
                yield answer
            finished = not (chunk.more or (self._follow and chunk.running))
        if not finished and held is not None:
            async for answer in self._kept(held):
                yield answer
        self.done = lease.token

    async def _kept(self, lease: Lease) -> Answers:
        """What is left of an assignment that has ended: with the worker that trained, or in the storage."""
        leases, missing, errors = self._leases, False, list[str]()
        readers = self._relay.readers(leases.sessions[lease.token]) if self._relay is not None else []
        for session_id in readers:
            assert self._relay is not None
            try:
                chunk = await self._ask(self._relay, session_id, lease, leases.storage)
                while not chunk.missing:
                    if answer := self._answer(lease, chunk):
                        yield answer
                    if not chunk.more:
                        return
                    chunk = await self._ask(self._relay, session_id, lease, leases.storage)
                missing = True
            except Unavailable as error:
                errors.append(str(error))
        if self._relay is not None and lease.end_time is None:
            return
        yield pb.ReadTrialLogResponse(
            lease=pb.Lease(token=lease.token),
            position=self._position,
            missing=_why_missing(lease, leases.storage, missing, errors, self._relay),
            uri=address_in(leases.storage, log_path(leases.database_id, self._ref(lease))) if leases.storage else "",
        )

    async def _ask(self, relay: LogRelay, session_id: str, lease: Lease, storage: str) -> LogChunk:
        leases = self._leases
        request = LogRequest(
            "",
            self._ref(lease),
            self._position,
            CHUNK,
            leases.database_id,
            storage,
            self._tail,
            wait_s=WAIT_S if self._follow and not storage else 0.0,
        )
        await relay.pace.keep(CHUNK)
        return await relay.ask(session_id, lease.worker, request)

    def _answer(self, lease: Lease, chunk: LogChunk) -> pb.ReadTrialLogResponse | None:
        if chunk.missing or not (chunk.content or self._tail is not None):
            return None
        self._tail, self._note = None, ""
        self._position = chunk.position + len(chunk.content)
        if not chunk.content:
            return None
        about = pb.Lease(token=lease.token)
        return pb.ReadTrialLogResponse(lease=about, content=chunk.content, position=chunk.position)

    def _ref(self, lease: Lease) -> LeaseRef:
        return LeaseRef(self._asked.experiment_id, self._asked.trial_id, lease.token)


def _why_missing(lease: Lease, storage: str, missing: bool, errors: list[str], relay: LogRelay | None) -> str:
    if lease.end_time is None:
        return "its worker has it, and only a master can ask that one; there is none here"
    if errors and not missing:
        return f"it may be kept in {storage!r}, which no worker could read: {errors[-1]}"
    if not missing:
        here = "no master runs here" if relay is None else "no worker is connected"
        return f"it may be kept in {storage!r}, and {here} to read it"
    lost = "its worker was lost before it could keep it" if lease.outcome == "expired" else "it could not be kept"
    return f"nothing of it is in {storage!r}: nothing was printed, {lost}, or its worker's version does not"


def _state(leases: TrialLeases) -> str:
    return str(leases.state or "not made yet")
