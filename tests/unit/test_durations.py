"""Lengths of time in words, and in seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.durations import seconds_of, written

AMOUNT = st.integers(0, 10**6)


@given(st.integers(0, 10**12))
def test_whole_seconds_are_written_as_they_are_read(seconds: int) -> None:
    assert seconds_of(written(seconds)) == seconds


@given(AMOUNT, AMOUNT, AMOUNT, AMOUNT)
def test_what_is_written_is_the_sum_of_its_parts(days: int, hours: int, minutes: int, seconds: int) -> None:
    expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert seconds_of(f"{days}d{hours}h{minutes}m{seconds}s") == expected


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert seconds_of(text) is None or set(text) <= set("0123456789.dhms")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28_800), ("90m", 5_400), ("1h30m", 5_400), ("2d", 172_800), ("1.5h", 5_400), ("0.1h", 360), ("0.5s", 0.5)],
)
def test_the_examples_of_the_documentation(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "8", "h", "30m1h", "1h1h", "-1h", "1 h", "8 hours", "1:30", "1e3s", "8H", "٣h"])
def test_what_is_no_length_of_time(text: str) -> None:
    assert seconds_of(text) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (28_800, "8h"), (90, "1m30s"), (90_061, "1d1h1m1s"), (0.5, "0.5s")]
)
def test_what_people_read(seconds: float, text: str) -> None:
    assert written(seconds) == text
