"""The trials that a spec gives itself, to be tried first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidSpec, Problem
from ..space.hyperparameters import Condition, Hyperparameter
from ..space.variation import completed
from .fields import limits_hold
from .paths import joined

MAX_INITIAL = 1_000
"""The most trials that a spec may give."""


def initial_problems(
    initial: Sequence[Mapping[str, Any]],
    hyperparameters: Mapping[str, Hyperparameter],
    forbidden: Sequence[Condition],
    seed: int,
    trials: int | None,
) -> list[Problem]:
    """What is wrong with them, by the paths of the spec. `trials` is how many the search draws; None: it draws none."""
    if not limits_hold():
        return []
    most = MAX_INITIAL if trials is None else min(trials, MAX_INITIAL)
    if len(initial) > most:
        why = ", as many as the search makes trials" if most == trials else ""
        return [Problem("initial_trials", f"must be at most {most:,}{why}, got {len(initial):,}")]
    problems: list[Problem] = []
    for number, given in enumerate(initial):
        try:
            completed(hyperparameters, forbidden, given, seed, number)
        except InvalidSpec as wrong:
            problems += [Problem(joined(f"initial_trials[{number}]", p.path), p.message) for p in wrong.problems]
    return problems
