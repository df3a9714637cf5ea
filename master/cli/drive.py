"""`rungmaster drive`: the bare search over JSON lines, for debugging it and for embedding it in anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import click

from ...shared.text.printing import say
from ...shared.text.visible import json_text
from ..search.interface import Goal, SearchDecision, Searcher, Step, Train, UnknownTrial, Wait
from ..search.registry import searcher_of
from .searcher_file import load_searcher

MAX_LINE = 64 * 1024
"""The longest event line, in bytes."""

Event = Mapping[str, Any]


class BadEvent(ValueError):
    """A line is not an event; its text says what is wrong with it."""


class Driver:
    """Answers events, one JSON object each, from a searcher."""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._operations: dict[str, Callable[[Event], dict[str, Any]]] = {
            "next": self._next,
            "report": self._report,
            "fail": self._fail,
            "discard": self._discard,
        }

    def answer(self, line: str | bytes) -> dict[str, Any]:
        """What the searcher answers to the event on this line, or `{"error": …}`; a wrong event changes nothing."""
        try:
            event = _parse(line)
            return self._operation(event)(event)
        except (BadEvent, UnknownTrial) as wrong:
            return {"error": str(wrong)}

    def _operation(self, event: Event) -> Callable[[Event], dict[str, Any]]:
        known = ", ".join(self._operations)
        op = event.get("op")
        if not isinstance(op, str) or op not in self._operations:
            raise BadEvent(f'"op" must be one of {known}; got {_shown(op)}')
        return self._operations[op]

    def _next(self, _: Event) -> dict[str, Any]:
        step = self._searcher.next()
        answer = step.answer
        if isinstance(answer, Train):
            work = {
                "trial": answer.trial,
                "bracket": answer.bracket,
                "rung": answer.rung,
                "from": answer.start,
                "to": answer.target,
            }
            chosen = {"parent": answer.parent, "hparams": answer.hparams}
            work |= {name: value for name, value in chosen.items() if value is not None}
            return work | _others(step)
        return {"wait" if isinstance(answer, Wait) else "done": True} | _others(step)

    def _report(self, event: Event) -> dict[str, Any]:
        trial, resource, metric = _whole(event, "trial"), _whole(event, "resource"), _metric(event)
        step = self._searcher.report(trial, resource, metric)
        assert isinstance(step.answer, SearchDecision)
        return _decision(step.answer) | _others(step)

    def _fail(self, event: Event) -> dict[str, Any]:
        trial = _whole(event, "trial")
        return {"trial": trial, "failed": True} | _others(self._searcher.fail(trial))

    def _discard(self, event: Event) -> dict[str, Any]:
        trial = _whole(event, "trial")
        step = self._searcher.discard(trial)
        return {"trial": trial, "failed" if step.enters(trial) else "discarded": True} | _others(step)


def _parse(line: str | bytes) -> Event:
    try:
        event = json.loads(line)
    except json.JSONDecodeError as wrong:
        raise BadEvent(f"not a JSON document: {wrong.msg} at character {wrong.pos}") from wrong
    except (ValueError, RecursionError) as wrong:
        raise BadEvent(f"not a JSON document: {wrong}") from wrong
    if not isinstance(event, dict):
        raise BadEvent(f'an event is a JSON object such as {{"op": "next"}}; got {_shown(event)}')
    return event


def _whole(event: Event, key: str) -> int:
    value = event.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadEvent(f'"{key}" must be a whole number of at least 0; got {_shown(value)}')
    return value


def _metric(event: Event) -> float:
    value = event.get("metric")
    try:
        if isinstance(value, str) and value.lower() in ("nan", "inf", "-inf"):
            return float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except OverflowError as wrong:
        raise BadEvent('"metric" must be a number that fits a double') from wrong
    raise BadEvent(f'"metric" must be a number, "nan", "inf" or "-inf"; got {_shown(value)}')


def _shown(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else text[:59] + "…"


def _decision(decision: SearchDecision) -> dict[str, Any]:
    answer: dict[str, Any] = {"trial": decision.trial, "decision": decision.action.value}
    if decision.target is not None:
        answer["to"] = decision.target
    return answer | {"reason": decision.reason}


def _others(step: Step) -> dict[str, Any]:
    """What became of paused trials other than the one asked about."""
    return {"decisions": [_decision(decision) for decision in step.decisions]} if step.decisions else {}


def _lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Lines as they come; None in place of one that is too long, whose rest is skipped."""
    while line := stream.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE)
        yield None


def drive(searcher: Searcher, events: BinaryIO, answer: Callable[[str], None]) -> None:
    """Answers every line of `events` with one line, until they end."""
    driver = Driver(searcher)
    for line in _lines(events):
        reply = {"error": f"the line is longer than {MAX_LINE} bytes"} if line is None else driver.answer(line)
        answer(json_text(reply))


@click.command(short_help="Run the bare search over JSON lines.")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--goal",
    type=click.Choice([goal.value for goal in Goal]),
    help="What the metric should become. [default: the spec's metric.goal, or else minimize]",
)
def command(spec: Path, goal: str | None) -> None:
    """Answers searcher events from standard input, one JSON line each, on standard output.

    SPEC is a whole spec, or a file that holds just {"searcher": {…}}. Nothing is trained, stored or drawn: this is the
    search alone, for debugging it and for embedding it in anything.

    \b
    {"op": "next"}                                  a worker asks for work
      {"trial": 0, "bracket": 0, "rung": 0, "from": 0, "to": 9}  |  {"wait": true}  |  {"done": true}
    {"op": "report", "trial": 0, "resource": 9, "metric": 0.25}
      {"trial": 0, "decision": "continue", "to": 27, "reason": "…"}  |  "pause"  |  "stop"
    {"op": "fail", "trial": 0}                      the trial failed for good
      {"trial": 0, "failed": true}
    {"op": "discard", "trial": 0}                   its hyperparameters are invalid: another takes its place
      {"trial": 0, "discarded": true}

    A metric may be "nan", "inf" or "-inf". A line that is no event is answered by {"error": "…"} and changes nothing.
    What became of other trials that wait, as where they were promoted past rungs they had reached already, is told in
    "decisions". Work may name the "parent" from whose checkpoint a new trial starts, and "hparams" of the searcher's.
    """
    searcher = searcher_of(load_searcher(spec), Goal(goal) if goal else None)
    # Each line is printed at once, so that whoever drives the search gets each answer in turn.
    drive(searcher, sys.stdin.buffer, say)
