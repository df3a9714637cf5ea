"""Figures of searches: pure functions from a `History` to a Plotly figure. Plotly is imported with the first of them.

from rungmaster import Client, plots

with Client("head:50051") as client:
    plots.curves(client.history(3)).show()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import MissingExtra, NothingToShow
    from .history import Curve, History, Record
    from .kinds import (
        KINDS,
        Kind,
        best,
        compare,
        curves,
        draw,
        importance,
        lineage,
        parallel,
        rungs,
        schedules,
        slices,
        timeline,
    )

__all__ = [
    "KINDS",
    "Curve",
    "History",
    "Kind",
    "MissingExtra",
    "NothingToShow",
    "Record",
    "best",
    "compare",
    "curves",
    "draw",
    "importance",
    "lineage",
    "parallel",
    "rungs",
    "schedules",
    "slices",
    "timeline",
]

_HOMES = {
    "MissingExtra": ".errors",
    "NothingToShow": ".errors",
    "Curve": ".history",
    "History": ".history",
    "Record": ".history",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, ".kinds"), __name__), name)
