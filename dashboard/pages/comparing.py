"""Several experiments beside each other: how good each got, by when, at what cost, and what differs in their specs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...client.cli.text import elapsed
from ...plots.figures.compare import MOST
from ...plots.style import DASHES
from ...shared.errors import NotFound
from ...shared.wire.model import Experiment, TrialState
from ..dashboard import looking, whole_number
from ..rendering import page
from ..security.sessions import SignIn
from ..wording.spec_differences import differences

Groups = dict[tuple[str, str], list[Experiment]]

COLOURS = 7
"""Colours of lines, after which they begin again with other dashes: as in the figure."""

MOST_DIFFERENCES = 200
_DASHED = {
    "solid": "",
    "dash": "9 5",
    "dot": "2 4",
    "dashdot": "9 4 2 4",
    "longdash": "13 5",
    "longdashdot": "13 4 2 4",
}


@looking
def show(request: Request, session: SignIn) -> Response:
    """The experiments that `experiments` in the query names, as numbers with commas between them."""
    given = request.query_params.getlist("experiments")
    wanted, wrong = asked(given)
    if len(given) > 1:
        # What check boxes send becomes an address to share.
        return RedirectResponse(address(wanted), 303)
    found, missing = _found(session, wanted[:MOST])
    groups = groups_of(found)
    found = [each for group in groups.values() for each in group]
    return page(
        request,
        "compare.html",
        session,
        groups=[
            (f"{goal} {metric}", [(each, _line(place), _figures(each)) for place, each in enumerate(group)])
            for (metric, goal), group in groups.items()
        ],
        found=found,
        asked=", ".join(map(str, wanted)),
        problems=[*wrong, *_problems(wanted, missing)],
        notes=_notes(found, groups),
        differing=differences([each.spec for each in found])[:MOST_DIFFERENCES],
        without=lambda number: address([each.experiment_id for each in found if each.experiment_id != number]),
        wanted=_wanted(groups),
        moving=any(not each.over for each in found),
    )


def asked(given: Sequence[str]) -> tuple[list[int], list[str]]:
    """The numbers that a query names, each once and in its order, and what is wrong with it."""
    words = [word for text in given for word in text.replace(",", " ").split()]
    numbers = [(word, whole_number(word)) for word in words]
    wrong = [f"{word[:40]!r} is no number of an experiment" for word, number in numbers if number is None]
    return list(dict.fromkeys(number for _, number in numbers if number is not None)), wrong[:5]


def address(numbers: Sequence[int]) -> str:
    """Where experiments are compared."""
    return f"/compare?experiments={','.join(map(str, numbers))}"


def groups_of(experiments: Sequence[Experiment]) -> Groups:
    """The experiments by metric and goal: only the results of one group can be compared."""
    found: Groups = {}
    for each in experiments:
        found.setdefault((each.metric, each.goal), []).append(each)
    return found


def _found(session: SignIn, wanted: Sequence[int]) -> tuple[list[Experiment], list[int]]:
    found, missing = [], []
    for number in wanted:
        try:
            found.append(session.client.get(number))
        except NotFound:
            missing.append(number)
    return found, missing


def _problems(wanted: Sequence[int], missing: Sequence[int]) -> list[str]:
    told = [f"There is no experiment {number}: it was deleted, or never was." for number in missing]
    if len(wanted) > MOST:
        told.append(f"At most {MOST} experiments can be told apart: {len(wanted) - MOST} are left out.")
    return told


def _notes(found: Sequence[Experiment], groups: Groups) -> list[str]:
    notes = []
    if len(groups) > 1:
        told = "; ".join(
            f"{goal} {metric}: {', '.join(str(each.experiment_id) for each in group)}"
            for (metric, goal), group in groups.items()
        )
        notes.append(f"They search for different things, so each is in a figure with its like alone ({told}).")
    units = dict.fromkeys(each.unit for each in found)
    if len(units) > 1:
        notes.append(f"They count training in different units ({', '.join(units)}): only their times can be compared.")
    if len({each.best_by for each in found}) > 1:
        notes.append("For some any report counts as the best result, for others only the last one: see metric.best.")
    return notes


def _wanted(groups: Groups) -> list[dict[str, str]]:
    """The figures: one for each group."""
    return [
        {
            "kind": f"compare-{place}",
            "title": f"Best {metric} so far",
            "about": "over the time since each was submitted, and over what all its trials trained",
            "source": f"/compare/figure?experiments={','.join(str(each.experiment_id) for each in group)}",
        }
        for place, ((metric, _), group) in enumerate(groups.items())
    ]


def _line(place: int) -> dict[str, Any]:
    return {"colour": place % COLOURS, "dashes": _DASHED[DASHES[place % len(DASHES)]]}


def _figures(experiment: Experiment) -> dict[str, Any]:
    counts = experiment.trial_counts
    sampler = experiment.spec.get("sampler") or {}
    searcher = experiment.spec.get("searcher") or {}
    return {
        "made": sum(count for state, count in counts.items() if state is not TrialState.DISCARDED),
        "failed": counts.get(TrialState.FAILED, 0),
        "elapsed_s": elapsed(experiment, datetime.now(UTC)),
        "searcher": str(searcher.get("name", "")),
        "sampler": str(sampler.get("name", "")) if isinstance(sampler, dict) else str(sampler),
    }
