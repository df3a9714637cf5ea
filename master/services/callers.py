"""Who makes the call at hand, and the serving of it as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextvars import ContextVar
from typing import Any

import grpc

#: The name of the token that was shown; empty where the master asks for none.
caller_name: ContextVar[str] = ContextVar("caller_name", default="")
#: Its role; empty where the master asks for none.
caller_role: ContextVar[str] = ContextVar("caller_role", default="")


def certificate_name(context: grpc.aio.ServicerContext) -> str:
    """The common name of the certificate that the caller has shown; empty where it was asked for none."""
    names = context.auth_context().get("x509_common_name", ())
    return next((name.decode(errors="replace") for name in names), "")


async def serve(serving: Awaitable[None] | AsyncIterator[Any], context: grpc.aio.ServicerContext) -> None:
    """Our own methods are coroutines; reflection is a generator of answers."""
    if isinstance(serving, AsyncIterator):
        async for answer in serving:
            await context.write(answer)
    else:
        await serving
