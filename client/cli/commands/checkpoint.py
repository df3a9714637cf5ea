"""The command `checkpoint`."""

from __future__ import annotations

from pathlib import Path

import click

from ....shared.text.printing import say, say_lines
from ....shared.wire.convert import to_message
from ...client import Client
from .. import text
from ..options import TRIAL_ID, choose, experiment_argument, json_option, looking_options
from ..output import print_document


@click.command("checkpoint")
@experiment_argument
@click.argument("trial", type=TRIAL_ID, required=False)
@click.option(
    "--to",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where its files go: a folder that is empty, or not there yet.",
)
@click.option(
    "--resource",
    type=click.IntRange(min=0),
    metavar="N",
    help="The one at this resource.  [default: the one with the result, or else the furthest trained]",
)
@looking_options
@json_option
def command(
    experiment: int | None, trial: int | None, folder: Path, resource: int | None, client: Client, as_json: bool
) -> None:
    """Fetch a checkpoint, the model of TRIAL, by default of the best trial, from wherever it lies.

    Its files are verified, and DIR is there only once all of them are. Without EXPERIMENT (its id), of the only
    unfinished one, or where all have ended of the newest.
    """
    chosen = choose(client, experiment)
    fetched = client.fetch_checkpoint(chosen, trial, to=folder, resource=resource)
    if as_json:
        print_document(to_message(fetched))
        return
    searched = client.get(chosen)
    say(f"{folder} has the {text.checkpoint(fetched, searched.unit)}, verified")
    its = searched.best_trial if trial is None else client.trial(chosen, trial).trial
    if its is not None and resource is None:
        say_lines(text.other_model(searched, its, fetched))
