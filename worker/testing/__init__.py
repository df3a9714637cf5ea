"""For tests of training code: trained alone, or by a real worker for a master that follows a script.

`ScriptedMaster` is imported only when it is used: `train_alone` needs no gRPC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .alone import RecordedReport, train_alone

if TYPE_CHECKING:
    from .scripted_master import ScriptedMaster, ScriptedTrial

__all__ = ["RecordedReport", "ScriptedMaster", "ScriptedTrial", "train_alone"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from . import scripted_master

        return getattr(scripted_master, name)
    raise AttributeError(f"module 'rungmaster.worker.testing' has no attribute {name!r}")
