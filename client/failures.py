"""What a failed call means: gRPC status codes turned into the errors of `shared/errors.py`."""

from __future__ import annotations

import re
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from ..shared.errors import (
    DatabaseError,
    FailedPrecondition,
    InvalidInput,
    InvalidSpec,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    Problem,
    RungmasterError,
    Unauthenticated,
    Unavailable,
)
from ..shared.net.diagnosis import may_be_tls
from ..shared.text.visible import visible, visible_block

D = TypeVar("D", bound=Message)

_ERRORS: dict[grpc.StatusCode, type[RungmasterError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.OUT_OF_RANGE: InvalidInput,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.ALREADY_EXISTS: FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitExceeded,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
}

#: What a gRPC server says by itself, with nothing else to tell it by.
_TOO_MANY_CALLS = "Concurrent RPC limit exceeded!"
_TOO_LARGE = re.compile(r"(Received|Sent) message larger than max \((\d+) vs\. (\d+)\)")

_OUT_OF_REACH = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.CANCELLED)


def is_temporary(error: grpc.RpcError) -> bool:
    """Whether the same call may succeed soon, here or at another master.

    A deadline that passed is temporary too: whether the call took effect is unknown, and every call may be repeated.
    Of RESOURCE_EXHAUSTED only the overload is, which carries a RetryInfo, or is gRPC's own refusal of more calls at
    once; a message that is too large stays so.
    """
    code = code_of(error)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _text_of(error) == _TOO_MANY_CALLS or _detail(error, error_details_pb2.RetryInfo) is not None
    return code in _OUT_OF_REACH or code is grpc.StatusCode.DEADLINE_EXCEEDED


def is_perhaps_tls(error: grpc.RpcError) -> bool:
    """Whether the call may have failed since TLS is set up differently at the two ends."""
    return code_of(error) is grpc.StatusCode.UNAVAILABLE and may_be_tls(_text_of(error))


def to_error(error: grpc.RpcError, address: str, waited: float) -> RungmasterError:
    """The error that a caller sees for a call to `address` that failed after `waited` seconds in all."""
    code, text = code_of(error), _text_of(error)
    if code in _OUT_OF_REACH or code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable(_out_of_reach(code, text, address, waited))
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return _invalid(error, text)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return RungmasterError(f"what answers at {address} is no rungmaster master, or one of another version: {text}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and (sizes := _TOO_LARGE.search(text)):
        return InvalidInput(
            f"a message of {int(sizes[2]):,} bytes is too large: at most {int(sizes[3]):,} are taken at once; "
            "give a smaller spec, or ask for smaller pages"
        )
    if code in _ERRORS:
        return _ERRORS[code](text)
    if address.startswith("unix:"):
        # The process that reads a database for this one: it has no other errors of its own.
        return DatabaseError(text)
    return RungmasterError(f"the master at {address} answered {code.name}: {text}")


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    """The status code of a failed call."""
    return error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN


def _text_of(error: grpc.RpcError) -> str:
    return visible_block((error.details() if isinstance(error, grpc.Call) else None) or "no reason given")


def _out_of_reach(code: grpc.StatusCode, text: str, address: str, waited: float) -> str:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the master at {address} did not answer within {waited:.0f} s; is it overloaded, or the address wrong?"
    return f"no master answers at {address} (tried for {waited:.0f} s); is it running, and the address right? {text}"


def _invalid(error: grpc.RpcError, text: str) -> InvalidInput:
    request = _detail(error, error_details_pb2.BadRequest)
    if request is None or not request.field_violations:
        return InvalidInput(text)
    return InvalidSpec(
        [Problem(visible(violation.field), visible(violation.description)) for violation in request.field_violations]
    )


def _detail(error: grpc.RpcError, kind: type[D]) -> D | None:
    status = _status(error)
    for packed in status.details if status else ():
        if packed.type_url.rpartition("/")[2] == kind.DESCRIPTOR.full_name:
            return kind.FromString(packed.value)
    return None


def _status(error: grpc.RpcError) -> status_pb2.Status | None:
    try:
        return rpc_status.from_call(error) if isinstance(error, grpc.Call) else None
    except ValueError:
        return None  # the details belong to another status: somebody between the master and us rewrote it
