"""The journal of one experiment in plain words, the newest entries first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...client.client import Client
from ...proto.v1 import experiment_pb2
from ...shared.wire.convert import from_messages
from ...shared.wire.model import Event, Experiment
from ..dashboard import looking, whole_number
from ..feeds.picture import Picture
from ..security.sessions import SignIn
from ..wording.journal import JournalEntry, entry

PAGE_SIZE = 200
_MOST_WINDOWS = 8


def part(request: Request, session: SignIn, picture: Picture) -> dict[str, Any]:
    """The newest entries, or with `before` in the query those before that event."""
    before = whole_number(request.query_params.get("before", ""), digits=18)
    found = list(picture.events) if before is None else events_before(session.client, picture.experiment, before)
    shown = found[-PAGE_SIZE:]
    return {
        "entries": [*reversed(told(shown, picture.experiment.unit))],
        "before": "" if before is None else str(before),
        "older": shown[0].event_id if shown and not _is_first(shown[0]) else None,
    }


def _is_first(event: Event) -> bool:
    return event.kind == "experiment_created"


def told(events: list[Event], unit: str) -> list[tuple[Event, JournalEntry]]:
    """Events with their words, oldest first."""
    return [(event, entry(event, unit)) for event in events]


@looking
def show(request: Request, session: SignIn) -> Response:  # noqa: ARG001
    """Leads to the tab of the experiment's page."""
    return RedirectResponse(f"/experiments/{request.path_params['experiment_id']}?tab=journal", 303)


def events_before(client: Client, experiment: Experiment, event_id: int) -> list[Event]:
    """The entries before an event, oldest first, at least a page of them where there are so many.

    A journal is numbered together with those of other experiments, so it is read in growing windows.
    """
    # Behind the last entry a watch would wait for more.
    event_id = min(event_id, experiment.last_event_id)
    width: int = 2 * PAGE_SIZE
    found: list[Event] = []
    for _ in range(_MOST_WINDOWS):
        after = max(0, event_id - 1 - width)
        found = list(_between(client, experiment.experiment_id, after, event_id))
        if len(found) >= PAGE_SIZE or not after:
            break
        width *= 8
    return found


def _between(client: Client, experiment_id: int, after: int, before: int) -> Iterator[Event]:
    request = experiment_pb2.WatchExperimentRequest(experiment_id=experiment_id, after_event_id=after)
    watch = client.connection.watch(request)
    try:
        for answer in watch:
            for event in from_messages(answer.events, Event):
                if event.event_id >= before:
                    return
                yield event
    finally:
        watch.close()
