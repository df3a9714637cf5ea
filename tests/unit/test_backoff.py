"""Exponential backoff with full jitter."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.net.backoff import Backoff


class Highest(Random):
    """Draws the upper bound every time."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_the_bound_doubles_up_to_the_maximum() -> None:
    backoff = Backoff(initial_s=0.5, maximum_s=3.0, random=Highest())
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_after_a_reset_it_begins_anew() -> None:
    backoff = Backoff(initial_s=0.5, maximum_s=3.0, random=Highest())
    backoff.next()
    backoff.next()
    backoff.reset()
    assert backoff.next() == 0.5


@given(seed=st.integers(), attempts=st.integers(1, 50))
def test_no_wait_is_negative_or_longer_than_the_maximum(seed: int, attempts: int) -> None:
    backoff = Backoff(initial_s=0.2, maximum_s=10.0, random=Random(seed))
    assert all(0 <= backoff.next() <= 10.0 for _ in range(attempts))


def test_two_workers_do_not_wait_equally_long() -> None:
    assert Backoff(random=Random(1)).next() != Backoff(random=Random(2)).next()


@pytest.mark.parametrize(("initial_s", "maximum_s"), [(0, 1), (-1, 1), (2, 1)])
def test_bounds_that_make_no_sense_are_refused(initial_s: float, maximum_s: float) -> None:
    with pytest.raises(ValueError, match="initial <= maximum"):
        Backoff(initial_s, maximum_s)
