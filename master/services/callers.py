"""Who makes the call at hand."""

from __future__ import annotations

from contextvars import ContextVar

import grpc

#: The name of the token that was shown; empty where the master asks for none.
caller_name: ContextVar[str] = ContextVar("caller_name", default="")


def certificate_name(context: grpc.aio.ServicerContext) -> str:
    """The common name of the certificate that the caller has shown; empty where it was asked for none."""
    names = context.auth_context().get("x509_common_name", ())
    return next((name.decode(errors="replace") for name in names), "")
