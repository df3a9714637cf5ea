"""`rungmaster db`: checks, backs up, restores, sweeps and compacts a master's database."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...shared.text.logs import set_up_logs
from ...shared.text.printing import say, say_json

if TYPE_CHECKING:
    from ..maintenance.sweep import Leftovers

_database = click.option(
    "--db",
    "database",
    default="rungmaster.db",
    show_default=True,
    help="Database: a file for SQLite, or a URL such as postgresql://user@host/name.",
)


@click.group("db")
def command() -> None:
    """Check, back up, restore, sweep or compact a master's database."""


@command.command()
@_database
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def check(database: str, as_json: bool) -> int:
    """Verify everything that must hold of a database, beside its running master or without one.

    Counters agree with the tables, leases and reports follow each other without gaps, and the journal, told to a fresh
    searcher, leads to the same decisions and the same rungs. Prints one line for each violation, and exits with 1 if
    there is any.
    """
    from ..maintenance.check import check_database

    findings = check_database(database)
    if as_json:
        say_json({"database": _shown(database), **asdict(findings)}, indent=2)
        return int(bool(findings.violations))
    for line in findings.violations:
        say(line)
    looked = f"{findings.experiments:,} experiments, {findings.trials:,} trials, {findings.reports:,} reports"
    number = len(findings.violations)
    outcome = f"{number:,} violation{'s' * (number != 1)}" if number else "whole"
    say(f"{_shown(database)}: {outcome} ({looked})")
    return int(bool(findings.violations))


def _shown(database: str) -> str:
    """Without a password."""
    from ..ledger.engine import parse_database

    return parse_database(database).name


@command.command(hidden=True)
@_database
@click.option("--socket", required=True, help="Where to listen, as unix:PATH.")
def read(database: str, socket: str) -> None:
    """Serve a database to the process that started this one, which only reads it; end when standard input closes."""
    from ..reading import serve_reading

    set_up_logs("%(asctime)s %(levelname)s %(name)s: %(message)s", verbose=False)
    asyncio.run(serve_reading(database, socket, say))
    # Nothing is left to be done, and somebody waits: taking the interpreter down takes longer than a query.
    os._exit(0)


@command.command()
@_database
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
def backup(database: str, target: Path) -> None:
    """Copy an SQLite database to TARGET as it is at one moment, while its master runs.

    For PostgreSQL it tells how pg_dump does that.
    """
    from ..ledger.files.backup import back_up

    back_up(database, target)
    say(f"{database} is backed up to {target} ({target.stat().st_size:,} bytes)")


@command.command()
@_database
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False), required=False)
def restore(database: str, source: Path | None) -> None:
    """Put the backup SOURCE in place of a database that is gone, and make it safe to use.

    A backup does not know what was handed out after it was made. So every lease in it is ended, and the numbers of
    terms, leases and experiments go on far beyond any that may have been used since. For PostgreSQL run pg_restore
    first, and then this without SOURCE. Start no master in between.
    """
    from ..maintenance.restore import restore as restore_database

    ended = restore_database(database, source)
    say(f"{_shown(database)} is ready for a master; {ended:,} leases ended, their trials will go on")


@command.command()
@_database
@click.option("--dry-run", is_flag=True, help="List what would be deleted, and delete nothing.")
@click.option(
    "--older-than",
    "older_than_hours",
    metavar="HOURS",
    type=click.FloatRange(min=0.0),
    default=24.0,
    show_default=True,
    help="Only what has not changed for so long.",
)
@click.option("--storage", "storages", multiple=True, help="Look there too; by default where its experiments save.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    help="The workers' directory, below which relative storages lie.  [default: this one]",
)
@click.option(
    "--logs",
    type=click.Path(path_type=Path, file_okay=False),
    help="The workers' training logs.  [default: .rungmaster/logs in the directory]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def sweep(
    database: str,
    dry_run: bool,
    older_than_hours: float,
    storages: tuple[str, ...],
    directory: Path,
    logs: Path | None,
    as_json: bool,
) -> int:
    """Delete checkpoints that the database does not know and nothing can need, and logs of deleted experiments.

    They are left over where a worker died while it saved, or had lost its lease. Nothing is touched but checkpoints of
    this database by their addresses, of leases that have ended. A master has its workers do the same now and then.
    Exits with 1 where a storage could not be reached.
    """
    from ..maintenance.sweep import Where, sweep_database

    where = Where(directory.resolve(), logs or directory.resolve() / ".rungmaster" / "logs", storages)
    swept = sweep_database(database, where, older_than_hours * 3600.0, dry_run=dry_run)
    if as_json:
        say_json({"database": _shown(database), "dry_run": dry_run, **_as_document(swept)}, indent=2)
        return int(bool(swept.failures))
    for found in swept.checkpoints:
        say(f"{found.uri}  ({found.age_s / 3600:.1f} hours old)")
    for experiment_id in swept.logs:
        say(f"logs of experiment {experiment_id}, which was deleted")
    for failure in swept.failures:
        say(failure, err=True)
    number = len(swept.checkpoints)
    what = f"{number:,} checkpoint{'s' * (number != 1)} and the logs of {len(swept.logs):,} experiments"
    say(f"{_shown(database)}: {what} {'would be' if dry_run else 'are'} deleted")
    return int(bool(swept.failures))


def _as_document(swept: Leftovers) -> dict[str, Any]:
    checkpoints = [{"uri": found.uri, "age_seconds": round(found.age_s)} for found in swept.checkpoints]
    return {"checkpoints": checkpoints, "logs": swept.logs, "failures": swept.failures}


@command.command()
@_database
def compact(database: str) -> None:
    """Write an SQLite file anew without the room that deleted rows left. Stop its master first.

    It needs free disk for twice the result while it works. For PostgreSQL it tells what does that.
    """
    from ..maintenance.compact import compact as compact_database

    before, after = compact_database(database)
    say(f"{_shown(database)} has {after:,} bytes now, {before - after:,} less")
