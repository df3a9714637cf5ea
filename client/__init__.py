"""The client: `Client` for a master somewhere, `DatabaseClient` for a database, `run` for a search on this machine.

They are imported when they are used, so that the command line and training code do not pay for gRPC.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Client
    from .local.database import DatabaseClient
    from .local.run import run
    from .results import Result

__all__ = ["Client", "DatabaseClient", "Result", "run"]

_HOMES = {"Client": ".client", "DatabaseClient": ".local.database", "Result": ".results", "run": ".local.run"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value
