"""`rungmaster drive`: the bare search over JSON lines, for debugging it and for embedding it in anything."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import click

from ...shared.spec.spec import SearcherFile, Spec
from ...shared.text.printing import say
from ...shared.text.visible import json_text
from ..dispatcher.setup import set_up
from ..search.interface import Action, Goal, SearchDecision, Searcher, Step, Train, UnknownTrial, Wait
from ..search.registry import searcher_of
from .driven_trials import CannotDraw, DrivenTrials, started_program
from .searcher_file import load_searcher

MAX_LINE = 64 * 1024
"""The longest event line, in bytes."""

Event = Mapping[str, Any]


class BadEvent(ValueError):
    """A line is not an event; its text says what is wrong with it."""


class Driver:
    """Answers events, one JSON object each, from a searcher."""

    def __init__(self, searcher: Searcher, trials: DrivenTrials | None = None) -> None:
        """With `trials`, new ones get hyperparameters."""
        self._searcher = searcher
        self._trials = trials
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
        except (BadEvent, CannotDraw, UnknownTrial) as wrong:
            return {"error": str(wrong)}

    def _operation(self, event: Event) -> Callable[[Event], dict[str, Any]]:
        known = ", ".join(self._operations)
        op = event.get("op")
        if not isinstance(op, str) or op not in self._operations:
            raise BadEvent(f'"op" must be one of {known}; got {_shown(op)}')
        return self._operations[op]

    def _next(self, _: Event) -> dict[str, Any]:
        if self._trials is not None:
            self._trials.prepare()
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
            sampled = None if self._trials is None else self._trials.train(answer)
            hparams = answer.hparams if sampled is None else sampled.hparams
            chosen = {"parent": answer.parent, "hparams": hparams}
            chosen |= {} if sampled is None else {"origin": sampled.origin, "note": sampled.note or None}
            work |= {name: value for name, value in chosen.items() if value is not None}
            return work | _others(step)
        return {"wait" if isinstance(answer, Wait) else "done": True} | _others(step)

    def _report(self, event: Event) -> dict[str, Any]:
        trial, resource, metric = _whole(event, "trial"), _whole(event, "resource"), _metric(event)
        step = self._searcher.report(trial, resource, metric)
        assert isinstance(step.answer, SearchDecision)
        if self._trials is not None:
            self._trials.reported(trial, resource, metric, goes_on=step.answer.action is Action.CONTINUE)
        return _decision(step.answer) | _others(step)

    def _fail(self, event: Event) -> dict[str, Any]:
        trial = _whole(event, "trial")
        step = self._searcher.fail(trial)
        self._failed(trial)
        return {"trial": trial, "failed": True} | _others(step)

    def _discard(self, event: Event) -> dict[str, Any]:
        trial = _whole(event, "trial")
        step = self._searcher.discard(trial)
        self._failed(trial)
        return {"trial": trial, "failed" if step.enters(trial) else "discarded": True} | _others(step)

    def _failed(self, trial: int) -> None:
        if self._trials is not None:
            self._trials.failed(trial)


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


def drive(driver: Driver, events: BinaryIO, answer: Callable[[str], None]) -> None:
    """Answers every line of `events` with one line, until they end."""
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

    SPEC is a whole spec, whose sampler then gives each new trial its hyperparameters and is told the reports, or a file
    that holds just {"searcher": {…}}. Nothing is trained or stored: this is the search alone, for debugging it and for
    embedding it in anything that has a time of its own.

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
    "decisions". With a whole spec the work of a new trial also has its "hparams", their "origin" and maybe a "note" of
    the sampler's; it may name the "parent" from whose checkpoint the trial starts.
    """
    document, wanted = load_searcher(spec), Goal(goal) if goal else None
    with contextlib.ExitStack() as stack:
        # Each line is printed at once, so that whoever drives the search gets each answer in turn.
        drive(_driver(document, wanted, stack), sys.stdin.buffer, say)


def _driver(document: Spec | SearcherFile, goal: Goal | None, stack: contextlib.ExitStack) -> Driver:
    """What answers for a document; `stack` ends its sampler."""
    if not isinstance(document, Spec):
        return Driver(searcher_of(document, goal))
    if goal is not None:
        document = document.model_copy(update={"metric": document.metric.model_copy(update={"goal": goal.value})})
    setup = set_up(document)
    program = started_program(setup)
    if program is not None:
        stack.enter_context(program)
    return Driver(setup.searcher, DrivenTrials(setup, program))
