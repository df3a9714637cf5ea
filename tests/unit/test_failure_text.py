"""An error's first line says it all, and two errors of one cause are known as such."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.failure_text import MAX_SUMMARY, failure_text, signature, summary
from rungmaster.shared.limits import MAX_ERROR


def test_what_ended_it_comes_first_then_the_exception_then_the_output() -> None:
    told = failure_text("exited with code 1", "ValueError: no\nsecond line", "epoch 1\ntracker: synced")
    assert told == "exited with code 1: ValueError: no second line\nepoch 1\ntracker: synced"
    assert summary(told) == "exited with code 1: ValueError: no second line"


def test_without_an_exception_the_headline_stands_alone() -> None:
    assert failure_text("killed by SIGKILL", output="epoch 1: loss 0.53") == "killed by SIGKILL\nepoch 1: loss 0.53"


@given(st.text(), st.text(), st.text(max_size=20_000))
def test_the_whole_is_never_too_long_and_its_summary_is_one_line(headline: str, exception: str, output: str) -> None:
    told = failure_text(f"x{headline}", exception, output)
    assert len(told) <= MAX_ERROR
    assert len(summary(told)) <= MAX_SUMMARY
    assert "\n" not in summary(told)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: lr 0.0173 is too large", "ValueError: lr 1e-05 is too large"),
        ("RuntimeError: tensor at 0x7f3a12 is gone", "RuntimeError: tensor at 0x55ffe0 is gone"),
        ("no file '/tmp/a/7/data.csv'", "no file '/var/x/8-1/data.csv'"),
        ("KeyError: 12", "KeyError: -7"),
        ("bad run 9f8e7d6c5b4a", "bad run 0a1b2c3d4e5f"),
        ("boom (train.py, line 7)\nepoch 1", "boom (train.py, line 8)\nepoch 2"),
        ("loss is nan", "loss is inf"),
        ("s3://bucket/a is away", "s3://bucket/b/c is away"),
    ],
)
def test_what_differs_from_trial_to_trial_makes_no_other_error(one: str, other: str) -> None:
    assert signature(one) == signature(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("NameError: name 'x' is not defined", "NameError: name 'y' is not defined"),
        ("ValueError: no", "TypeError: no"),
        ("killed by SIGKILL", "killed by SIGSEGV"),
        ("exited with code 1: ValueError: a", "exited with code 1: ValueError: b"),
    ],
)
def test_other_words_are_another_error(one: str, other: str) -> None:
    assert signature(one) != signature(other)


@given(st.integers(), st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 2**64))
def test_no_number_makes_another_error(whole: int, number: float, address: int) -> None:
    told = f"ValueError: trial {whole} has a rate of {number} at {address:#x}"
    assert signature(told) == signature("ValueError: trial 3 has a rate of 0.5 at 0x7f")
