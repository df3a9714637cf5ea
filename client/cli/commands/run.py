"""The command `run`."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path

import click

from ....shared.net.dashboards import DashboardChild, with_its_value
from ....shared.options import dashboard_option
from ....shared.text.printing import say
from ...local.database import DEFAULT_DATABASE, shown
from ...local.interrupts import interrupt
from ...local.run import RunOptions, run_to_end
from ..documents import read_spec
from ..options import json_option
from ..progress import open_display
from .watch import print_result


class RunCommand(click.Command):
    """Tells the spec from the address of the page, which may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click."""
        return super().parse_args(ctx, with_its_value(args))


@click.command("run", cls=RunCommand)
@click.argument("spec", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes.  [default: one for each GPU, or without any one for each core, at most 4]",
)
@click.option(
    "--slots",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Slots of each worker: how many trials it trains at once.",
)
@click.option(
    "--db",
    "database",
    default=DEFAULT_DATABASE,
    show_default=True,
    help="Database: a file for SQLite, or a URL such as postgresql://user@host/name.",
)
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where master and workers log.  [default: beside the database, with the ending .log]",
)
@click.option("--again", is_flag=True, help="Search anew, where the database has an experiment of this spec already.")
@click.option("--all", "train_all", is_flag=True, help="Train the database's other unfinished experiments as well.")
@dashboard_option
@json_option
def command(
    spec: Path,
    workers: int | None,
    slots: int,
    database: str,
    log: Path | None,
    again: bool,
    train_all: bool,
    dashboard: str | None,
    as_json: bool,
) -> int:
    """Run the search in SPEC, a YAML or JSON file (- for standard input), on this machine.

    Starts a master on the database and its workers, follows the search to its end, and prints the result. Ctrl-C
    keeps the search: the same command goes on with an unfinished experiment of the same spec, and shows the result of
    one that has completed. Exit code 0 where it completed, 1 where it failed or was cancelled, 2 for a wrong spec, 130
    after Ctrl-C.
    """
    document = read_spec(spec)
    beside = DashboardChild(dashboard) if dashboard else None
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with open_display(sys.stderr if as_json else sys.stdout) as display:
            options = RunOptions(workers, slots, database, log, again, train_all, beside)
            last = run_to_end(document, options, display)
    except KeyboardInterrupt:
        onward = shlex.join(["rungmaster", *(argument for argument in sys.argv[1:] if argument != "--again")])
        say(err=True)
        say(f"the search is kept in {shown(database)}; to go on: {onward}", err=True)
        return 130
    return print_result(last, as_json)
