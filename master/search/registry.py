"""Every searcher by the name that a spec gives it. A new one is a file with a builder, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...shared.spec.searchers import SearcherSpec
from .adaptive import build_adaptive_asha, build_asha
from .interface import Goal, Searcher

BUILDERS: dict[str, Callable[[Any, Goal], Searcher]] = {
    "asha": build_asha,
    "adaptive_asha": build_adaptive_asha,
}


def build_searcher(searcher: SearcherSpec, goal: Goal) -> Searcher:
    """Makes the searcher that a spec describes, as it is before any trial."""
    return BUILDERS[searcher.name](searcher, goal)
