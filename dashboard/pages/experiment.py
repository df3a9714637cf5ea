"""The page of one experiment, and the stream that tells a browser when it has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ... import plots
from ...client.cli.text import best_lines, elapsed, limits, saved, settings, thinned_lines, trained
from ...client.cli.troubles import trouble_lines
from ...shared.spec.writing import spec_to_yaml
from ...shared.text.visible import json_text
from ...shared.wire.model import SEARCH_ENDED, Experiment, ExperimentState, TrialState, Worker
from ..dashboard import looking, of, session_of
from ..feeds.picture import Picture
from ..feeds.stream import EventStream
from ..rendering import page
from ..security.sessions import SignIn
from ..wording.best import best_forms, ranked
from ..wording.numbers import share
from . import journal, trials

TABS = {
    "overview": "Overview",
    "trials": "Trials",
    "rungs": "Rungs",
    "hyperparameters": "Hyperparameters",
    "timeline": "Timeline",
    "lineage": "Lineage",
    "journal": "Journal",
    "spec": "Spec",
}
#: The figures of each part.
FIGURES = {
    "overview": ("curves", "best"),
    "rungs": ("rungs",),
    "hyperparameters": ("importance", "parallel", "slices"),
    "timeline": ("timeline",),
    "lineage": ("lineage", "schedules"),
}
_BEST = 5


@looking
def show(request: Request, session: SignIn) -> Response:
    """One experiment; `tab` in the query says which part of it."""
    experiment_id = request.path_params["experiment_id"]
    picture = of(request).feeds.feed(experiment_id, session).picture
    tab = request.query_params.get("tab", "overview")
    tabs = _tabs(picture.experiment)
    tab = tab if tab in tabs else "overview"
    return page(
        request,
        f"experiment_{tab}.html",
        session,
        tab=tab,
        tabs=tabs,
        wanted=wanted_figures(experiment_id, FIGURES.get(tab, ())),
        picture=picture,
        experiment=picture.experiment,
        head=_head(picture.experiment),
        actions=_actions(picture.experiment, session),
        **(_PARTS[tab](request, session, picture) if tab in _PARTS else {}),
    )


async def events(request: Request) -> Response:
    """Tells of changes for as long as the browser stays."""
    dashboard = of(request)
    session = await run_in_threadpool(session_of, request)
    feed = await run_in_threadpool(dashboard.feeds.feed, request.path_params["experiment_id"], session)
    return EventStream(dashboard.feeds, feed, lambda: dashboard.access.check(session))


def _tabs(experiment: Experiment) -> dict[str, str]:
    """The parts that there are: lineages come from PBT alone."""
    lineage = (experiment.spec.get("searcher") or {}).get("name") == "pbt"
    return {name: label for name, label in TABS.items() if name != "lineage" or lineage}


def wanted_figures(experiment_id: int, kinds: Sequence[str], query: str = "") -> list[dict[str, str]]:
    """Which figures a page shows, with their titles, and where their data are."""
    return [
        {
            "kind": kind,
            "title": plots.KINDS[kind].title,
            "about": plots.KINDS[kind].about,
            "source": f"/experiments/{experiment_id}/figures/{kind}{query}",
        }
        for kind in kinds
        if kind in plots.KINDS
    ]


def _head(experiment: Experiment) -> dict[str, Any]:
    counts = experiment.trial_counts
    ended = sum(count for state, count in counts.items() if state.ended)
    made = sum(count for state, count in counts.items() if state is not TrialState.DISCARDED)
    plain = experiment.state_reason in ("", SEARCH_ENDED)
    return {
        "elapsed_s": elapsed(experiment, datetime.now(UTC)),
        "reason": "" if plain else experiment.state_reason,
        "made": made,
        "ended": ended,
        "running": counts.get(TrialState.RUNNING, 0),
        "failed": counts.get(TrialState.FAILED, 0),
        "share": 100.0 if experiment.state is ExperimentState.COMPLETED else share(ended, experiment.planned_trials),
        "spent": share(experiment.resource_spent, experiment.resource_full),
    }


def _actions(experiment: Experiment, session: SignIn) -> list[str]:
    """What may be done with it now."""
    if not session.may_steer(experiment):
        return []
    if experiment.state.ended:
        return ["extend"] if experiment.state is ExperimentState.COMPLETED else []
    return ["pause" if experiment.state is ExperimentState.ACTIVE else "resume", "extend", "cancel"]


def _overview(request: Request, session: SignIn, picture: Picture) -> dict[str, Any]:  # noqa: ARG001
    experiment = picture.experiment
    best = ranked(experiment, picture.trials.values())[:_BEST]
    now = datetime.now(UTC)
    notes = [saved(experiment) if experiment.state.ended else trained(experiment)]
    notes += thinned_lines(experiment) if experiment.state.ended else limits(experiment, now)
    return {
        "best": best,
        "forms": best_forms(best[0]) if best else {},
        "best_lines": best_lines(experiment),
        "notes": [*notes, settings(experiment)],
        "waiting": _waiting(session.client.workers(), experiment),
        "troubles": trouble_lines(session.client.troubles(experiment.experiment_id)),
    }


def _waiting(workers: tuple[Worker, ...], experiment: Experiment) -> list[tuple[str, str]]:
    """Which workers have room, and why they do not train."""
    if experiment.state.ended:
        return []
    return [
        (worker.worker, worker.waiting_reason)
        for worker in workers
        if worker.slots_used < worker.slots and worker.waiting_reason
    ]


def _spec(request: Request, session: SignIn, picture: Picture) -> dict[str, Any]:  # noqa: ARG001
    spec = picture.experiment.spec
    return {"yaml": spec_to_yaml(spec), "json": json_text(spec, indent=2)}


_PARTS: dict[str, Callable[[Request, SignIn, Picture], dict[str, Any]]] = {
    "overview": _overview,
    "trials": trials.part,
    "journal": journal.part,
    "spec": _spec,
}
