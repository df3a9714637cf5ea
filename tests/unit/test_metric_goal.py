"""When a result is as good as was asked for."""

from __future__ import annotations

import math

import pytest

from rungmaster.shared.metric_goal import reaches


@pytest.mark.parametrize(
    ("metric", "wanted", "goal", "reached"),
    [
        (0.05, 0.05, "minimize", True),
        (0.0500001, 0.05, "minimize", False),
        (0.9, 0.9, "maximize", True),
        (0.89, 0.9, "maximize", False),
        (-math.inf, 0.05, "minimize", False),
        (math.inf, 0.9, "maximize", False),
        (math.nan, 0.05, "minimize", False),
        (None, 0.05, "minimize", False),
        (0.01, None, "minimize", False),
    ],
)
def test_a_finite_result_reaches_what_it_equals_or_is_better_than(
    metric: float | None, wanted: float | None, goal: str, reached: bool
) -> None:
    assert reaches(metric, wanted, goal) is reached
