"""What is written of a lease that begins, of a decision about a trial, of a failure and of a checkpoint. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ...shared.checkpoints.paths import CheckpointPath
from ...shared.text.failure_text import summary
from ...shared.wire.model import TrialState
from ...shared.wire.session import Decision, DecisionKind
from ..search.interface import SearchDecision
from .changes import CheckpointRow, LeaseRow, TrialRow
from .ranks import finite


class Answer(NamedTuple):
    """What the worker is told: the sequence that is now recorded, and a decision where there is one."""

    acknowledged: int
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """The worker's session that takes a lease."""

    session_id: str
    worker: str
    #: Whether no other worker is there.
    alone: bool = True


def new_lease(
    trial: TrialRow, holder: Holder, request_id: str, *, slots: int, from_resource: int, now: float
) -> LeaseRow:
    """A lease under the trial's token, toward its target, of which nothing is known yet."""
    return LeaseRow(
        trial.experiment_id,
        trial.trial_id,
        trial.token,
        holder.session_id,
        holder.worker,
        request_id,
        slots=slots,
        from_resource=from_resource,
        target=trial.target,
        decision="",
        decision_sequence=0,
        start_time=now,
        end_time=None,
        outcome="",
        error="",
        last_sequence=0,
    )


def asks_to_save(lease: LeaseRow, trial: TrialRow) -> bool:
    """Whether what was decided about a trial under its lease asks for a checkpoint."""
    return lease.save or lease.decision == DecisionKind.PAUSE or trial.state == TrialState.COMPLETED


def verdict_data(trial: TrialRow, verdict: SearchDecision, resource: int, metric: float | None) -> dict[str, Any]:
    """What the journal tells of a decision: where the trial stood, with what, and what becomes of it.

    A replay compares all of it but the reason, which is for people.
    """
    standing = verdict.standing
    return {
        "action": verdict.action.value,
        "bracket": trial.bracket_id,
        "rung": trial.rung_id,
        "resource": resource,
        "metric": metric if metric is None or finite(metric) is not None else str(metric),
        "target": verdict.target,
        **(standing._asdict() if standing is not None else {}),
        "reason": verdict.reason,
    }


def decision_on(lease: LeaseRow, trial: TrialRow, reason: str = "") -> Decision:
    """What the holder of a lease is told, as its row has it; `reason` is for people."""
    kind = DecisionKind(lease.decision)
    return Decision(
        lease.ref,
        lease.decision_sequence,
        kind,
        target=lease.target if kind is DecisionKind.CONTINUE else 0,
        save_checkpoint=asks_to_save(lease, trial),
        reason=reason or trial.state_reason,
    )


def failure_of(trial: TrialRow, error: str) -> str:
    """How often a trial failed, and with what."""
    times = "once" if trial.restarts == 1 else f"{trial.restarts} times, the last time"
    return f"failed {times} with: {summary(error)}"


def lies_in_its_part(row: CheckpointRow) -> bool:
    """Whether a checkpoint lies in its database's part of the storage, as those of older versions do not."""
    place = CheckpointPath.parse(row.uri)
    return place is not None and bool(place.database_id)
