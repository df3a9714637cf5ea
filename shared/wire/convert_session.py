"""The session between worker and master: protobuf messages to plain values and back.

`…_from_proto` raises InvalidInput for a message that no worker or master of this version sends.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ...proto.v1 import worker_pb2 as pb
from ..errors import InvalidInput
from ..limits import first_of, last_of
from .convert_basics import (
    document_from_json,
    document_to_json,
    duration_to_proto,
    goal_from_proto,
    gpu_from_proto,
    gpu_to_proto,
    lease_ref_from_proto,
    lease_ref_to_proto,
    seconds_of,
)
from .convert_sweeps import sweep_from_proto, sweep_to_proto, swept_from_proto, swept_to_proto
from .model import LeaseRef
from .session import (
    Acknowledgement,
    Assignment,
    CheckpointRef,
    CheckpointSaved,
    Decision,
    DecisionKind,
    Exit,
    ExitOutcome,
    FailedDeletion,
    Hello,
    LeaseEvent,
    LeaseLost,
    Measurement,
    SessionRequest,
    SessionResponse,
    Welcome,
    WorkRequest,
)

_OUTCOMES = {
    ExitOutcome.RELEASED: pb.EXIT_OUTCOME_RELEASED,
    ExitOutcome.FAILED: pb.EXIT_OUTCOME_FAILED,
    ExitOutcome.INVALID_HPARAMS: pb.EXIT_OUTCOME_INVALID_HPARAMS,
    ExitOutcome.WORKER_FAULT: pb.EXIT_OUTCOME_WORKER_FAULT,
    ExitOutcome.GIVEN_BACK: pb.EXIT_OUTCOME_GIVEN_BACK,
    ExitOutcome.CANNOT_START: pb.EXIT_OUTCOME_CANNOT_START,
    ExitOutcome.ENVIRONMENT: pb.EXIT_OUTCOME_ENVIRONMENT,
}
_OUTCOMES_BACK = {number: outcome for outcome, number in _OUTCOMES.items()}
#: The highest outcome that a master knows which does not say it.
_FIRST_OUTCOMES = int(pb.EXIT_OUTCOME_WORKER_FAULT)
#: What an older master is told instead of an outcome that it does not know.
_NEAREST = {
    ExitOutcome.GIVEN_BACK: ExitOutcome.RELEASED,
    ExitOutcome.CANNOT_START: ExitOutcome.WORKER_FAULT,
    ExitOutcome.ENVIRONMENT: ExitOutcome.GIVEN_BACK,
}
_KINDS = {
    DecisionKind.CONTINUE: pb.DECISION_KIND_CONTINUE,
    DecisionKind.PAUSE: pb.DECISION_KIND_PAUSE,
    DecisionKind.STOP: pb.DECISION_KIND_STOP,
}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}


def session_request_to_proto(request: SessionRequest, exit_outcomes: int = len(ExitOutcome)) -> pb.SessionRequest:
    """A bundle from the worker as a message. `exit_outcomes`: the highest outcome that the master knows."""
    message = pb.SessionRequest(
        events=[_event_to_proto(event, exit_outcomes) for event in request.events],
        draining=request.draining,
        deleted_checkpoints=request.deleted_checkpoints,
        swept=None if request.swept is None else swept_to_proto(request.swept),
        failed_deletions=[pb.FailedDeletion(uri=f.uri, error=first_of(f.error)) for f in request.failed_deletions],
        waiting=None if request.waiting is None else first_of(request.waiting),
    )
    if request.hello is not None:
        message.hello.CopyFrom(_hello_to_proto(request.hello))
    if request.work_request is not None:
        asked = request.work_request
        message.work_request.CopyFrom(pb.WorkRequest(request_id=asked.request_id, free_slots=asked.free_slots))
    return message


def session_request_from_proto(
    message: pb.SessionRequest, events: Iterable[pb.LeaseEvent] | None = None
) -> SessionRequest:
    """A bundle from the worker as a value; with those `events` only, where they are given."""
    asked = message.work_request if message.HasField("work_request") else None
    return SessionRequest(
        hello=_hello_from_proto(message.hello) if message.HasField("hello") else None,
        work_request=WorkRequest(asked.request_id, asked.free_slots) if asked is not None else None,
        events=events_from_proto(message.events if events is None else events),
        draining=message.draining,
        deleted_checkpoints=tuple(message.deleted_checkpoints) if message.deleted_checkpoints else (),
        swept=swept_from_proto(message.swept) if message.HasField("swept") else None,
        failed_deletions=tuple([FailedDeletion(failed.uri, failed.error) for failed in message.failed_deletions]),
        waiting=message.waiting if message.HasField("waiting") else None,
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
        message.assignments.extend([_assignment_to_proto(assignment) for assignment in response.assignments])
    for lost in response.lost_leases:
        message.lost_leases.add(lease=lease_ref_to_proto(lost.lease), reason=lost.reason)
    if response.delete_checkpoints:
        message.delete_checkpoints.extend(response.delete_checkpoints)
    if response.drain:
        message.drain = True
    if response.sweep is not None:
        message.sweep.CopyFrom(sweep_to_proto(response.sweep))
    if response.welcome is not None:
        message.welcome.CopyFrom(_welcome_to_proto(response.welcome))
    return message


def _lease_fields(lease: LeaseRef) -> dict[str, int]:
    """What protobuf makes a LeaseRef from, at half the cost of making it first and copying it then."""
    return {"experiment_id": lease.experiment_id, "trial_id": lease.trial_id, "token": lease.token}


def session_response_from_proto(message: pb.SessionResponse) -> SessionResponse:
    """A bundle from the master as a value."""
    return SessionResponse(
        welcome=_welcome_from_proto(message.welcome) if message.HasField("welcome") else None,
        assignments=tuple(_assignment_from_proto(assignment) for assignment in message.assignments),
        acknowledgements=tuple(
            Acknowledgement(lease_ref_from_proto(known.lease), known.sequence) for known in message.acknowledgements
        ),
        decisions=tuple(_decision_from_proto(decision) for decision in message.decisions),
        lost_leases=tuple(LeaseLost(lease_ref_from_proto(lost.lease), lost.reason) for lost in message.lost_leases),
        delete_checkpoints=tuple(message.delete_checkpoints),
        drain=message.drain,
        sweep=sweep_from_proto(message.sweep) if message.HasField("sweep") else None,
    )


def _hello_to_proto(hello: Hello) -> pb.Hello:
    return pb.Hello(
        session_id=hello.session_id,
        worker=hello.worker,
        slots=hello.slots,
        gpus=[gpu_to_proto(gpu) for gpu in hello.gpus],
        labels=dict(hello.labels),
        version=hello.version,
        host=hello.host,
        pid=hello.pid,
        held=[lease_ref_to_proto(lease) for lease in hello.held],
        experiment_ids=sorted(hello.experiment_ids),
        secret=hello.secret,
    )


def _hello_from_proto(message: pb.Hello) -> Hello:
    return Hello(
        session_id=message.session_id,
        worker=message.worker,
        slots=message.slots,
        gpus=tuple(gpu_from_proto(gpu) for gpu in message.gpus),
        labels=dict(message.labels),
        version=message.version,
        host=message.host,
        pid=message.pid,
        held=tuple(lease_ref_from_proto(lease) for lease in message.held),
        experiment_ids=frozenset(message.experiment_ids),
        secret=message.secret,
    )


def _event_to_proto(happened: LeaseEvent, exit_outcomes: int) -> pb.LeaseEvent:
    message = pb.LeaseEvent(lease=lease_ref_to_proto(happened.lease), sequence=happened.sequence)
    match happened.event:
        case Measurement(resource, metrics):
            message.measurement.CopyFrom(pb.Measurement(resource=resource, metrics=dict(metrics)))
        case CheckpointSaved(path, resource, size_bytes, checksum):
            message.checkpoint_saved.CopyFrom(
                pb.CheckpointSaved(path=path, resource=resource, size_bytes=size_bytes, checksum=checksum)
            )
        case Exit(outcome, error):
            known = outcome
            while _OUTCOMES[known] > exit_outcomes:
                known = _NEAREST[known]
            message.exit.CopyFrom(pb.Exit(outcome=_OUTCOMES[known], error=last_of(error)))
    message.broken_uris.extend(happened.broken_uris)
    if happened.broken_checkpoints:
        message.broken_checkpoints = last_of(happened.broken_checkpoints)
    return message


def events_from_proto(events: Iterable[pb.LeaseEvent]) -> tuple[LeaseEvent, ...]:
    """Events of a bundle as values."""
    # A list first: it costs half of what a generator does, and every report comes this way.
    return tuple([_event_from_proto(event) for event in events])


def _event_from_proto(message: pb.LeaseEvent) -> LeaseEvent:
    lease = message.lease
    ref = _lease_ref(lease.experiment_id, lease.trial_id, lease.token)
    kind = message.WhichOneof("event")
    if kind == "measurement":
        measured = message.measurement
        metrics = measured.metrics
        happened = Measurement(measured.resource, {name: metrics[name] for name in metrics})
    else:
        happened = _what_else(message, kind)
    return LeaseEvent(ref, message.sequence, happened, message.broken_checkpoints, tuple(message.broken_uris))


#: Most events are of the leases of the events before them; a value that never changes may be given twice.
_lease_ref = lru_cache(16_384)(LeaseRef)


def _what_else(message: pb.LeaseEvent, kind: str | None) -> CheckpointSaved | Exit:
    """What happens once or twice under a lease, where measurements come by the thousand."""
    match kind:
        case "checkpoint_saved":
            saved = message.checkpoint_saved
            return CheckpointSaved(saved.path, saved.resource, saved.size_bytes, saved.checksum)
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
        lease=lease_ref_to_proto(decision.lease),
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
    lease = lease_ref_from_proto(message.lease)
    return Decision(lease, message.sequence, kind, message.target, message.save_checkpoint, message.reason)


def _welcome_to_proto(welcome: Welcome) -> pb.Welcome:
    return pb.Welcome(
        term=welcome.term,
        lease_ttl=duration_to_proto(welcome.lease_ttl),
        heartbeat_interval=duration_to_proto(welcome.heartbeat_interval),
        version=welcome.version,
        exit_outcomes=welcome.exit_outcomes,
        database_id=welcome.database_id,
    )


def _welcome_from_proto(message: pb.Welcome) -> Welcome:
    return Welcome(
        term=message.term,
        lease_ttl=seconds_of(message.lease_ttl),
        heartbeat_interval=seconds_of(message.heartbeat_interval),
        version=message.version,
        exit_outcomes=message.exit_outcomes or _FIRST_OUTCOMES,
        database_id=message.database_id,
    )


def _assignment_to_proto(assignment: Assignment) -> pb.Assignment:
    message = pb.Assignment(
        request_id=assignment.request_id,
        lease=lease_ref_to_proto(assignment.lease),
        entrypoint=assignment.entrypoint,
        command=assignment.command,
        hparams_json=document_to_json(assignment.hparams),
        checkpoints=[
            pb.CheckpointRef(uri=saved.uri, resource=saved.resource, checksum=saved.checksum)
            for saved in assignment.checkpoints
        ],
        target=assignment.target,
        slots=assignment.slots,
        metric=assignment.metric,
        checkpoint_storage=assignment.checkpoint_storage,
        seed=assignment.seed,
        experiment_name=assignment.experiment_name,
        database_id=assignment.database_id,
        save_best=f"GOAL_{assignment.save_best.upper()}" if assignment.save_best else None,
        best_metric=assignment.best_metric,
        storage_used=assignment.storage_used,
        preload=None if assignment.preload is None else pb.Preload(modules=assignment.preload),
    )
    if assignment.checkpoint_interval is not None:
        message.checkpoint_interval.CopyFrom(duration_to_proto(assignment.checkpoint_interval))
    if assignment.progress_timeout is not None:
        message.progress_timeout.CopyFrom(duration_to_proto(assignment.progress_timeout))
    return message


def _assignment_from_proto(message: pb.Assignment) -> Assignment:
    return Assignment(
        request_id=message.request_id,
        lease=lease_ref_from_proto(message.lease),
        experiment_name=message.experiment_name,
        entrypoint=message.entrypoint,
        command=tuple(message.command),
        hparams=document_from_json(message.hparams_json, "hparams_json"),
        checkpoints=tuple(CheckpointRef(saved.uri, saved.resource, saved.checksum) for saved in message.checkpoints),
        target=message.target,
        slots=message.slots,
        metric=message.metric,
        checkpoint_storage=message.checkpoint_storage,
        checkpoint_interval=seconds_of(message.checkpoint_interval)
        if message.HasField("checkpoint_interval")
        else None,
        seed=message.seed,
        progress_timeout=seconds_of(message.progress_timeout) if message.HasField("progress_timeout") else None,
        database_id=message.database_id,
        save_best=goal_from_proto(message.save_best) if message.save_best else "",
        best_metric=message.best_metric if message.HasField("best_metric") else None,
        storage_used=message.storage_used,
        preload=tuple(message.preload.modules) if message.HasField("preload") else None,
    )
