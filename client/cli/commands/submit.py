"""The command `submit`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ....shared.text.printing import say
from ....shared.wire.convert import from_message
from ....shared.wire.model import Experiment
from ...client import Client
from ...requests import create_experiment
from ..documents import read_spec
from ..options import json_option, steering_options
from ..output import print_document
from .watch import watch


@click.command("submit")
@click.argument("spec", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--watch", "watching", is_flag=True, help="Follow it until it ends; Ctrl-C leaves it running.")
@click.option("--request-id", metavar="ID", help="Repeating a call with the same ID returns the same experiment.")
@steering_options
@json_option
def command(spec: Path, watching: bool, request_id: str | None, client: Client, as_json: bool) -> int:
    """Give the search in SPEC, a YAML or JSON file (- for standard input), to a master, which starts it.

    The master checks it and names every problem; then nothing is stored, and the exit code is 2.
    """
    answer = client.connection.call(create_experiment(read_spec(spec), request_id))
    experiment = from_message(answer.experiment, Experiment)
    number = experiment.experiment_id
    for warning in answer.warnings:
        say(f"warning: {warning}", err=True)
    if not as_json:
        say(f"experiment {number} ({experiment.name}) is {experiment.state}: {experiment.planned_trials} trials")
    if not watching:
        print_document(answer) if as_json else say(f"follow it with: rungmaster watch {number}")
        return 0
    try:
        return watch(client, number, sys.stderr if as_json else sys.stdout, as_json)
    except KeyboardInterrupt:
        say(err=True)
        say(f"no longer watching; experiment {number} goes on: rungmaster watch {number}", err=True)
        return 130
