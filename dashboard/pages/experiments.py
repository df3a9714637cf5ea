"""The list of experiments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from ...client.cli.text import elapsed
from ...client.client import Client
from ...client.requests import list_experiments
from ...shared.errors import InvalidInput
from ...shared.wire.convert import from_messages
from ...shared.wire.model import Experiment, ExperimentState, TrialState
from ..dashboard import looking, of
from ..rendering import page
from ..security.sessions import SignIn
from ..wording.numbers import number, share
from ..wording.sparkline import sparkline

PAGE_SIZE = 50
_MAX_NAME = 200


@looking
def show(request: Request, session: SignIn) -> Response:
    """Experiments, newest first, a page at a time; `state` and `name` in the query say which."""
    states, name = states_of(request), request.query_params.get("name", "")[:_MAX_NAME]
    found, onward = _page(session.client, states, name, request.query_params.get("from", ""))
    now, sparklines = datetime.now(UTC), of(request).sparklines
    rows = [(each, _figures(each, now), _spark(sparklines.of(session.client, each), each)) for each in found]
    return page(
        request,
        "experiments.html",
        session,
        rows=rows,
        states=states,
        name=name,
        onward=onward,
        every_state=list(ExperimentState),
        info=session.client.master_info(),
    )


def states_of(request: Request) -> list[ExperimentState]:
    """The states that the query asks for. Raises InvalidInput for one that there is not."""
    given = request.query_params.getlist("state")
    try:
        return [ExperimentState(state) for state in given if state]
    except ValueError as error:
        raise InvalidInput(f"there is no such state: {error}") from error


def _page(client: Client, states: Sequence[ExperimentState], name: str, token: str) -> tuple[list[Experiment], str]:
    asked = list_experiments(states, name, PAGE_SIZE)
    asked.page_token = token
    answer = client.connection.call(asked)
    return list(from_messages(answer.experiments, Experiment)), answer.next_page_token


def _figures(experiment: Experiment, now: datetime) -> dict[str, float]:
    ended = sum(count for state, count in experiment.trial_counts.items() if state.ended)
    running = experiment.trial_counts.get(TrialState.RUNNING, 0)
    whole = 100.0 if experiment.state is ExperimentState.COMPLETED else share(ended, experiment.planned_trials)
    made = sum(count for state, count in experiment.trial_counts.items() if state is not TrialState.DISCARDED)
    return {"running": running, "ended": ended, "made": made, "share": whole, "elapsed_s": elapsed(experiment, now)}


def _spark(values: tuple[float, ...], experiment: Experiment) -> str:
    if len(values) < 2:
        return ""
    return sparkline(values, f"best {experiment.metric} from {number(values[0])} to {number(values[-1])}")
