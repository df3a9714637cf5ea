"""`rungmaster simulate`: the real search in virtual time, on a model of how trials learn."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ...shared.text.printing import say_block, say_json
from ...shared.text.visible import visible
from ..search.registry import goal_of, searcher_of
from ..simulation.curves import CURVES
from ..simulation.virtual_time import Outcome, RungCount, simulate
from .searcher_file import load_searcher


def _document(path: Path, seed: int, curves: str, outcome: Outcome) -> dict[str, Any]:
    """The outcome in the shape that scripts get."""
    return {
        "spec": str(path),
        "workers": outcome.workers,
        "seed": seed,
        "curves": curves,
        "trials": outcome.trials,
        "assignments": outcome.assignments,
        "brackets": [{"rungs": [asdict(rung) for rung in bracket]} for bracket in outcome.rungs],
        "makespan": outcome.makespan,
        "utilisation": outcome.utilisation,
        "resource": outcome.resource,
        "full_resource": outcome.resource_full,
        "saved": outcome.saved,
        "best_trial": outcome.best_trial,
        "best_error": outcome.best_found,
        "best_error_of_all": outcome.best_of_all,
        "best_rank": outcome.best_rank,
    }


def _text(path: Path, seed: int, outcome: Outcome) -> str:
    workers = "1 worker" if outcome.workers == 1 else f"{outcome.workers:,} workers"
    head = f"{outcome.trials:,} trials in {outcome.assignments:,} assignments, {workers}, seed {seed}"
    lines = [f"{visible(str(path))}: {head}"]
    for b, rungs in enumerate(outcome.rungs):
        lines += [f"  bracket {b}", *_table(rungs)]
    lines += [
        f"  makespan     {outcome.makespan:,.0f} (1 is the time that a median trial takes for one unit of resource)",
        f"  utilisation  {outcome.utilisation:.1%} of the workers' time",
        f"  resource     {outcome.resource:,} of {outcome.resource_full:,} for training every trial in full: "
        f"{outcome.saved:.1%} saved",
        f"  best trial   {outcome.best_trial}: error {outcome.best_found:.4f} after training in full, "
        f"rank {outcome.best_rank:,} of {outcome.trials:,} (the best of all: {outcome.best_of_all:.4f})",
    ]
    return "\n".join(lines)


def _table(rungs: tuple[RungCount, ...]) -> list[str]:
    width = max(len("resource"), *(len(f"{value:,}") for rung in rungs for value in (rung.resource, rung.entered)))
    head = f"    rung  {'resource':>{width}}  {'entered':>{width}}  {'promoted':>{width}}"
    rows = (
        f"    {k:>4}  {rung.resource:>{width},}  {rung.entered:>{width},}  {rung.promoted:>{width},}"
        for k, rung in enumerate(rungs)
    )
    return [head, *rows]


@click.command(short_help="Run a search in virtual time, without training.")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--workers", type=click.IntRange(1, 10**6), required=True, help="How many trials train at once.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the learning curves.")
@click.option(
    "--curves",
    type=click.Choice(list(CURVES)),
    default="model",
    show_default=True,
    help="How trials learn: as modelled, or so that early results tell the truth, or so that they mislead.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(spec: Path, workers: int, seed: int, curves: str, as_json: bool) -> None:
    """Runs the real search of SPEC in virtual time, on learning curves drawn from a model: nothing is trained.

    SPEC is a whole spec, or a file that holds just {"searcher": {…}}. The error of trial i falls by a power law towards
    a floor, as (seed, i) alone decides: floor, speed, noise and the time for one unit of resource differ by trial.
    Same seed, same trials, whatever the searcher; so different searchers can be compared. The numbers tell how a search
    behaves (how many trials reach each rung, how long it takes, how busy the workers are), not how your model learns.
    With `--curves truthful` all curves have one shape and only the floor differs; with `crossing` those that end best
    start worst.
    """
    document = load_searcher(spec)
    outcome = simulate(searcher_of(document), goal_of(document), workers, seed, curves)
    if as_json:
        say_json(_document(spec, seed, curves, outcome))
    else:
        say_block(_text(spec, seed, outcome))
