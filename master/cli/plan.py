"""`rungmaster plan`: the brackets that a spec's search will have, and what they are expected to cost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ...shared.errors import CannotStart
from ...shared.space.space import repetition
from ...shared.spec.document.reading import read_document
from ...shared.spec.spec import Spec, parse_with_space
from ...shared.text.printing import say, say_block, say_json
from ...shared.text.visible import visible
from ..search.interface import BracketPlan, ExpectedCost, planned_trials
from ..search.registry import searcher_of
from .searcher_file import load_searchers

MOST_SHOWN = 100
"""Of the rungs of a bracket."""


def _bracket(plan: BracketPlan) -> dict[str, Any]:
    """A bracket in the shape that scripts get; `pooled` is there only where it holds."""
    shown = asdict(plan)
    if not plan.pooled:
        del shown["pooled"]
    return shown


def _document(path: Path, plan: tuple[BracketPlan, ...], cost: ExpectedCost, limits: tuple[str, ...]) -> dict[str, Any]:
    return {
        "spec": str(path),
        "brackets": [_bracket(bracket) for bracket in plan],
        "expected_entries": cost.entries,
        "expected_resource": cost.resource,
        "full_resource": cost.full,
        "saved": round(cost.saved, 6),
        "assumption": cost.assumption,
        "ends_early_at": limits,
    }


def _text(path: Path, name: str, plan: tuple[BracketPlan, ...], cost: ExpectedCost, limits: tuple[str, ...]) -> str:
    head = f"{name}, {planned_trials(plan)} trials in {_count(len(plan), 'bracket')}"
    lines = [f"{visible(str(path))}: {head}{', ' if cost.traits else ''}{cost.traits}"]
    for b, (bracket, entries) in enumerate(zip(plan, cost.entries, strict=True)):
        at_once = bracket.max_concurrent_trials
        limit = "" if at_once is None else f", at most {at_once} at once"
        rungs, made = _count(len(bracket.rungs), "rung"), _count(bracket.max_trials, "trial")
        lines += [f"  bracket {b}: {rungs}, {made}{limit}", *_rungs(bracket, entries)]
    lines += [
        f"  expected resource {cost.resource:,} of {cost.full:,} "
        f"for training every trial in full: {cost.saved:.1%} saved",
        f"  (where {cost.assumption})",
    ]
    if limits:
        lines.append(f"  ends earlier at: {visible(', or '.join(limits))}")
    return "\n".join(lines)


def _rungs(bracket: BracketPlan, entries: tuple[int, ...]) -> list[str]:
    width = max(len(f"{resource:,}") for resource in (*bracket.rungs, *entries))
    rows = (("resource", bracket.rungs), ("trials", entries))
    return [f"    {name:<8}  " + "  ".join(f"{each:>{width}}" for each in _shortened(values)) for name, values in rows]


def _shortened(values: tuple[int, ...]) -> list[str]:
    """The values, but of very many only the first and the last ones."""
    texts = [f"{value:,}" for value in values]
    return texts if len(texts) <= MOST_SHOWN else [*texts[: MOST_SHOWN // 2], "…", *texts[-MOST_SHOWN // 2 :]]


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _check(path: Path) -> None:
    from ...shared.rehearsal import rehearse

    spec, space = parse_with_space(read_document(path), source=str(path))
    try:
        rehearse(spec, Path.cwd())
    except CannotStart as error:
        raise CannotStart(f"{path}: {error}") from error
    if warning := repetition(spec, space):
        say(f"warning: {path}: {warning}", err=True)


@click.command(short_help="Show the brackets of a spec, and what they cost.")
@click.argument("spec", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Look first whether this machine, in this folder, could start the trials.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document per spec and line.")
def command(spec: tuple[Path, ...], check: bool, as_json: bool) -> None:
    """Prints the bracket plan of each SPEC, with its expected cost beside that of training every trial in full.

    A SPEC is a whole spec, or a file that holds just {"searcher": {…}}. Nothing is run or stored. What is assumed of
    the searcher is told with the expected cost.

    With --check each SPEC must be a whole one: its program must be there, or its module be importable and have the
    function, and its checkpoints' package and folder be there. Exit code 2 where not. It warns of a space with
    fewer combinations than the search makes trials.
    """
    for path in spec if check else ():
        _check(path)
    for path, document in load_searchers(spec):
        searcher = searcher_of(document)
        cost, limits = searcher.expected_cost(), document.limits if isinstance(document, Spec) else ()
        if as_json:
            say_json(_document(path, searcher.plan, cost, limits))
        else:
            say_block(_text(path, document.searcher.name, searcher.plan, cost, limits))
