"""The worker: agent, slots, and the API that training code sees.

`Trial` is imported only when it is used, and costs a training program neither grpc nor a database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trial.trial import Trial

__all__ = ["Trial"]


def __getattr__(name: str) -> Any:
    if name == "Trial":
        from .trial.trial import Trial

        return Trial
    raise AttributeError(f"module 'rungmaster.worker' has no attribute {name!r}")
