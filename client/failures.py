"""What a failed call means: whether to repeat it, and the error that its caller sees."""

from __future__ import annotations

import re

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from ..shared.errors import DatabaseError, InternalError, InvalidInput, RungmasterError, Unavailable
from ..shared.net.diagnosis import may_be_tls
from ..shared.net.status import detail, error_of, kind_of
from ..shared.text.visible import visible_block

#: What a gRPC server says by itself, with nothing else to tell it by.
_TOO_MANY_CALLS = "Concurrent RPC limit exceeded!"
_TOO_LARGE = re.compile(r"(Received|Sent) message larger than max \((\d+) vs\. (\d+)\)")


def is_temporary(error: grpc.RpcError) -> bool:
    """Whether the same call may succeed soon, here or at another master.

    A deadline that passed is temporary too: whether the call took effect is unknown, and every call may be repeated.
    Of RESOURCE_EXHAUSTED only the overload is, which carries a RetryInfo, or is gRPC's own refusal of more calls at
    once; a message that is too large stays so.
    """
    code = code_of(error)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _text_of(error) == _TOO_MANY_CALLS or detail(_status(error), error_details_pb2.RetryInfo) is not None
    return kind_of(code) is Unavailable


def is_silence(error: grpc.RpcError) -> bool:
    """Whether no answer came in time."""
    return code_of(error) is grpc.StatusCode.DEADLINE_EXCEEDED


def is_perhaps_tls(error: grpc.RpcError) -> bool:
    """Whether the call may have failed since TLS is set up differently at the two ends."""
    return code_of(error) is grpc.StatusCode.UNAVAILABLE and may_be_tls(_text_of(error))


def to_error(error: grpc.RpcError, address: str, waited_s: float) -> RungmasterError:
    """The error that a caller sees for a call to `address` that failed after `waited_s` seconds in all."""
    code, text = code_of(error), _text_of(error)
    if kind_of(code) is Unavailable:
        return Unavailable(_out_of_reach(code, text, address, waited_s))
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return RungmasterError(f"what answers at {address} is no rungmaster master, or one of another version: {text}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and (sizes := _TOO_LARGE.search(text)):
        return InvalidInput(
            f"a message of {int(sizes[2]):,} bytes is too large: at most {int(sizes[3]):,} are taken at once; "
            "give a smaller spec, or ask for smaller pages"
        )
    told = error_of(_status(error) or status_pb2.Status(code=code.value[0], message=text))
    if type(told) not in (RungmasterError, InternalError):
        return told
    if address.startswith("unix:"):
        # The process that reads a database for this one: it has no other errors of its own.
        return DatabaseError(text)
    told.args = (f"the master at {address} answered {code.name}: {text}",)
    return told


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    """The status code of a failed call."""
    return error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN


def _text_of(error: grpc.RpcError) -> str:
    return visible_block((error.details() if isinstance(error, grpc.Call) else None) or "no reason given")


def _out_of_reach(code: grpc.StatusCode, text: str, address: str, waited_s: float) -> str:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return (
            f"the master at {address} did not answer within {waited_s:.1f} s; is it overloaded, or the address wrong?"
        )
    return f"no master answers at {address} (tried for {waited_s:.0f} s); is it running, and the address right? {text}"


def _status(error: grpc.RpcError) -> status_pb2.Status | None:
    try:
        return rpc_status.from_call(error) if isinstance(error, grpc.Call) else None
    except ValueError:
        return None  # the details belong to another status: somebody between the master and us rewrote it
