"""The newest lines of a log: whatever is printed, in whatever pieces, is shown as lines that can do nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rungmaster.dashboard.logs.lines import LONGEST, LogLine, LogLines
from rungmaster.shared.text.visible import HIDDEN

printed = st.lists(
    st.sampled_from([b"a", b"bc ", b"\n", b"\r", b"\r\n", b"\x1b[31m", "é\u202e".encode(), b"\xff", b"\t"])
)


def texts(lines: LogLines) -> list[str]:
    return [line.text for line in lines.since(lines.first)]


def taken(*pieces: bytes) -> LogLines:
    lines = LogLines()
    for piece in pieces:
        lines.take(piece)
    return lines


@given(printed, st.data())
def test_where_the_pieces_end_makes_no_difference(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    pieces = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    at_once, bit_by_bit = taken(whole), taken(*pieces)
    assert texts(at_once) == texts(bit_by_bit)
    assert at_once.open == bit_by_bit.open
    assert at_once.next == whole.count(b"\n")


@given(printed)
def test_nothing_hidden_is_left(parts: list[bytes]) -> None:
    lines = taken(*parts)
    assert not any(HIDDEN.search(text.replace("\t", "")) for text in [*texts(lines), lines.open])


def test_a_progress_bar_is_one_line() -> None:
    lines = taken(b"10%\r20%")
    assert lines.open == "20%"
    lines.take(b"\r")
    assert lines.open == "20%", "it stands until something is written over it"
    lines.take(b"\r100%\r\ndone\n")
    assert texts(lines) == ["100%", "done"]


@given(printed, st.integers(1, 4), st.integers(1, 20))
def test_only_the_newest_are_kept_and_their_numbers_stay(parts: list[bytes], most: int, characters: int) -> None:
    every, few = taken(*parts), LogLines(most, characters)
    few.take(b"".join(parts))
    kept = few.since(few.first)
    assert few.next == every.next
    assert kept == every.since(few.first)
    assert len(kept) <= most
    assert sum(len(line.text) for line in kept) <= characters
    assert few.since(few.next) == []


def test_a_line_without_end_takes_little_memory_and_says_how_long_it_is() -> None:
    lines = taken(b"x" * 3 * LONGEST, b"y" * LONGEST)
    assert lines.open == "x" * LONGEST + " … (6,000 more characters)"


def test_what_the_page_says_ends_the_line_before_and_half_a_character() -> None:
    lines = taken(b"half \xc3")
    lines.head("assignment 2\u202e")
    lines.take(b"\xa9 whole\n")
    assert lines.since(0) == [
        LogLine("text", "half �"),
        LogLine("head", "assignment 2\\u202e"),
        LogLine("text", "� whole"),
    ]
