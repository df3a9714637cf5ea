"""Commands about one trial: trial, metrics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import click

from ....proto.v1 import experiment_pb2
from ....shared.text.printing import say, say_lines
from ....shared.wire.convert import from_message, from_messages
from ....shared.wire.model import Checkpoint, Lease, Report, TrialInfo
from ...client import Client
from ...follow import PATIENCE_S
from ...results import other_metrics
from .. import text
from ..event_text import report_line, told
from ..options import (
    EXPERIMENT_ID,
    TRIAL_ID,
    json_option,
    limit_option,
    looking_options,
    say_if_at_rest,
)
from ..output import print_document, print_json_lines

trial_argument = click.argument("trial", type=TRIAL_ID)


@click.command("trial")
@click.argument("experiment", type=EXPERIMENT_ID)
@trial_argument
@looking_options
@json_option
def trial(experiment: int, trial: int, client: Client, as_json: bool) -> None:
    """Show one trial with its assignments (under leases, with their errors) and its checkpoints."""
    answer = client.connection.call(experiment_pb2.GetTrialRequest(experiment_id=experiment, trial_id=trial))
    if as_json:
        print_document(answer)
        return
    print_trial(client, from_message(answer.trial, TrialInfo))
    say_lines([f"children: {answer.children}"] if answer.children else [])
    say_lines(text.thinned_lines(client.get(experiment)))
    say()
    say_lines(text.table(_LEASE_HEADER, map(_lease_row, from_messages(answer.leases, Lease)), left=frozenset({1, 6})))
    say()
    checkpoints = map(_checkpoint_row, from_messages(answer.checkpoints, Checkpoint))
    say_lines(text.table(_CHECKPOINT_HEADER, checkpoints, left=frozenset({3, 4})))


def print_trial(client: Client, trial: TrialInfo) -> None:
    """Prints one trial for people."""
    experiment = client.get(trial.experiment_id)
    say_lines(text.trial_lines(experiment, trial, other_metrics(client, experiment, trial)))


_LEASE_HEADER = ("lease", "worker", "from", "to", "time", "outcome", "error")
_CHECKPOINT_HEADER = ("checkpoint at", "bytes", "lease", "state", "uri")


def _lease_row(lease: Lease) -> tuple[str, ...]:
    length = text.duration((lease.end_time - lease.start_time).total_seconds()) if lease.end_time else "-"
    error = told(lease.error) if lease.error else ""
    return (
        str(lease.token),
        lease.worker,
        str(lease.from_resource),
        str(lease.target),
        length,
        lease.outcome or "held",
        error,
    )


def _checkpoint_row(checkpoint: Checkpoint) -> tuple[str, ...]:
    state = "deleted" if checkpoint.delete_time else "kept"
    return str(checkpoint.resource), str(checkpoint.size_bytes), str(checkpoint.token), state, checkpoint.uri


@click.command("metrics")
@click.argument("experiment", type=EXPERIMENT_ID)
@click.argument("trial", type=TRIAL_ID, required=False)
@click.option("--follow", is_flag=True, help="Print the reports of all trials as they come, until the experiment ends.")
@click.option("--after", default="", metavar="POSITION", help="With --follow: only reports after this position.")
@limit_option
@looking_options
@json_option
def metrics(
    experiment: int, trial: int | None, follow: bool, after: str, limit: int | None, client: Client, as_json: bool
) -> None:
    """List what a trial reported, in the order in which the master accepted it; with --json one report a line.

    With --follow what all trials report, or only TRIAL, in the order in which it was stored, from the beginning or from
    the position of a report on: its commit_id, trial_id, token and sequence, with dots between them. It goes on through
    restarts of the master.
    """
    if follow:
        at_rest = not client.get(experiment).state.ended and say_if_at_rest(client)
        messages = _streamed(client, experiment, trial, after, to_its_end=not at_rest)
    elif trial is None or after:
        raise click.UsageError("which trial's? Name it; --follow prints those of all, and takes --after")
    else:
        request = experiment_pb2.ListMetricsRequest(experiment_id=experiment, trial_id=trial)
        messages = client.connection.pages(request)
    messages = islice(messages, limit)
    if as_json:
        print_json_lines(messages)
        return
    if follow:
        say_lines(map(report_line, from_messages(messages, Report)))
        return
    rows = _report_rows(from_messages(messages, Report))
    say_lines(text.table(("resource", "time", "metrics"), rows, left=frozenset({1, 2})))
    say_lines(text.thinned_lines(client.get(experiment)))


def _streamed(
    client: Client, experiment_id: int, trial_id: int | None, after: str, *, to_its_end: bool
) -> Iterator[experiment_pb2.Report]:
    """The reports of all trials or of one, until the experiment has ended, or else those that are there."""
    request = experiment_pb2.WatchReportsRequest(experiment_id=experiment_id, after=after)
    with client.with_timeout(PATIENCE_S) as patient:
        for answer in patient.connection.watch(request):
            yield from (report for report in answer.reports if trial_id in (None, report.trial_id))
            if answer.caught_up and not to_its_end:
                return


def _report_rows(reports: Iterator[Report]) -> Iterator[tuple[str, ...]]:
    for report in reports:
        time = f"{report.receive_time.astimezone():%H:%M:%S}"
        yield str(report.resource), time, text.metrics(dict(sorted(report.metrics.items())))
