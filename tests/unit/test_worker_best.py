"""Which reports call for a checkpoint, where the model of the best result is kept."""

from __future__ import annotations

import math

import pytest

from rungmaster.worker.assignment.best import BestSoFar


@pytest.mark.parametrize(
    ("goal", "known", "results", "saved"),
    [
        ("minimize", None, [0.5, 0.6, 0.4, 0.4, 0.3], [True, False, True, False, True]),
        ("maximize", None, [0.5, 0.6, 0.4, 0.6], [True, True, False, False]),
        ("minimize", 0.35, [0.5, 0.4, 0.3], [False, False, True]),
        ("minimize", 0.35, [0.35, 0.35, 0.3], [True, False, True]),
        ("minimize", None, [math.nan, -math.inf, None, 0.5], [False, False, False, True]),
    ],
)
def test_what_may_be_the_best_of_the_experiment_is_saved(
    goal: str, known: float | None, results: list[float | None], saved: list[bool]
) -> None:
    best = BestSoFar(goal, known)
    assert [best.improves(result) for result in results] == saved
