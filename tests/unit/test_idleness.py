"""When a worker has had nothing to do for long enough to leave."""

from __future__ import annotations

from rungmaster.worker.idleness import Idleness


def test_a_worker_that_never_got_anything_leaves_when_its_patience_is_over() -> None:
    idleness = Idleness(300.0, now=10.0)
    assert idleness.left_s(0, now=10.0) == 300.0
    assert idleness.left_s(0, now=309.0) == 1.0
    assert idleness.left_s(0, now=310.0) == 0.0
    assert idleness.left_s(0, now=999.0) == 0.0


def test_a_worker_with_a_trial_is_not_idle_however_long_that_takes() -> None:
    idleness = Idleness(300.0, now=0.0)
    assert idleness.left_s(2, now=100_000.0) == 300.0
    assert idleness.left_s(1, now=200_000.0) == 300.0


def test_the_time_counts_from_the_end_of_the_last_trial_and_not_from_the_last_look() -> None:
    idleness = Idleness(300.0, now=0.0)
    assert idleness.left_s(1, now=1_000.0) == 300.0
    idleness.trial_ended(now=1_250.0)
    assert idleness.left_s(0, now=1_300.0) == 250.0
    assert idleness.left_s(0, now=1_549.9) > 0
    assert idleness.left_s(0, now=1_550.0) == 0.0


def test_a_trial_that_came_and_went_between_two_looks_counts() -> None:
    idleness = Idleness(10.0, now=0.0)
    idleness.trial_ended(now=9.0)
    assert idleness.left_s(0, now=10.0) == 9.0
