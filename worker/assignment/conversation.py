"""What a worker answers its training process, request by request. No I/O of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from ...shared.errors import ENVIRONMENTAL, FailedPrecondition, InvalidInput, RungmasterError
from ...shared.limits import MAX_RESOURCE
from ...shared.wire.session import Decision, DecisionKind, Measurement
from ..trial.protocol import MAX_REASON, Reply, TrialStart, check_has_metric, checked_metrics, checked_resource, decode
from .best import BestSoFar


class Conversation:
    """One trial's local protocol: reports go out, decisions come in, at the target the first waits for the second."""

    def __init__(
        self,
        start: TrialStart,
        record: Callable[[Measurement], Awaitable[int]],
        take_checkpoint: Callable[[int, Path], Awaitable[None]],
        wants_checkpoint: Callable[[], bool],
        now: Callable[[], float],
        best: BestSoFar | None = None,
        ends_search: Callable[[float | None], bool] = lambda _: False,
    ) -> None:
        """`record` passes a measurement on and gives its sequence number; `take_checkpoint` takes a folder over. With
        `best` each report that improves it is followed by a checkpoint. One whose metric `ends_search` waits for the
        master's decision."""
        self._start = start
        self._record = record
        self._take_checkpoint = take_checkpoint
        self._wants_checkpoint = wants_checkpoint
        self._now = now
        self._best = best
        self._ends_search = ends_search
        self._lock = asyncio.Lock()
        self._wish: Decision | None = None
        #: Whether the master wants a checkpoint of a trial that goes on.
        self._asked_to_save = False
        self._waiting: tuple[int, asyncio.Event] | None = None
        self._answering = 0
        self.resource = start.resource
        self.target = start.target
        #: The pause or stop that the training process knows of.
        self.told: Reply | None = None
        self.invalid_reason: str | None = None
        self.fault_reason: str | None = None
        self.environment_reason: str | None = None
        self.cannot_start: str | None = None
        #: Why the last checkpoint was refused; None once one was taken over.
        self.refused: str | None = None
        #: Whether it has reported since it was told to end, and not begun to save.
        self.disobeys = False
        #: The longest time between two reports, in seconds.
        self.pace_s = 0.0
        self._last_report = now()
        #: When the training process last got an answer.
        self.last_answer = now()

    @property
    def busy(self) -> bool:
        """Whether the training process waits for an answer now."""
        return self._answering > 0

    @property
    def knows(self) -> bool:
        """Whether the training process was told to end."""
        return self.told is not None

    @property
    def lacks_checkpoint(self) -> bool:
        """Whether the training process was asked for a last checkpoint, and what it handed over was refused."""
        return self.told is not None and self.told.save and self.refused is not None

    def decide(self, decision: Decision) -> None:
        """Takes in what the master decided. A decision that was obeyed already changes nothing."""
        answers = self._waiting is not None and self._waiting[0] == decision.sequence
        if decision.kind is not DecisionKind.CONTINUE:
            self._wish = decision
        elif answers or decision.sequence == 0:
            self._wish = None
            self.target = max(self.target, decision.target)
            self._asked_to_save = self._asked_to_save or decision.save_checkpoint
        if self._waiting is not None and (answers or self._wish is not None):
            self._waiting[1].set()

    async def handle(self, line: bytes) -> dict[str, Any]:
        """The reply to one line."""
        self._answering += 1
        try:
            async with self._lock:
                return await self._reply(decode(line))
        except RungmasterError as error:
            return {"error": str(error)}
        except OSError as error:
            reason = f"the worker could not take the checkpoint over: {error}"
            if error.errno in ENVIRONMENTAL:
                self.environment_reason = reason
            else:
                self.fault_reason = reason
            return {"error": reason}
        finally:
            self._answering -= 1
            self.last_answer = self._now()

    async def _reply(self, request: Mapping[str, Any]) -> dict[str, Any]:
        match request.get("op"):
            case "start":
                return self._start.to_json()
            case "report":
                return (await self._report(request)).to_json()
            case "checkpoint":
                await self._checkpoint(request)
            case "invalid":
                self.invalid_reason = _reason(request)
            case "fault":
                self.fault_reason = _reason(request)
            case "cannot_start":
                self.cannot_start = _reason(request)
            case "environment":
                self.environment_reason = _reason(request)
            case other:
                known = "start, report, checkpoint, invalid, cannot_start, environment or fault"
                raise InvalidInput(f"op: {other!r} is not known; give {known}")
        return {"ok": True}

    async def _report(self, request: Mapping[str, Any]) -> Reply:
        if self.told is not None:
            self.disobeys = True
            raise FailedPrecondition(f"report: the trial was told to {self.told.decision}; exit with 0")
        resource = checked_resource(request.get("resource", self.resource + 1), self.resource)
        metrics = checked_metrics(request.get("metrics"))
        check_has_metric(self._start.metric, metrics, resource, self.target)
        sequence = await self._record(Measurement(resource, metrics))
        self.resource = resource
        self.pace_s, self._last_report = max(self.pace_s, self._now() - self._last_report), self._now()
        metric = metrics.get(self._start.metric)
        if (resource >= self.target or self._ends_search(metric)) and self._wish is None:
            await self._wait_for_decision(sequence)
        improved = self._best is not None and self._best.improves(metric)
        return self._answer(improved)

    async def _wait_for_decision(self, sequence: int) -> None:
        decided = asyncio.Event()
        self._waiting = (sequence, decided)
        try:
            await decided.wait()
        finally:
            self._waiting = None

    def _answer(self, improved: bool) -> Reply:
        asked, self._asked_to_save = self._asked_to_save, False
        if self._wish is None:
            return Reply("continue", self.target, improved or asked or self._wants_checkpoint())
        save = improved or self._wish.kind is DecisionKind.PAUSE or self._wish.save_checkpoint
        self.told = Reply("pause" if self._wish.kind is DecisionKind.PAUSE else "stop", self.target, save)
        return self.told

    async def _checkpoint(self, request: Mapping[str, Any]) -> None:
        resource, path = request.get("resource", self.resource), request.get("path")
        if isinstance(resource, bool) or not isinstance(resource, int) or not 1 <= resource <= MAX_RESOURCE:
            raise InvalidInput(f"resource: must be a whole number of units, from 1 to {MAX_RESOURCE}, got {resource!r}")
        if not isinstance(path, str) or not path.startswith("/"):
            raise InvalidInput(f"path: must be the absolute path of a folder that holds the checkpoint, got {path!r}")
        self.disobeys = False
        try:
            await self._take_checkpoint(resource, Path(path))
        except InvalidInput as error:
            self.refused = str(error)
            raise
        self.refused = None


def _reason(request: Mapping[str, Any]) -> str:
    reason = request.get("reason")
    if not isinstance(reason, str):
        raise InvalidInput(f"reason: must be a text, got {reason!r}")
    return reason[-MAX_REASON:]
