"""What went wrong, for people: alike things are told once and counted, while a search runs and at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...shared.text.failure_text import Repeats
from ...shared.text.printing import say_lines
from ...shared.wire.model import Event, Trouble
from .event_text import noteworthy

#: Kinds of trouble that are told at the end of a search; the rest is counted.
_SHOWN = 10
#: What happened is told in at most so many lines at once.
LINES_AT_ONCE = 5

_WORDS = {
    "trial_failed": ("{n} trial failed", "{n} trials failed"),
    "failed": ("{n} attempt failed and was repeated", "{n} attempts failed and were repeated"),
    "expired": ("{n} lease ended since its worker was lost", "{n} leases ended since their workers were lost"),
    "cannot_start": ("a worker could not start it", "{n} times a worker could not start it"),
    "environment": ("once something was out of reach", "{n} times something was out of reach"),
    "worker_fault": ("once a worker could not go on", "{n} times a worker could not go on"),
    "no_checkpoint": (
        "{n} trial that was trained in full has no checkpoint",
        "{n} trials that were trained in full have no checkpoint",
    ),
}


def trouble_lines(troubles: Sequence[Trouble]) -> list[str]:
    """What went wrong, a line for each kind and cause; none where all went well."""
    lines = [_line(trouble) for trouble in troubles[:_SHOWN]]
    left = troubles[_SHOWN:]
    return [*lines, f"… and {sum(each.count for each in left)} more of {len(left)} other kinds"] if left else lines


def _line(trouble: Trouble) -> str:
    words = _WORDS.get(trouble.kind, (trouble.kind, f"{{n}} times {trouble.kind}"))
    told = words[trouble.count > 1].format(n=f"{trouble.count:,}")
    first = f"trial {trouble.trial_id}" if trouble.count == 1 else f"first trial {trouble.trial_id}"
    return f"{told} ({first})" + (f": {trouble.example}" if trouble.example else "")


def print_troubles(troubles: Sequence[Trouble]) -> None:
    """Prints what went wrong, below what was found; nothing where all went well."""
    if troubles:
        say_lines(["", *trouble_lines(troubles)])


class TroubleFeed:
    """Tells of events as they come: of those that are alike the first, and then now and then how many there are."""

    def __init__(self) -> None:
        self._repeats = Repeats()

    def lines(self, events: Iterable[Event]) -> Iterator[str]:
        """What is worth telling now."""
        for event in events:
            line = noteworthy(event)
            if line is None:
                continue
            times = 1 if event.trial_id is None else self._repeats.count(line)
            if times == 1:
                yield line
            elif Repeats.worth_telling(times):
                yield f"{line} (the like {times:,} times by now)"


def shortened(lines: list[str]) -> list[str]:
    """The first few of many lines, and how many more there are."""
    more = len(lines) - LINES_AT_ONCE
    return [*lines[:LINES_AT_ONCE], f"… and {more} more events like these"] if more > 0 else lines
