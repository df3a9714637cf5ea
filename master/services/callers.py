"""Who makes the call at hand."""

from __future__ import annotations

from contextvars import ContextVar

#: The name of the token that was shown; empty where the master asks for none.
caller_name: ContextVar[str] = ContextVar("caller_name", default="")
