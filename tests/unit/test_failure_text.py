"""An error's first line says it all, and two errors of one cause are known as such."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.limits import MAX_ERROR
from rungmaster.shared.text.failure_text import (
    MAX_SUMMARY,
    exception_in,
    exception_line,
    failure_text,
    last_line,
    signature,
    summary,
)
from rungmaster.shared.text.visible import HIDDEN


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


def raised(code: str) -> BaseException:
    try:
        exec(compile(code, "/code/train.py", "exec"), {})
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ValueError('no\\nmore')", "ValueError: no more (train.py, line 1, in <module>)"),
        ("def f():\n  raise KeyError(1)\nf()", "KeyError: 1 (train.py, line 2, in f)"),
        ("import json\njson.loads('{')", "(train.py, line 2, in <module>)"),
        ("e = ValueError('no')\ne.add_note('hint')\nraise e", "ValueError: no (train.py, line 3, in <module>)"),
        (
            "try:\n  1/0\nexcept Exception as e:\n  raise TypeError('b') from e",
            "TypeError: b (train.py, line 4, in <module>)",
        ),
        (
            "raise ExceptionGroup('many', [ValueError(1)])",
            "ExceptionGroup: many (1 sub-exception) (train.py, line 1, in <module>)",
        ),
        ("x = = 3", "SyntaxError: invalid syntax (train.py, line 1)"),
    ],
)
def test_an_exception_is_told_by_its_line_and_the_last_place_that_is_no_library(code: str, told: str) -> None:
    error = raised(code)
    assert exception_line(error).endswith(told)
    printed = "".join(traceback.format_exception(error))
    if "\\n" not in code and "json" not in code:
        assert exception_in(f"epoch 1\n{printed}tracker: synced\n") == told


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("no traceback here\nbye", ""),
        ("", ""),
        ("Traceback (most recent call last):\n  cut short", ""),
        (
            "[rank1]: Traceback (most recent call last):\nother process\n"
            '[rank1]:   File "/code/train.py", line 3, in fit\n[rank1]:     x()\n[rank1]: RuntimeError: NCCL\nbye',
            "RuntimeError: NCCL (train.py, line 3, in fit)",
        ),
        (
            '\x1b[1mTraceback (most recent call last):\x1b[0m\n  File "a.py", line 1, in f\n'
            "\x1b[31mValueError\x1b[0m: red\n",
            "ValueError: red (a.py, line 1, in f)",
        ),
        (
            "Traceback (most recent call last):\nValueError: handled\nepoch 2\n"
            "Traceback (most recent call last):\nTypeError: the last\n",
            "TypeError: the last",
        ),
    ],
)
def test_the_last_traceback_in_an_output_is_found(output: str, told: str) -> None:
    assert exception_in(output) == told


@given(st.text())
def test_whatever_was_printed_can_be_searched(output: str) -> None:
    exception_in(output)
    exception_in(f"{output}\nTraceback (most recent call last):\n{output}")
    assert "\n" not in last_line(output)


def test_of_a_progress_bar_the_last_state_is_the_last_line() -> None:
    assert last_line("start\n10%\r50%\r\x1b[32m90%\x1b[0m\n \n") == "90%"


@given(st.text())
def test_nothing_in_an_error_can_steer_a_terminal(text: str) -> None:
    assert not HIDDEN.search(summary(failure_text("exited with code 1", text)))
