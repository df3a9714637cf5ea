"""The command `best`: the best trials for people, or their hyperparameters to use elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import click

from ....proto.v1 import experiment_pb2
from ....shared.hparam_variables import without_variable
from ....shared.text.printing import say, say_block, say_lines
from ....shared.wire.convert import from_messages
from ....shared.wire.model import TrialInfo, TrialOrder
from ...client import Client
from ...fetching import model_of
from ...requests import list_trials
from .. import text
from ..options import choose, experiment_argument, json_option, looking_options
from ..output import print_json_lines
from .trial import print_trial

_FORMS = ("text", "yaml", "json", "env", "args")


@click.command("best")
@experiment_argument
@click.option("--top", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N", help="The N best.")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default="text",
    show_default=True,
    help="yaml, json, env, args: the hyperparameters and nothing else; env: variables for a shell, args: options of a "
    "command line.",
)
@looking_options
@json_option
def command(experiment: int | None, top: int, form: str, client: Client, as_json: bool) -> int:
    """Show the best trial of an experiment so far, or the N best; with --json one a line, all that is known of it.

    The best has the best result of any of its reports, or with `metric: {best: last}` in the specification the best at
    the last rung that it entered. Exit code 1 where there is no result yet. Where its model has passed from trial to
    trial (PBT), also with which hyperparameters it was trained from which resource to which.
    Without EXPERIMENT (its id), of the only unfinished one, or where all have ended of the newest.

    \b
    rungmaster best 3 --format yaml > best.yaml
    eval "python train.py $(rungmaster best 3 --format args)"
    variables=$(rungmaster best 3 --format env) && eval "$variables" && ./train.sh
    """
    _check(form, top, as_json)
    chosen = choose(client, experiment)
    request = list_trials(chosen, order=TrialOrder.BEST, page_size=top)
    messages = list(islice(client.connection.pages(request), top))
    if not messages:
        say(f"Error: experiment {chosen} has no result yet", err=True)
        return 1
    if as_json or (top == 1 and form == "text"):
        messages = [_with_schedule(client, message) for message in messages]
    found = list(from_messages(messages, TrialInfo))
    if as_json:
        print_json_lines(messages)
    elif form != "text":
        _print_hparams(found, form)
    elif top == 1:
        print_trial(client, found[0])
        _print_model(client, found[0])
    else:
        say_lines(text.table(text.TRIAL_HEADER, map(text.trial_row, found), left=text.TRIAL_LEFT))
    return 0


def _check(form: str, top: int, as_json: bool) -> None:
    if as_json and form != "text":
        raise click.UsageError(
            f"--json and --format {form}: all that is known of the trial, or its hyperparameters? Leave one out"
        )
    if form == "env" and top > 1:
        raise click.UsageError("--format env is of one trial: the variables of several would be the same")


def _print_hparams(trials: Sequence[TrialInfo], form: str) -> None:
    """The hyperparameters alone, on standard output; what is to be known of them on standard error."""
    from ....shared.spec.document.yaml_writing import yaml_text
    from ...hparam_forms import as_arguments, as_exports, as_json

    if form == "yaml":
        say_block(yaml_text([trial.hparams for trial in trials]).removesuffix("\n"))
    else:
        forms: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "json": as_json,
            "env": as_exports,
            "args": as_arguments,
        }
        for trial in trials:
            say_block(forms[form](trial.hparams))
    for trial in trials:
        if trial.parent is not None:
            of = f"{trial.experiment_id} {trial.trial_id}"
            say(
                f"note: the model of trial {trial.trial_id} was trained with other hyperparameters before: "
                f"rungmaster trial {of}",
                err=True,
            )
        if form == "env" and (alone := without_variable(trial.hparams)):
            say(f"note: without a variable of their own, but in RUNGMASTER_HPARAMS: {', '.join(alone)}", err=True)


def _with_schedule(client: Client, trial: experiment_pb2.Trial) -> experiment_pb2.Trial:
    if not trial.HasField("parent"):
        return trial
    request = experiment_pb2.GetTrialRequest(experiment_id=trial.experiment_id, trial_id=trial.trial_id)
    return client.connection.call(request).trial


def _print_model(client: Client, trial: TrialInfo) -> None:
    experiment = client.get(trial.experiment_id)
    model = model_of(experiment, trial, client.trial(trial.experiment_id, trial.trial_id).checkpoints)
    model = model and client.located(model)
    say_lines(text.model_lines(experiment, trial, model))
    say_lines(text.best_lines(experiment)[:-1])
