"""The fields of `sha` and `hyperband`, and what is wrong with them in one line each."""

from __future__ import annotations

from typing import Any

import pytest
from unit.master_harness import make_spec

from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.spec.searchers import SEARCHERS, HyperbandSpec, hyperband_trials
from rungmaster.shared.spec.spec import spec_from_json, spec_to_json, stored_spec

SHA = {"name": "sha", "max_trials": 27, "max_resource": 27}
HYPERBAND = {"name": "hyperband", "max_resource": 81, "divisor": 3}


def document(searcher: dict[str, Any]) -> dict[str, Any]:
    return spec_to_json(make_spec()) | {"searcher": searcher}


def test_they_get_their_defaults_and_are_written_back() -> None:
    sha, hyperband = spec_from_json(document(SHA)), spec_from_json(document(HYPERBAND))
    assert spec_to_json(sha)["searcher"] == SHA | {"divisor": 4, "max_rungs": 5, "max_concurrent_trials": None}
    assert spec_to_json(hyperband)["searcher"] == HYPERBAND | {"iterations": 1, "max_concurrent_trials": None}
    assert stored_spec(spec_to_json(hyperband)) == hyperband


def test_hyperband_makes_the_trials_of_all_its_brackets_each_time() -> None:
    spec = HyperbandSpec(max_resource=81, divisor=3, iterations=2)
    assert hyperband_trials(spec.eta, 81) == (81, 34, 15, 8, 5)
    assert spec.trials == 2 * (81 + 34 + 15 + 8 + 5)


WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (SHA, {"max_trials": 0}, "searcher.max_trials: must be at least 1, got 0"),
    (SHA, {"divisor": 1}, "searcher.divisor: must be more than 1, got 1"),
    (
        SHA,
        {"stop_once": True},
        "searcher.stop_once: unknown field; the fields here are divisor, max_concurrent_trials, max_resource, "
        "max_rungs, max_trials, name",
    ),
    (SHA, {"iterations": 2}, "searcher.iterations: unknown field"),
    (HYPERBAND, {"max_trials": 9}, "searcher.max_trials: unknown field"),
    (HYPERBAND, {"iterations": 0}, "searcher.iterations: must be at least 1, got 0"),
    (HYPERBAND, {"max_concurrent_trials": 0}, "searcher.max_concurrent_trials: must be at least 1, got 0"),
    (
        HYPERBAND,
        {"iterations": 21},
        "searcher.iterations: must be at most 20 with max_resource 81 and divisor 3, which make 5 brackets each time, "
        "got 21",
    ),
    (
        HYPERBAND,
        {"divisor": 1.01},
        "searcher.divisor: must be larger: max_resource 81 makes more than 100 brackets with it, got 1.01",
    ),
    (
        HYPERBAND,
        {"max_resource": 10**9, "divisor": 10},
        "searcher.max_resource: must be smaller: max_resource 1000000000 and divisor 10 make 1,125,229,245 trials with "
        "iterations 1, at most 1,000,000,000 are possible",
    ),
]


@pytest.mark.parametrize(("searcher", "change", "problem"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_told_in_a_line(searcher: dict[str, Any], change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        spec_from_json(document(searcher | change))
    (line,) = str(refused.value).splitlines()
    assert line.startswith(problem)


@pytest.mark.parametrize("change", [{"iterations": 99}, {"divisor": 1.01}], ids=str)
def test_a_stored_plan_that_would_be_too_large_today_goes_on(change: dict[str, Any]) -> None:
    assert isinstance(stored_spec(document(HYPERBAND | change)).searcher, SEARCHERS["hyperband"])
