"""Rungs, quotas and shares are exact."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.master.search.arithmetic import (
    bracket_sizes,
    expected_entries,
    expected_resource,
    most_rungs,
    quota,
    rung_resources,
    split_concurrency,
    split_trials,
)
from rungmaster.master.search.interface import BracketPlan
from rungmaster.shared.spec.searchers import AshaSpec, max_rungs_that_fit

etas = st.fractions(min_value=Fraction(11, 10), max_value=10, max_denominator=20)


@pytest.mark.parametrize(
    ("max_resource", "eta", "rungs", "expected"),
    [
        (27, "3", 4, (1, 3, 9, 27)),
        (100, "4", 3, (6, 25, 100)),
        (1, "3", 3, (1, 1, 1)),
        (10, "2.5", 3, (1, 4, 10)),
        (3**40, "3", 3, (3**38, 3**39, 3**40)),
    ],
)
def test_rungs_stand_at_the_resource_divided_once_for_each_rung_above(
    max_resource: int, eta: str, rungs: int, expected: tuple[int, ...]
) -> None:
    assert rung_resources(max_resource, Fraction(eta), rungs) == expected


@pytest.mark.parametrize("exponent", range(1, 60))
def test_a_power_of_the_divisor_takes_one_rung_more_than_its_exponent(exponent: int) -> None:
    for eta in (2, 3, 5, 10):
        assert max_rungs_that_fit(Fraction(eta), eta**exponent) == exponent + 1
        assert max_rungs_that_fit(Fraction(eta), eta**exponent - 1) == exponent


def test_rungs_are_capped_by_the_resource_by_the_trials_and_by_what_was_asked_for() -> None:
    assert most_rungs(AshaSpec(max_rungs=9, max_resource=9, max_trials=1000, divisor=3)) == 3
    assert most_rungs(AshaSpec(max_rungs=9, max_resource=1000, max_trials=9, divisor=3)) == 3
    assert most_rungs(AshaSpec(max_rungs=2, max_resource=1000, max_trials=1000, divisor=3)) == 2


@given(entered=st.integers(0, 10**9), eta=etas)
def test_a_quota_is_the_whole_part_of_the_entered_by_the_divisor(entered: int, eta: Fraction) -> None:
    assert quota(entered, eta) == entered / eta // 1


@pytest.mark.parametrize(
    ("mode", "sizes"), [("aggressive", (5,)), ("standard", (5, 4, 3)), ("conservative", (5, 4, 3, 2, 1))]
)
def test_a_mode_chooses_the_sizes_of_brackets(mode, sizes: tuple[int, ...]) -> None:
    assert bracket_sizes(mode, 5) == sizes


@given(st.integers(1, 10**6), st.lists(st.integers(1, 12), min_size=1, max_size=8), etas)
def test_every_trial_is_in_one_bracket_and_every_bracket_has_one(trials: int, sizes: list[int], eta: Fraction) -> None:
    shares = split_trials(trials, sizes, eta)
    assert min(shares) >= 1
    assert sum(shares) == max(trials, len(sizes))


@given(st.integers(1, 10**6), st.integers(1, 20))
def test_concurrency_is_split_evenly_and_the_first_get_the_rest(at_once: int, brackets: int) -> None:
    shares = [share for share in split_concurrency(at_once, brackets) if share is not None]
    assert sum(shares) == max(at_once, brackets)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] - shares[-1] <= 1


def test_without_a_limit_no_bracket_has_one() -> None:
    assert split_concurrency(None, 3) == (None, None, None)


def test_the_expected_cost_trains_each_rung_s_trials_over_one_stretch() -> None:
    bracket = BracketPlan((1, 3, 9), 10, None)
    assert expected_entries(bracket, Fraction(3)) == (10, 3, 1)
    assert expected_resource(bracket, (10, 3, 1)) == 10 * 1 + 3 * 2 + 1 * 6


def test_the_expected_cost_counts_the_winner_of_a_bracket_that_is_too_small_for_its_quotas() -> None:
    bracket = BracketPlan((1, 3, 9), 2, None)
    assert expected_entries(bracket, Fraction(3)) == (2, 1, 1)
    assert expected_resource(bracket, (2, 1, 1)) == 2 * 1 + 1 * 2 + 1 * 6
