"""Every searcher by the name that a spec gives it. A new one is a file with a builder, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...shared.spec.searchers import SearcherSpec
from ...shared.spec.spec import SearcherFile, Spec
from .adaptive import build_adaptive_asha, build_asha
from .full_training import build_grid, build_random
from .interface import Goal, SearchContext, Searcher
from .pbt import build_pbt
from .synchronous.searcher import build_hyperband, build_sha

BUILDERS: dict[str, Callable[[Any, SearchContext], Searcher]] = {
    "asha": build_asha,
    "adaptive_asha": build_adaptive_asha,
    "random": build_random,
    "grid": build_grid,
    "pbt": build_pbt,
    "sha": build_sha,
    "hyperband": build_hyperband,
}


def build_searcher(searcher: SearcherSpec, context: SearchContext) -> Searcher:
    """Makes a searcher as it is before any trial."""
    return BUILDERS[searcher.name](searcher, context)


def goal_of(document: Spec | SearcherFile) -> Goal:
    """What its metric should become; where it does not say, less is better."""
    return Goal(document.metric.goal) if document.metric is not None else Goal.MINIMIZE


def searcher_of(document: Spec | SearcherFile, goal: Goal | None = None) -> Searcher:
    """The searcher that a spec describes. `goal` takes the place of the spec's."""
    goal = goal or goal_of(document)
    initial = len(document.first_trials) if isinstance(document, Spec) else 0
    context = SearchContext(goal, document.hyperparameters, document.forbidden, document.seed, initial)
    return build_searcher(document.searcher, context)
