"""Workers that train as real ones do, at a given pace: report, hear the decision, obey it, ask for more."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

from load import Session
from rungmaster.proto.v1 import worker_pb2

CHECKPOINT_BYTES = 10_000_000


@dataclass(slots=True)
class Times:
    """Seconds from a report to the answer to it: its acknowledgement, or at a target the decision."""

    acknowledged: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)

    def add(self, other: Times) -> None:
        """Takes over another's."""
        self.acknowledged += other.acknowledged
        self.decided += other.decided


class Trainer:
    """One session that trains: `pace` steps a second at random intervals, of one unit or straight to the target.

    With `echo` it is one with the floor, where every answer counts as a decision.
    """

    def __init__(
        self, session: Session, pace: float, metrics: random.Random, echo: bool = False, to_target: bool = False
    ) -> None:
        self._session = session
        self._pace = pace
        self._random = metrics
        self._echo = echo
        self._to_target = to_target
        self._resource = 0
        self._sequence = 0

    async def begin(self) -> None:
        """Gets the first assignment."""
        await self._session.ask()

    async def train(self, deadline: float) -> Times:
        """Trains until the deadline."""
        times = Times()
        due = time.monotonic() + self._random.expovariate(self._pace)
        while max(due, now := time.monotonic()) < deadline:
            await asyncio.sleep(max(0.0, due - now))
            await self._step(times)
            due += self._random.expovariate(self._pace)
        return times

    def _event(self, **what: Any) -> worker_pb2.LeaseEvent:
        self._sequence += 1
        return worker_pb2.LeaseEvent(lease=self._session.lease, sequence=self._sequence, **what)

    async def _step(self, times: Times) -> None:
        self._resource = self._session.target if self._to_target else self._resource + 1
        metrics = {"validation_error": self._random.random(), "accuracy": 0.5}
        event = self._event(measurement=worker_pb2.Measurement(resource=self._resource, metrics=metrics))
        at_target = self._resource >= self._session.target and not self._echo
        start = time.monotonic()
        await self._session.write(worker_pb2.SessionRequest(events=[event]))
        decision = await self._answer(event.sequence, at_target)
        (times.decided if at_target or self._echo else times.acknowledged).append(time.monotonic() - start)
        if decision is not None:
            await self._obey(decision)

    async def _answer(self, sequence: int, at_target: bool) -> worker_pb2.Decision | None:
        while True:
            answer = await self._session.read()
            await self._delete(answer)
            for decision in answer.decisions:
                if decision.sequence == sequence:
                    return decision
            if not at_target and any(known.sequence >= sequence for known in answer.acknowledgements):
                return None

    async def _delete(self, answer: worker_pb2.SessionResponse) -> None:
        if answer.delete_checkpoints:
            await self._session.write(worker_pb2.SessionRequest(deleted_checkpoints=answer.delete_checkpoints))

    async def _obey(self, decision: worker_pb2.Decision) -> None:
        if decision.kind == worker_pb2.DECISION_KIND_CONTINUE:
            self._session.target = decision.target
            return
        events = []
        if decision.save_checkpoint:
            lease = decision.lease
            trial = f"{self._session.database_id}/{lease.experiment_id}/{lease.trial_id}"
            path = f"{trial}/{lease.token}-{self._resource}-0123456789abcdef"
            saved = worker_pb2.CheckpointSaved(
                path=path, resource=self._resource, size_bytes=CHECKPOINT_BYTES, checksum="0" * 64
            )
            events.append(self._event(checkpoint_saved=saved))
        events.append(self._event(exit=worker_pb2.Exit(outcome=worker_pb2.EXIT_OUTCOME_RELEASED)))
        await self._session.write(worker_pb2.SessionRequest(events=events))
        start = await self._session.ask()
        self._sequence, self._resource = 0, start
