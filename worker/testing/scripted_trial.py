"""One trial of a scripted master: what is decided about it, and what the worker said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ...shared.errors import InvalidInput
from ...shared.wire.session import (
    Assignment,
    CheckpointSaved,
    Decision,
    DecisionKind,
    Exit,
    ExitOutcome,
    LeaseEvent,
    Measurement,
)
from .alone import RecordedReport

ScriptedDecision = int | Literal["pause", "stop"]
"""What a trial does when it has reached its target: train on to a further one (in units), pause, or stop."""


@dataclass(eq=False, slots=True)
class ScriptedTrial:
    """One assignment: `decisions` are those that are left, `cut_at` the reports at which the stream is to be cut."""

    assignment: Assignment
    decisions: list[ScriptedDecision] = field(default_factory=list)
    cut_at: set[int] = field(default_factory=set)
    events: list[Measurement | CheckpointSaved | Exit] = field(default_factory=list)
    #: The last decision, and the resource of the next one.
    decision: Decision | None = None
    target: int = 0

    def __post_init__(self) -> None:
        self.target = self.assignment.target
        check_decisions(self.target, self.decisions)

    @property
    def reports(self) -> list[RecordedReport]:
        """What the training reported, as `train_alone` returns it."""
        return [RecordedReport(it.resource, dict(it.metrics)) for it in self.events if isinstance(it, Measurement)]

    @property
    def resources(self) -> list[int]:
        """Where the training reported, in units."""
        return [report.resource for report in self.reports]

    @property
    def saved(self) -> list[CheckpointSaved]:
        """The checkpoints, oldest first, each with its `resource`, `path` in the store, `size_bytes` and `checksum`."""
        return [event for event in self.events if isinstance(event, CheckpointSaved)]

    @property
    def exit(self) -> Exit | None:
        """How it ended; None while it has not."""
        return next((event for event in self.events if isinstance(event, Exit)), None)

    @property
    def outcome(self) -> ExitOutcome | None:
        """How it ended: `"released"` where it did as it was told; None while it has not ended."""
        return self.exit.outcome if self.exit else None

    @property
    def error(self) -> str:
        """What it failed of, with the end of its output; empty where it has not failed."""
        return self.exit.error if self.exit else ""

    def take(self, event: LeaseEvent) -> bool:
        """Takes an event down, unless it is there already or one before it is missing; whether it did."""
        new = event.sequence == len(self.events) + 1
        if new:
            self.events.append(event.event)
        return new

    def next_decision(self, resource: int) -> Decision:
        """What the script has for a report at or past the target; a stop at its end."""
        lease = self.assignment.lease
        while resource >= self.target:
            then = self.decisions.pop(0) if self.decisions else "stop"
            if not isinstance(then, int):
                return Decision(lease, 0, DecisionKind(then))
            self.target = then
        return Decision(lease, 0, DecisionKind.CONTINUE, self.target)


def check_decisions(target: int, decisions: Sequence[ScriptedDecision]) -> None:
    """Raises InvalidInput for targets that do not grow, and for decisions about a trial that has ended."""
    reached = 0
    for place, goal in enumerate((target, *decisions)):
        if not isinstance(goal, int):
            if place == len(decisions) and goal in ("pause", "stop"):
                continue
            raise InvalidInput(f'decisions: needs further targets, and "pause" or "stop" at the end, got {decisions}')
        if goal <= reached:
            raise InvalidInput(f"decisions: each target must be beyond the one before, got {goal} after {reached}")
        reached = goal
