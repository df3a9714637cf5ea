"""The searches by which samplers are measured: their best result is the best, and every combination has one."""

from __future__ import annotations

import math

import pytest

import samplers
from rungmaster.shared.space.space import Space
from sampling.problems import Problem, branin, combinations, problems

ALL = {problem.name: problem for problem in problems()}


@pytest.mark.parametrize("problem", ALL.values(), ids=ALL.keys())
def test_no_combination_is_better_than_the_best(problem: Problem) -> None:
    spec = samplers.spec_of(problem, 0, "random")
    space = Space(spec.hyperparameters, spec.forbidden)
    assert all(problem.loss(space.draw(3, trial)) >= problem.best - 1e-6 for trial in range(200))


def test_the_best_results_are_those_that_are_known() -> None:
    assert branin(math.pi, 2.275) == pytest.approx(ALL["branin"].best, abs=1e-5)
    assert ALL["branin"].loss({"x": math.pi, "y": 2.275, "kind": "plain"}) == pytest.approx(0.397887, abs=1e-5)
    diabetes = ALL["diabetes"]
    losses = [diabetes.loss(each) for each in combinations(diabetes.hyperparameters)]
    assert min(losses) == diabetes.best
    assert len(losses) == 9_450


def test_a_difference_counts_as_shown_where_its_interval_has_no_zero_in_it() -> None:
    beside = [1.0 + seed / 10 for seed in range(8)]
    better, alike = [each - 0.5 - each / 100 for each in beside], [*reversed(beside)]
    lines = samplers.table({"toy": {"random": beside, "good": better, "same": alike, "bad": [9.0, 9.1, 9.2]}}, 60)
    assert [line.split("|")[-2].strip() for line in lines.splitlines()[2:]] == ["", "yes", "not shown", "worse"]
