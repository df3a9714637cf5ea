"""Commands about whole experiments: status, list, pause, resume, set, extend, cancel, delete, thin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click
from google.protobuf.message import Message

from ....proto.v1 import experiment_pb2
from ....shared.limits import MAX_KEEP_EVERY, MAX_TRIALS
from ....shared.text.printing import say, say_lines
from ....shared.wire.convert import from_message, from_messages
from ....shared.wire.model import Experiment, ExperimentState, Trouble
from ...client import Client
from ...fingerprint import code_warning
from ...local.database import DatabaseClient
from ...requests import extend_experiment, list_experiments, set_experiment
from ...results import other_metrics
from .. import text
from ..options import (
    EXPERIMENT_ID,
    UNFINISHED,
    choose,
    experiment_argument,
    json_option,
    limit_option,
    looking_options,
    say_if_at_rest,
    steering_options,
)
from ..output import print_document, print_json_lines
from ..troubles import print_troubles

_LIST_HEADER = ("id", "name", "owner", "priority", "state", "trials", "trained", "best", "age")


@click.command("status")
@experiment_argument
@looking_options
@json_option
def status(experiment: int | None, client: Client, as_json: bool) -> None:
    """Show where an experiment stands: trials by state, brackets and rungs, the best trial.

    Without EXPERIMENT (its id), the only unfinished one, or where all have ended the newest.
    """
    request = experiment_pb2.GetExperimentRequest(experiment_id=choose(client, experiment), troubles=True)
    answer = client.connection.call(request)
    if as_json:
        print_document(answer)
        return
    value = from_message(answer.experiment, Experiment)
    reads = isinstance(client, DatabaseClient)
    workers = None if reads else () if value.state.ended else client.workers()
    more = other_metrics(client, value, value.best_trial) if value.state.ended else {}
    heading, *lines = text.overview(value, datetime.now(UTC), workers, more)
    say_lines([heading, *([f"owner {value.owner}"] if value.owner else []), text.settings(value), *lines])
    print_troubles(tuple(from_messages(answer.troubles, Trouble)))
    if not value.state.ended:
        say_if_at_rest(client)


@click.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in ExperimentState]),
    help="Only these; may be repeated.",
)
@click.option("--name", default="", metavar="TEXT", help="Only names that contain this.")
@limit_option
@looking_options
@json_option
def list_command(states: tuple[str, ...], name: str, limit: int | None, client: Client, as_json: bool) -> None:
    """List experiments, newest first; with --json one a line."""
    messages = islice(client.connection.pages(list_experiments(states, name)), limit)
    if as_json:
        print_json_lines(messages)
        return
    say_lines(text.table(_LIST_HEADER, _list_rows(from_messages(messages, Experiment)), left=frozenset({1, 2, 4})))


def _list_rows(experiments: Iterator[Experiment]) -> Iterator[tuple[str, ...]]:
    now = datetime.now(UTC)
    for experiment in experiments:
        made = sum(experiment.trial_counts.values())
        yield (
            str(experiment.experiment_id),
            experiment.name,
            experiment.owner or "-",
            str(experiment.priority),
            experiment.state.value,
            f"{made}/{experiment.planned_trials}",
            f"{experiment.resource_spent} {experiment.unit}",
            text.number(experiment.result_of(experiment.best_trial)[0] if experiment.best_trial else None),
            text.duration((now - experiment.create_time).total_seconds()),
        )


@click.command("pause")
@experiment_argument
@steering_options
@json_option
def pause(experiment: int | None, client: Client, as_json: bool) -> None:
    """Hand out no more work of an experiment; running trials save a checkpoint and give their slots back.

    Without EXPERIMENT (its id), the only active one.
    """
    chosen = choose(client, experiment, [ExperimentState.ACTIVE])
    _change(client, experiment_pb2.PauseExperimentRequest(experiment_id=chosen), as_json)


@click.command("resume")
@experiment_argument
@steering_options
@json_option
def resume(experiment: int | None, client: Client, as_json: bool) -> None:
    """Let a paused experiment go on where it stood.

    Without EXPERIMENT (its id), the only paused one.
    """
    chosen = choose(client, experiment, [ExperimentState.PAUSED])
    answer = _change(client, experiment_pb2.ResumeExperimentRequest(experiment_id=chosen), as_json)
    _warn_of_changed_code(client, from_message(answer.experiment, Experiment))


def _warn_of_changed_code(client: Client, experiment: Experiment) -> None:
    if changed := client.code_changes(experiment.experiment_id):
        warning = code_warning(experiment, changed)
        say(f"warning: {warning}: trials from before and from now on are of different code", err=True)


@click.command("cancel")
@experiment_argument
@steering_options
@json_option
def cancel(experiment: int | None, client: Client, as_json: bool) -> None:
    """End an experiment for good; what was recorded stays.

    Without EXPERIMENT (its id), the only unfinished one.
    """
    chosen = choose(client, experiment, UNFINISHED)
    _change(client, experiment_pb2.CancelExperimentRequest(experiment_id=chosen), as_json)


class _AtOnce(click.ParamType):
    """A whole number of trials, or `none`, which goes over the wire as 0."""

    name = "trials"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        if value == "none":
            return 0
        number = click.INT.convert(value, param, ctx)
        if number < 1:
            self.fail(f"must be at least 1, or none for every free slot; got {number}", param, ctx)
        return number


@click.command("set")
@experiment_argument
@click.option("--priority", type=int, metavar="N", help="Of the experiments with work the highest goes first.")
@click.option("--weight", type=float, metavar="X", help="Equals in priority share the slots by it.")
@click.option(
    "--max-concurrent-trials", "at_once", type=_AtOnce(), metavar="N", help="Trials that train at once; none: no limit."
)
@steering_options
@json_option
def set_command(
    experiment: int | None,
    priority: int | None,
    weight: float | None,
    at_once: int | None,
    client: Client,
    as_json: bool,
) -> None:
    """Change how an experiment shares the slots with others, at once. Trials that train go on.

    Without EXPERIMENT (its id), the only unfinished one.
    """
    if priority is None and weight is None and at_once is None:
        raise click.UsageError("nothing to set: give --priority, --weight or --max-concurrent-trials")
    chosen = choose(client, experiment, UNFINISHED)
    request = set_experiment(chosen, priority=priority, weight=weight, max_concurrent_trials=at_once)
    _change(client, request, as_json, lambda value: [f"has {text.settings(value)}"])


@click.command("extend")
@click.argument("experiment", type=EXPERIMENT_ID)
@click.option(
    "--max-trials",
    type=click.IntRange(1, MAX_TRIALS),
    required=True,
    metavar="N",
    help="Trials in all, those counted that there are.",
)
@steering_options
@json_option
def extend(experiment: int, max_trials: int, client: Client, as_json: bool) -> None:
    """Give a search more trials, while it runs or once it has completed: it goes on where it stood.

    Its brackets and rungs stay. Of a search that had completed, trials that waited at rungs can be promoted as far as
    their checkpoints are kept (`checkpoints: {keep: all}` keeps them all).
    """
    answer = _change(client, extend_experiment(experiment, max_trials), as_json, _makes)
    _warn_of_changed_code(client, from_message(answer.experiment, Experiment))


def _makes(experiment: Experiment) -> list[str]:
    return [f"is {experiment.state} and makes {experiment.planned_trials:,} trials in all"]


@click.command("delete")
@click.argument("experiment", type=EXPERIMENT_ID)
@steering_options
@json_option
def delete(experiment: int, client: Client, as_json: bool) -> None:
    """Delete the records and checkpoints of an experiment that has ended. There is no way back."""
    answer = client.connection.call(experiment_pb2.DeleteExperimentRequest(experiment_id=experiment))
    if as_json:
        print_document(answer)
        return
    say(f"experiment {experiment} is deleted")


@click.command("thin")
@click.argument("experiment", type=EXPERIMENT_ID)
@click.option(
    "--keep-every",
    type=click.IntRange(1, MAX_KEEP_EVERY),
    metavar="N",
    help="Keep every Nth report as well, by its sequence number.",
)
@steering_options
@json_option
def thin(experiment: int, keep_every: int | None, client: Client, as_json: bool) -> None:
    """Drop most reports of an experiment that has ended. There is no way back.

    Those stay that decided at a rung, each trial's best and its last. The master does it in the background; `status`
    shows how far it is. To keep them all elsewhere first: rungmaster export --what reports.
    """
    request = experiment_pb2.ThinExperimentRequest(experiment_id=experiment, keep_every=keep_every)
    _change(client, request, as_json, lambda value: [f"is {value.state}", *text.thinned_lines(value)])


def _state(experiment: Experiment) -> list[str]:
    return [f"is {experiment.state}"]


def _change(client: Client, request: Message, as_json: bool, told: Callable[[Experiment], list[str]] = _state) -> Any:
    """The answer with the experiment after a change, which it prints: as JSON, or as what is `told` of it."""
    answer = client.connection.call(request)
    if as_json:
        print_document(answer)
    else:
        value = from_message(answer.experiment, Experiment)
        first, *others = told(value)
        say_lines([f"experiment {value.experiment_id} ({value.name}) {first}", *others])
    return answer
