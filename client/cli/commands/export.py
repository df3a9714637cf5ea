"""The command `export`: all trials or reports of an experiment, for programs that analyse them."""

from __future__ import annotations

from pathlib import Path

import click

from ....shared.errors import InvalidInput
from ....shared.text.printing import say, say_lines
from ...client import Client
from ...follow import PATIENCE_S
from ...tables.export import FORMATS, Table, lines, write
from ..options import choose, experiment_argument, looking_options

_ENDINGS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_STDOUT = Path("-")


@click.command("export")
@experiment_argument
@click.option(
    "--what",
    type=click.Choice(["trials", "reports"]),
    default="trials",
    show_default=True,
    help="A row for each trial with its hyperparameters, or for each report with its metrics.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="What is written.  [default: by the ending of FILE, else csv]"
)
@click.option(
    "--out",
    "target",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=_STDOUT,
    metavar="FILE",
    help="The file, or - for standard output.  [default: -]",
)
@click.option("--force", is_flag=True, help="Replace the file where there is one.")
@looking_options
def command(experiment: int | None, what: str, form: str | None, target: Path, force: bool, client: Client) -> None:
    """Write the trials or the reports of an experiment as CSV, JSON lines or Parquet; a running search as it is now.

    A file appears when it is whole. Without EXPERIMENT (its id), of the only unfinished one, or where all have ended
    of the newest. Parquet needs the extra `parquet`.

    \b
    rungmaster export 1 --out trials.csv
    rungmaster export 1 --what reports --out reports.parquet
    """
    form = form or _form_of(target)
    if target == _STDOUT and form == "parquet":
        raise InvalidInput("Parquet is not for standard output: name a file, --out FILE.parquet")
    chosen = choose(client, experiment)
    with client.with_timeout(PATIENCE_S) as patient:
        found = client.get(chosen)
        table = Table(patient, found, reports=what == "reports")
        if target == _STDOUT:
            # A line each, so that no text in it can look like another.
            say_lines(line.removesuffix("\n").removesuffix("\r") for line in lines(table, form))
        else:
            count = write(table, form, target, replace=force)
            told = f"{count:,} {what} of experiment {chosen} are in {target} ({target.stat().st_size:,} bytes)"
            say(told, err=True)
    dropped = found.thinning.reports_dropped if found.thinning and what == "reports" else 0
    if dropped:
        say(f"{dropped:,} more had been dropped when it was thinned", err=True)


def _form_of(target: Path) -> str:
    """What a file's ending says it is. Raises InvalidInput where that says nothing."""
    if target == _STDOUT:
        return "csv"
    if target.suffix.lower() not in _ENDINGS:
        raise InvalidInput(
            f"{target}: which format? Name it by --format, or end the name with one of {', '.join(_ENDINGS)}"
        )
    return _ENDINGS[target.suffix.lower()]
