"""Who makes the call at hand, from where, and the serving of it as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextvars import ContextVar
from typing import Any

import grpc

from ...shared.errors import LimitExceeded
from ..dispatcher.acts import Actor
from .limits.connections import place_of
from .security.roles import Role

#: Seconds that a caller may take to read an answer.
STALL_S = 30.0
#: The name of the token that was shown, and its role; empty and None where the master asks for none.
caller_name: ContextVar[str] = ContextVar("caller_name", default="")
caller_role: ContextVar[Role | None] = ContextVar("caller_role", default=None)


def certificate_name(context: grpc.aio.ServicerContext) -> str:
    """The common name of the certificate that the caller has shown; empty where it was asked for none."""
    names = context.auth_context().get("x509_common_name", ())
    return next((name.decode(errors="replace") for name in names), "")


def actor_of(context: grpc.aio.ServicerContext) -> Actor:
    """Who makes the call, as the audit trail names them: a token says more than a certificate."""
    place = place_of(context.peer())
    host = place[0] if place is not None else ""
    if name := caller_name.get():
        return Actor(name, "token", host)
    name = certificate_name(context)
    return Actor(name, "certificate" if name else "", host)


async def serve(serving: Awaitable[None] | AsyncIterator[Any], context: grpc.aio.ServicerContext) -> None:
    """Our own methods are coroutines; reflection is a generator of answers."""
    if isinstance(serving, AsyncIterator):
        async for answer in serving:
            await context.write(answer)
    else:
        await serving


async def write_in_time(context: grpc.aio.ServicerContext, answer: Any) -> None:
    """Sends an answer to a caller who reads. Raises LimitExceeded where that takes too long."""
    try:
        async with asyncio.timeout(STALL_S):
            await context.write(answer)
    except TimeoutError:
        raise LimitExceeded(f"cut off, since nothing was read for {STALL_S:.0f} s; ask again to go on") from None
