"""The session between worker and master: protobuf messages to plain values and back.

What comes with every report is converted by hand, the rest by names (`convert.py`). Measured with CPython 3.11, in
microseconds: an event is read in 2.8 (by names in 4.5), a decision is made in 1.4 (2.2) and read in 1.5 (2.9), a bundle
with one acknowledgement is made in 1.9 (5.3), and one with fifty is read in 50 (100).

`…_from_proto` raises InvalidInput for a message that no worker or master of this version sends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ...proto.v1 import worker_pb2 as pb
from ..errors import InvalidInput
from ..limits import first_of, last_of
from .convert import from_message, to_message, to_number
from .model import LeaseRef
from .session import (
    Acknowledgement,
    Assignment,
    CheckpointSaved,
    Decision,
    DecisionKind,
    Exit,
    ExitOutcome,
    FailedDeletion,
    Hello,
    LeaseEvent,
    LeaseLost,
    LogChunk,
    LogRequest,
    Measurement,
    SessionRequest,
    SessionResponse,
    Sweep,
    Swept,
    Welcome,
    WorkRequest,
)

_OUTCOMES: dict[ExitOutcome, Any] = {outcome: to_number(outcome) for outcome in ExitOutcome}
_OUTCOMES_BACK = {number: outcome for outcome, number in _OUTCOMES.items()}
#: The highest outcome that a master knows which does not say it.
_FIRST_OUTCOMES = int(pb.EXIT_OUTCOME_WORKER_FAULT)
#: What an older master is told instead of an outcome that it does not know.
_NEAREST = {
    ExitOutcome.GIVEN_BACK: ExitOutcome.RELEASED,
    ExitOutcome.CANNOT_START: ExitOutcome.WORKER_FAULT,
    ExitOutcome.ENVIRONMENT: ExitOutcome.GIVEN_BACK,
}
_KINDS: dict[DecisionKind, Any] = {kind: to_number(kind) for kind in DecisionKind}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}


def session_request_to_proto(request: SessionRequest, exit_outcomes: int = len(ExitOutcome)) -> pb.SessionRequest:
    """A bundle from the worker as a message. `exit_outcomes`: the highest outcome that the master knows."""
    swept = request.swept and replace(request.swept, error=first_of(request.swept.error))
    return pb.SessionRequest(
        hello=request.hello and to_message(request.hello),
        work_request=request.work_request and to_message(request.work_request),
        events=[_event_to_proto(event, exit_outcomes) for event in request.events],
        draining=request.draining,
        deleted_checkpoints=request.deleted_checkpoints,
        failed_deletions=[pb.FailedDeletion(uri=f.uri, error=first_of(f.error)) for f in request.failed_deletions],
        swept=swept and to_message(swept),
        waiting=None if request.waiting is None else first_of(request.waiting),
        log_chunks=[to_message(replace(chunk, error=first_of(chunk.error))) for chunk in request.log_chunks],
    )


def session_request_from_proto(
    message: pb.SessionRequest, events: Iterable[pb.LeaseEvent] | None = None
) -> SessionRequest:
    """A bundle from the worker as a value; with those `events` only, where they are given."""
    return SessionRequest(
        hello=from_message(message.hello, Hello) if message.HasField("hello") else None,
        work_request=from_message(message.work_request, WorkRequest) if message.HasField("work_request") else None,
        events=events_from_proto(message.events if events is None else events),
        draining=message.draining,
        deleted_checkpoints=tuple(message.deleted_checkpoints) if message.deleted_checkpoints else (),
        failed_deletions=tuple([FailedDeletion(failed.uri, failed.error) for failed in message.failed_deletions]),
        swept=from_message(message.swept, Swept) if message.HasField("swept") else None,
        waiting=message.waiting if message.HasField("waiting") else None,
        log_chunks=tuple([from_message(chunk, LogChunk) for chunk in message.log_chunks]) if message.log_chunks else (),
    )


def session_response_to_proto(response: SessionResponse) -> pb.SessionResponse:
    """A bundle from the master as a message."""
    acknowledgements = [
        {"lease": _lease_fields(known.lease), "sequence": known.sequence} for known in response.acknowledgements
    ]
    message = pb.SessionResponse(acknowledgements=acknowledgements)
    if response.decisions:
        message.decisions.extend([_decision_to_proto(decision) for decision in response.decisions])
    if response.assignments:
        message.assignments.extend(map(to_message, response.assignments))
    if response.lost_leases:
        message.lost_leases.extend(map(to_message, response.lost_leases))
    if response.delete_checkpoints:
        message.delete_checkpoints.extend(response.delete_checkpoints)
    if response.drain:
        message.drain = True
    if response.sweep is not None:
        message.sweep.CopyFrom(to_message(response.sweep))
    if response.log_requests:
        message.log_requests.extend(map(to_message, response.log_requests))
    if response.welcome is not None:
        message.welcome.CopyFrom(to_message(response.welcome))
    return message


def _lease_fields(lease: LeaseRef) -> dict[str, int]:
    """What protobuf makes a LeaseRef from, at half the cost of making it first and copying it then."""
    return {"experiment_id": lease.experiment_id, "trial_id": lease.trial_id, "token": lease.token}


def session_response_from_proto(message: pb.SessionResponse) -> SessionResponse:
    """A bundle from the master as a value."""
    return SessionResponse(
        welcome=_welcome_from_proto(message.welcome) if message.HasField("welcome") else None,
        assignments=tuple(from_message(assignment, Assignment) for assignment in message.assignments),
        acknowledgements=tuple(
            Acknowledgement(_ref(known.lease), known.sequence) for known in message.acknowledgements
        ),
        decisions=tuple(_decision_from_proto(decision) for decision in message.decisions),
        lost_leases=tuple(from_message(lost, LeaseLost) for lost in message.lost_leases),
        delete_checkpoints=tuple(message.delete_checkpoints),
        drain=message.drain,
        sweep=from_message(message.sweep, Sweep) if message.HasField("sweep") else None,
        log_requests=tuple(from_message(request, LogRequest) for request in message.log_requests),
    )


def _event_to_proto(happened: LeaseEvent, exit_outcomes: int) -> pb.LeaseEvent:
    match happened.event:
        case Measurement(resource, metrics):
            what: dict[str, Any] = {"measurement": {"resource": resource, "metrics": metrics}}
        case CheckpointSaved() as saved:
            what = {"checkpoint_saved": to_message(saved)}
        case Exit(outcome, error):
            known = outcome
            while _OUTCOMES[known] > exit_outcomes:
                known = _NEAREST[known]
            what = {"exit": {"outcome": _OUTCOMES[known], "error": last_of(error)}}
    return pb.LeaseEvent(
        lease=_lease_fields(happened.lease),
        sequence=happened.sequence,
        broken_checkpoints=last_of(happened.broken_checkpoints) if happened.broken_checkpoints else "",
        broken_uris=happened.broken_uris,
        started_from=happened.started_from,
        **what,
    )


def events_from_proto(events: Iterable[pb.LeaseEvent]) -> tuple[LeaseEvent, ...]:
    """Events of a bundle as values."""
    # A list first: it costs half of what a generator does, and every report comes this way.
    return tuple([_event_from_proto(event) for event in events])


def _event_from_proto(message: pb.LeaseEvent) -> LeaseEvent:
    kind = message.WhichOneof("event")
    if kind == "measurement":
        measured = message.measurement
        metrics = measured.metrics
        happened = Measurement(measured.resource, {name: metrics[name] for name in metrics})
    else:
        happened = _what_else(message, kind)
    lease, uris = _ref(message.lease), tuple(message.broken_uris)
    return LeaseEvent(lease, message.sequence, happened, message.broken_checkpoints, uris, message.started_from)


def _ref(message: pb.LeaseRef) -> LeaseRef:
    return _lease_ref(message.experiment_id, message.trial_id, message.token)


#: Most events are of the leases of the events before them; a value that never changes may be given twice.
_lease_ref = lru_cache(16_384)(LeaseRef)


def _what_else(message: pb.LeaseEvent, kind: str | None) -> CheckpointSaved | Exit:
    """What happens once or twice under a lease, where measurements come by the thousand."""
    match kind:
        case "checkpoint_saved":
            return from_message(message.checkpoint_saved, CheckpointSaved)
        case "exit":
            outcome = _OUTCOMES_BACK.get(message.exit.outcome)
            if outcome is None:
                known = f"give one of 1 to {max(_OUTCOMES_BACK)}"
                raise InvalidInput(f"events.exit.outcome: {message.exit.outcome} is not known here; {known}")
            return Exit(outcome, message.exit.error)
        case _:
            raise InvalidInput("events: an event is a measurement, a checkpoint_saved or an exit, and this one is none")


def _decision_to_proto(decision: Decision) -> pb.Decision:
    return pb.Decision(
        lease=_lease_fields(decision.lease),
        sequence=decision.sequence,
        kind=_KINDS[decision.kind],
        target=decision.target,
        save_checkpoint=decision.save_checkpoint,
        reason=decision.reason,
    )


def _decision_from_proto(message: pb.Decision) -> Decision:
    kind = _KINDS_BACK.get(message.kind)
    if kind is None:
        raise InvalidInput(f"decisions.kind: {message.kind} is not known here; is the master newer than this program?")
    lease = _ref(message.lease)
    return Decision(lease, message.sequence, kind, message.target, message.save_checkpoint, message.reason)


def _welcome_from_proto(message: pb.Welcome) -> Welcome:
    welcome = from_message(message, Welcome)
    return replace(welcome, exit_outcomes=welcome.exit_outcomes or _FIRST_OUTCOMES)
