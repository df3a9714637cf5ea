"""Lines of styled text that keep to a width, counted in a terminal's cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import get_character_cell_size

Span = tuple[str, str]
"""A text, and its style as Rich names it; "" for none."""

Line = tuple[Span, ...]

#: Asks a terminal to show the sign before it as a picture, which may take another cell.
_AS_PICTURE = "\ufe0f"


def cells(text: str) -> int:
    """How many cells a text takes, at most."""
    return len(text) if text.isascii() else sum(map(_size, text))


def _size(character: str) -> int:
    return 1 if character == _AS_PICTURE else get_character_cell_size(character)


def width_of(line: Line) -> int:
    """How many cells a line takes, at most."""
    return sum(cells(text) for text, _ in line)


def plain(line: Line) -> str:
    """A line without its styles."""
    return "".join(text for text, _ in line)


def cut(text: str, width: int, ellipsis: str) -> str:
    """A text, or as much of its beginning as fits with what tells that there is more."""
    if cells(text) <= width:
        return text
    kept, left = "", width - cells(ellipsis)
    for character in text:
        left -= _size(character)
        if left < 0:
            break
        kept += character
    return kept + ellipsis if width >= cells(ellipsis) else ""


def fold(line: Line, width: int, indent: int = 0) -> list[Line]:
    """A line as one or more that fit, all of it; broken at spaces where there is one not far from the left.

    The later ones are indented where there is room for that. `width` is at least 2.
    """
    styled = [(character, style) for text, style in line for character in text]
    found: list[Line] = []
    while True:
        margin = indent if found and width - indent >= 10 else 0
        taken = _fitting(styled, width - margin)
        if taken < len(styled):
            space = next((at for at in range(taken, taken // 5, -1) if styled[at][0] == " "), None)
            taken = taken if space is None else space
        found.append(_joined([(" ", "")] * margin + styled[:taken]))
        styled = styled[taken:]
        while styled and styled[0][0] == " ":
            styled.pop(0)
        if not styled:
            return found


def _fitting(styled: Sequence[Span], width: int) -> int:
    """How many of these characters fit; one at least."""
    used = 0
    for place, (character, _) in enumerate(styled):
        used += _size(character)
        if used > width:
            return max(1, place)
    return len(styled)


def _joined(styled: Iterable[Span]) -> Line:
    spans: list[Span] = []
    for character, style in styled:
        if spans and spans[-1][1] == style:
            spans[-1] = (spans[-1][0] + character, style)
        else:
            spans.append((character, style))
    return tuple(spans)


def flow(items: Iterable[Line], width: int, indent: int = 2, later: int = 2) -> Iterator[Line]:
    """Items one after the other, as many on a line as fit; one that is too long by itself is folded.

    The first line is indented by `indent`, and those after it by `later`.
    """
    line: Line = ()
    for item in items:
        gap = 2 if line else indent
        if line and width_of(line) + gap + width_of(item) > width:
            yield line
            line, gap, indent = (), later, later
        if gap + width_of(item) > width:
            yield from fold(((" " * gap, ""), *item), width, indent + 2)
        else:
            line = (*line, (" " * gap, ""), *item)
    if line:
        yield line
