"""The commands `slurm up` and `slurm down`."""

from __future__ import annotations

from pathlib import Path

import click

from ....shared.text.printing import say
from ..documents import read_spec

_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("rungmaster-slurm"),
    show_default=True,
    help="A folder that every host reaches, for this search alone.",
)


@click.group("slurm")
def command() -> None:
    """Run a search as jobs of Slurm."""


@command.command(context_settings={"ignore_unknown_options": True}, short_help="Submit a master and workers.")
@click.argument("spec", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--workers", type=click.IntRange(1, 10_000), required=True, metavar="N", help="Workers, a job each.")
@click.option(
    "--gpus-per-worker",
    default="0",
    show_default=True,
    metavar="[TYPE:]N",
    help="GPUs of each worker, by --gres; each is a slot.",
)
@click.option(
    "--slots", type=click.IntRange(1, 10_000), metavar="N", help="Trials at once on each worker.  [default: GPUs, or 1]"
)
@_folder
@click.option("--db", "database", help="The master's database.  [default: rungmaster.db in the folder]")
@click.option(
    "--exit-when-idle",
    "exit_when_idle_s",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="A worker that has nothing to train for so long gives its node back.",
)
@click.option(
    "--for-master",
    "master_options",
    multiple=True,
    metavar="OPTION",
    help="An option of sbatch for the master's job alone, such as --for-master=--partition=cpu; may be repeated.",
)
@click.option(
    "--insecure", is_flag=True, help="No TLS and no tokens: everybody on the cluster can have you run their code."
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF sbatch]...")
def up(
    spec: Path,
    workers: int,
    gpus_per_worker: str,
    slots: int | None,
    folder: Path,
    database: str | None,
    exit_when_idle_s: float,
    master_options: tuple[str, ...],
    insecure: bool,
    options: tuple[str, ...],
) -> None:
    """Submit the search in SPEC to Slurm: a job for the master, and an array of jobs for the workers.

    Options that are none of ours go to sbatch, for every job: --partition=gpu --time=24:00:00 --mem=32G. Workers train
    in this folder. Jobs that are preempted, or reach their time limit, save and come back; the master ends with the
    search. The same command goes on with a search whose jobs have ended.
    """
    from ....shared.spec.spec import parse_spec
    from ...slurm.folder import SearchFolder
    from ...slurm.jobs import Plan
    from ...slurm.jobs import up as submit

    text = read_spec(spec)
    name = parse_spec(text).name
    place = SearchFolder(folder)
    plan = Plan(
        workers, gpus_per_worker, slots, database, exit_when_idle_s, insecure, tuple(options), tuple(master_options)
    )
    jobs, new = submit(text, place, plan)
    begins = "begins" if new else "goes on"
    say(f"{name} {begins}: job {jobs.master} is its master, {jobs.workers[0]} its {workers} workers")
    say("look at it, once the master has started, with:")
    say(f"  . {place.path}/env")
    say("  rungmaster watch")
    say(f"end it with: rungmaster slurm down --folder {place.path}")


@command.command(short_help="End the jobs of a search.")
@_folder
def down(folder: Path) -> None:
    """End the jobs of a search. The workers save what they train; `rungmaster slurm up` goes on with it."""
    from ...slurm.folder import SearchFolder
    from ...slurm.jobs import down as end

    ended = end(SearchFolder(folder))
    say(f"ended: {', '.join(ended)}" if ended else "its jobs had ended already")
