"""The page of one trial: how it did, why what was decided about it, and where it was trained."""

from __future__ import annotations

from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ...shared.wire.model import Event, Report
from ..dashboard import looking, of
from ..feeds.feed import ExperimentFeed
from ..feeds.picture import Picture
from ..rendering import page
from ..security.sessions import SignIn
from ..wording.best import best_forms, ranked
from .experiment import wanted_figures
from .journal import told

_REPORTS = 5_000
_LATEST = 20


@looking
def show(request: Request, session: SignIn) -> Response:
    """One trial."""
    experiment_id, trial_id = request.path_params["experiment_id"], request.path_params["trial_id"]
    details = session.client.trial(experiment_id, trial_id)
    feed = of(request).feeds.feed(experiment_id, session)
    picture = feed.picture
    reports = list(islice(session.client.metrics(experiment_id, trial_id), _REPORTS))
    return page(
        request,
        "trial.html",
        session,
        picture=picture,
        experiment=picture.experiment,
        trial=details.trial,
        leases=details.leases,
        checkpoints=[each for each in details.checkpoints if each.delete_time is None],
        deleted=sum(each.delete_time is not None for each in details.checkpoints),
        children=details.children,
        rank=_rank(picture, trial_id),
        wanted=wanted_figures(experiment_id, ("curves",), f"?trial={trial_id}"),
        forms=best_forms(details.trial),
        decisions=told(_events(feed, trial_id), picture.experiment.unit),
        **_measured(reports),
    )


def _events(feed: ExperimentFeed, trial_id: int) -> list[Event]:
    """What the journal has of a trial, as far as it is known: what figures are drawn from, and what came since."""
    history = feed.history.last
    events = {event.event_id: event for event in (*(history.events if history else ()), *feed.picture.events)}
    return [event for _, event in sorted(events.items()) if event.trial_id == trial_id]


def _rank(picture: Picture, trial_id: int) -> tuple[int, int] | None:
    """Its place among all trials with a result, and how many these are; None where it has none."""
    order = [trial.trial_id for trial in ranked(picture.experiment, picture.trials.values())]
    return (order.index(trial_id) + 1, len(order)) if trial_id in order else None


def _measured(reports: list[Report]) -> dict[str, Any]:
    names = sorted({name for report in reports[-_LATEST:] for name in report.metrics})
    return {"metrics": names, "latest": list(reversed(reports[-_LATEST:])), "reports": len(reports)}
