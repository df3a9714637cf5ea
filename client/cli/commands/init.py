"""The command `init`. It imports nothing that it does not need."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path

import click

from ....shared.errors import FailedPrecondition
from ....shared.text.printing import say

#: What it writes, from the package's folder `templates`.
TEMPLATES = ("spec.yaml", "my_training.py")


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Write over files that are there.")
def command(folder: Path, force: bool) -> None:
    """Write a spec and its training code into DIR, by default this folder: a search that runs, to begin from.

    The code trains a small neural network in plain Python and needs nothing more. Files that are there are left as
    they are: then nothing is written, unless --force is given.
    """
    there = [str(path) for name in TEMPLATES if (path := folder / name).is_symlink() or path.exists()]
    if there and not force:
        raise FailedPrecondition(f"{' and '.join(there)}: there already, nothing was written; --force writes over")
    folder.mkdir(parents=True, exist_ok=True)
    for name in TEMPLATES:
        content = files("rungmaster").joinpath("templates", name).read_bytes()
        with (folder / name).open("wb" if force else "xb") as file:
            file.write(content)
        say(f"wrote {folder / name}")
    say("next:")
    if folder.resolve() != Path.cwd():
        say(f"  cd {shlex.quote(str(folder))}")
    say("  rungmaster run spec.yaml              # the search, on this machine")
    say("  rungmaster best --format yaml         # the best hyperparameters")
    say("  rungmaster checkpoint --to best-model # the model that was trained with them")
