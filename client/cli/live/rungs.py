"""Brackets and rungs as bars: how many trials came to each rung, and of those which went on, wait or failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....shared.wire.model import Bracket, Experiment, Rung
from .. import text
from .estimate import entrants
from .lines import Line, Span, cells, cut, flow
from .symbols import Symbols

_WIDEST_BAR = 60
_USEFUL_BAR = 8
_LONGEST_HEADING = 22
_STYLES = {"went_on": "green", "waits": "cyan", "failed": "red", "to_come": "dim"}


def legend(symbols: Symbols, width: int) -> list[Line]:
    """What the signs of the bars stand for."""
    words = {"went_on": "went on", "waits": "waits", "failed": "failed", "to_come": "to come"}
    items: list[Line] = [((getattr(symbols, kind), _STYLES[kind]), (f" {told}", "dim")) for kind, told in words.items()]
    return list(flow(items, width, indent=0))


def bars(experiment: Experiment, symbols: Symbols, width: int) -> list[Line]:
    """A table with a line for each rung, and a bar in it where there is room for one; none where there are no rungs."""
    if not experiment.brackets:
        return []
    rows = [_cells(bracket, rung, symbols) for bracket in experiment.brackets for rung in bracket.rungs]
    heading = ["bracket", experiment.unit, "entered", "on", "failed", f"best {experiment.metric}"]
    heading = [cut(symbols.shown(name), _LONGEST_HEADING, symbols.ellipsis) for name in heading]
    columns, room = _columns(heading, rows, width)
    largest = max(
        max(entrants(experiment, bracket), *(r.entered for r in bracket.rungs)) for bracket in experiment.brackets
    )
    shown = _Bars(symbols, min(room, _WIDEST_BAR), max(1, largest))
    drawn = iter(shown.of(experiment))
    widths = {column: max(cells(row[column]) for row in (heading, *rows)) for column in columns}
    lines = [_row(heading, columns, widths, [(" " * shown.width, "")], "dim")]
    lines += [_row(row, columns, widths, next(drawn), "") for row in rows]
    return lines


def _cells(bracket: Bracket, rung: Rung, symbols: Symbols) -> list[str]:
    return [
        str(bracket.bracket_id) if rung.rung_id == 0 else "",
        f"{rung.resource:,}",
        f"{rung.entered:,}",
        f"{rung.promoted:,}" if rung is not bracket.rungs[-1] else "",
        f"{rung.failed:,}" if rung.failed else "",
        symbols.shown(text.number(rung.best_metric)),
    ]


def _columns(heading: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> tuple[list[int], int]:
    """The columns that there is room for, and how many cells are left for bars between them."""
    failed = any(row[4] for row in rows)
    everything = [0, 1, 2, 3, *([4] if failed else []), 5]
    rooms: list[tuple[list[int], int]] = []
    for without in ((), (4,), (5,), (4, 5), (0, 4, 5), (0, 3, 4, 5)):
        columns = [column for column in everything if column not in without]
        taken = sum(max(cells(row[column]) for row in (heading, *rows)) + 2 for column in columns)
        rooms.append((columns, width - taken))
    enough = next((each for each in rooms if each[1] >= _USEFUL_BAR), None)
    columns, room = enough or next((each for each in rooms if each[1] >= -2), rooms[-1])
    return columns, max(0, room)


def _row(row: Sequence[str], columns: Sequence[int], widths: dict[int, int], bar: list[Span], style: str) -> Line:
    """The first two columns, the bar, and the others; what is too wide for a small window is left out by its reader."""
    spans: list[Span] = []
    for column in columns:
        if column == 2 and bar and any(sign for sign, _ in bar):
            spans += [*bar, ("  ", "")]
        value = row[column]
        spans.append((" " * (widths[column] - cells(value)) + value + "  ", style))
    last, last_style = spans[-1]
    return (*spans[:-1], (last.rstrip(), last_style))


class _Bars:
    """Bars of one width, all to one scale."""

    def __init__(self, symbols: Symbols, width: int, largest: int) -> None:
        self._symbols = symbols
        self._largest = largest
        self.width = width

    def of(self, experiment: Experiment) -> Iterator[list[Span]]:
        """The bar of each rung, bracket by bracket."""
        for bracket in experiment.brackets:
            for rung in bracket.rungs:
                last = rung is bracket.rungs[-1]
                on = rung.entered - rung.failed if last else rung.promoted
                to_come = max(0, entrants(experiment, bracket) - rung.entered) if rung is bracket.rungs[0] else 0
                waits = max(0, rung.entered - on - rung.failed)
                yield self._bar({"went_on": on, "waits": waits, "failed": rung.failed, "to_come": to_come})

    def _bar(self, counts: dict[str, int]) -> list[Span]:
        """The parts one after the other; each that there is has a sign at least, where there is room for it."""
        spans: list[Span] = []
        used = total = 0
        for kind, count in counts.items():
            total += count
            end = min(self.width, max(round(total / self._largest * self.width), used + (count > 0)))
            spans.append((getattr(self._symbols, kind) * (end - used), _STYLES[kind]))
            used = end
        return [*(span for span in spans if span[0]), (" " * (self.width - used), "")]


def brief(experiment: Experiment, symbols: Symbols, width: int) -> list[Line]:
    """A line for each bracket: resource, how many came, and how many of them went on."""
    lines: list[Line] = []
    for bracket in experiment.brackets:
        items: list[Line] = [((f"bracket {bracket.bracket_id}", "dim"),)]
        for rung in bracket.rungs:
            on = f" {symbols.becomes} {rung.promoted:,}" if rung is not bracket.rungs[-1] else ""
            items.append(((f"{rung.resource:,}: ", "dim"), (f"{rung.entered:,}{on}", "")))
        lines += flow(items, width, indent=0, later=len("bracket 0  "))
    return lines
