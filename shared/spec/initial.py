"""The trials that a spec gives itself, to be tried first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidSpec, Problem
from ..space.hyperparameters import Condition, Hyperparameter
from ..space.variation import completed
from .document.paths import joined
from .fields import limits_hold

MAX_INITIAL = 1_000
"""The most trials that a spec may give."""


def initial_problems(
    initial: Sequence[Mapping[str, Any]],
    hyperparameters: Mapping[str, Hyperparameter],
    forbidden: Sequence[Condition],
    seed: int,
    most: int | None,
) -> list[Problem]:
    """What is wrong with them, by the paths of the spec. `most` is how many there may be; None: any number."""
    if not limits_hold():
        return []
    bound = MAX_INITIAL if most is None else min(most, MAX_INITIAL)
    if len(initial) > bound:
        why = ", as many as the search makes trials" if bound == most else ""
        return [Problem("initial_trials", f"must be at most {bound:,}{why}, got {len(initial):,}")]
    problems: list[Problem] = []
    for number, given in enumerate(initial):
        try:
            completed(hyperparameters, forbidden, given, seed, number)
        except InvalidSpec as wrong:
            problems += [Problem(joined(f"initial_trials[{number}]", p.path), p.message) for p in wrong.problems]
    return problems
