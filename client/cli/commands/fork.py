"""The command `fork`."""

from __future__ import annotations

import click

from ....shared.text.printing import say_block, say_json
from ...client import Client
from ..options import choose, experiment_argument, json_option, looking_options


@click.command("fork")
@experiment_argument
@looking_options
@json_option
def command(experiment: int | None, client: Client, as_json: bool) -> None:
    """Print the spec of an experiment as YAML, to edit and to submit as a new one.

    What has its default is left out; with --json every field is there. Without EXPERIMENT (its id), the only
    unfinished one, or where all have ended the newest.
    """
    found = client.get(choose(client, experiment))
    if as_json:
        say_json(dict(found.spec), indent=2)
        return
    from ....shared.spec.writing import spec_to_yaml

    when = f"{found.create_time:%Y-%m-%d %H:%M} UTC"
    say_block(f"# The spec of experiment {found.experiment_id}, submitted {when}; what is left out is the default.")
    say_block(spec_to_yaml(found.spec).removesuffix("\n"))
