"""The command `watch`, and following an experiment to its end for other commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TextIO

import click

from ....proto.v1 import experiment_pb2
from ....shared.text.printing import say, say_lines
from ....shared.wire.convert import from_messages, to_message
from ....shared.wire.model import Event
from ...client import Client
from ...follow import PATIENCE_S, Snapshot, follow, wants_curve
from .. import text
from ..event_text import event_line
from ..options import choose, experiment_argument, json_option, looking_options, say_if_at_rest
from ..output import outcome, print_document, print_json_lines
from ..progress import open_display
from ..troubles import print_troubles


@click.command("watch")
@experiment_argument
@click.option("--events", is_flag=True, help="Print the journal, one line an event, instead of progress.")
@click.option(
    "--after", type=click.IntRange(0, 2**63 - 1), default=0, metavar="EVENT", help="Only events after this one."
)
@looking_options
@json_option
def command(experiment: int | None, events: bool, after: int, client: Client, as_json: bool) -> int:
    """Follow an experiment until it ends; with --json its events, one a line, from the beginning.

    It goes on through restarts of the master. Exit code 0 where the search completed, 1 where it failed or was
    cancelled, 130 after Ctrl-C. Without EXPERIMENT (its id), the only unfinished one, or where all have ended the
    newest.
    """
    chosen = choose(client, experiment)
    at_rest = not client.get(chosen).state.ended and say_if_at_rest(client)
    try:
        if events or as_json:
            return _print_events(client, chosen, after, as_json, to_its_end=not at_rest)
        if at_rest:
            return print_result(next(follow(client, chosen)), as_json=False)
        return watch(client, chosen, sys.stdout)
    except KeyboardInterrupt:
        say(err=True)
        say(f"no longer watching; experiment {chosen} goes on", err=True)
        return 130


def watch(client: Client, experiment_id: int, stream: TextIO, as_json: bool = False) -> int:
    """Shows progress on `stream` until the experiment has ended, prints its result and returns the exit code."""
    with open_display(stream) as display:
        last: Snapshot | None = None
        for last in follow(client, experiment_id, curve=wants_curve(display)):
            display.show(last)
    assert last is not None, "follow gives at least one snapshot"
    return print_result(last, as_json)


def print_result(last: Snapshot, as_json: bool) -> int:
    """Prints how an experiment ended, as text or as the answer of GetExperiment, and returns the exit code."""
    if as_json:
        print_document(experiment_pb2.GetExperimentResponse(experiment=to_message(last.experiment)))
    else:
        say_lines(text.overview(last.experiment, datetime.now(UTC), last.workers, last.other_metrics))
        if last.model is not None and last.experiment.best_trial is not None:
            say_lines(text.model_lines(last.experiment, last.experiment.best_trial, last.model))
        print_troubles(last.troubles)
    return outcome(last.experiment)


def _print_events(client: Client, experiment_id: int, after: int, as_json: bool, *, to_its_end: bool) -> int:
    last = None if to_its_end else client.get(experiment_id).last_event_id
    messages = _events(client, experiment_id, after, last)
    if as_json:
        print_json_lines(messages)
    else:
        say_lines(map(event_line, from_messages(messages, Event)))
    return outcome(client.get(experiment_id))


def _events(client: Client, experiment_id: int, after: int, last: int | None) -> Iterator[experiment_pb2.Event]:
    """The events until the experiment has ended, or up to the one with the number `last`."""
    request = experiment_pb2.WatchExperimentRequest(experiment_id=experiment_id, after_event_id=after)
    if last is not None and last <= after:
        return
    with client.with_timeout(PATIENCE_S) as patient:
        for event in (event for answer in patient.connection.watch(request) for event in answer.events):
            yield event
            if last is not None and event.event_id >= last:
                return
