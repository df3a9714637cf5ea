"""The one table of errors and gRPC status codes, used both ways: by master, client and worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2

from .. import errors
from ..errors import InvalidInput, InvalidSpec, LimitExceeded, Problem, RungmasterError, Unavailable
from ..text.visible import visible, visible_block

D = TypeVar("D", error_details_pb2.BadRequest, error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo)

#: The status of each kind of error; one that is not here has that of the kind that it is derived from.
CODES: dict[type[RungmasterError], grpc.StatusCode] = {
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.InternalError: grpc.StatusCode.INTERNAL,
    RungmasterError: grpc.StatusCode.INTERNAL,
}
#: The other way, where a status says no more; with what only gRPC itself or somebody in between answers.
_KINDS: dict[grpc.StatusCode, type[RungmasterError]] = {
    **{code: kind for kind, code in CODES.items() if code is not grpc.StatusCode.INTERNAL},
    grpc.StatusCode.OUT_OF_RANGE: InvalidInput,
    grpc.StatusCode.ALREADY_EXISTS: errors.FailedPrecondition,
    grpc.StatusCode.ABORTED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
}
#: Every kind by its name, which travels with its status.
ERRORS: dict[str, type[RungmasterError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, RungmasterError)
}
_CODE_OF_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_DOMAIN = "rungmaster"

#: Seconds after which a caller may come again when the master is out of reach or overloaded.
RETRY_S = 1


def kind_of(code: grpc.StatusCode) -> type[RungmasterError]:
    """What a status code means, where nothing else is known."""
    return _KINDS.get(code, RungmasterError)


def status_of(error: RungmasterError) -> status_pb2.Status:
    """The status of an error, with what a program can use in its details: its kind, and the ids that it speaks of."""
    family = type(error).__mro__
    code = next(CODES[kind] for kind in family if kind in CODES)
    status = status_pb2.Status(code=code.value[0], message=visible_block(str(error)))
    if isinstance(error, InvalidSpec):
        request = error_details_pb2.BadRequest()
        for problem in error.problems:
            request.field_violations.add(field=visible(problem.path), description=visible(problem.message))
        status.details.add().Pack(request)
    elif isinstance(error, LimitExceeded | Unavailable):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.seconds = RETRY_S
        status.details.add().Pack(retry)
    name = next(kind.__name__ for kind in family if ERRORS.get(kind.__name__) is kind)
    ids = {field: str(value) for field, value in error.ids.items()}
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=name, domain=_DOMAIN, metadata=ids))
    return status


def error_of(status: status_pb2.Status) -> RungmasterError:
    """The error of a status: the kind it was raised as, with its ids, or where it does not say what its code means."""
    text = visible_block(status.message)
    request = detail(status, error_details_pb2.BadRequest)
    if request is not None and request.field_violations:
        each = request.field_violations
        return InvalidSpec([Problem(visible(one.field), visible(one.description)) for one in each])
    kind = kind_of(_CODE_OF_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN))
    told = detail(status, error_details_pb2.ErrorInfo)
    if told is None or told.domain != _DOMAIN:
        return kind(text)
    kind = ERRORS.get(told.reason, kind)
    error = InvalidInput(text) if kind is InvalidSpec else kind(text)
    error.experiment_id, error.trial_id = (
        _number(told.metadata.get(name, "")) for name in ("experiment_id", "trial_id")
    )
    error.worker = visible(told.metadata["worker"]) if "worker" in told.metadata else None
    return error


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def detail(status: status_pb2.Status | None, kind: type[D]) -> D | None:
    """The first detail of a kind."""
    return next(_details(status, kind), None) if status is not None else None


def _details(status: status_pb2.Status, kind: type[D]) -> Iterator[D]:
    for packed in status.details:
        if packed.type_url.rpartition("/")[2] == kind.DESCRIPTOR.full_name:
            yield kind.FromString(packed.value)
