"""The requests that take more than plain values."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ..proto.v1 import experiment_pb2
from ..shared.errors import InvalidInput
from ..shared.limits import MAX_OWNER
from ..shared.text.visible import visible
from ..shared.wire.convert import to_number
from ..shared.wire.model import ExperimentState, TrialOrder, TrialState
from .fingerprint import fingerprint_of_spec

R = TypeVar("R")
#: Trials of a page: the most that a master gives.
PAGE_SIZE = 1000


def create_experiment(spec: str, request_id: str | None = None) -> experiment_pb2.CreateExperimentRequest:
    """Submits a spec (YAML or JSON text) with the fingerprint of its code in this folder.

    A repeated `request_id` gives the first answer again; by default it is a new one. The owner is the user of this
    process, where the master does not know the caller better.
    """
    return experiment_pb2.CreateExperimentRequest(
        spec=spec,
        request_id=request_id or secrets.token_hex(16),
        code=fingerprint_of_spec(spec, Path.cwd()),
        owner=_user_name(),
    )


def list_experiments(
    states: Iterable[ExperimentState | str] = (), name_contains: str = "", page_size: int = 0
) -> experiment_pb2.ListExperimentsRequest:
    """Lists experiments, newest first. Raises ValueError for a state that there is not."""
    numbers = [to_number(ExperimentState(state)) for state in states]
    return experiment_pb2.ListExperimentsRequest(states=numbers, name_contains=name_contains, page_size=page_size)


def set_experiment(experiment_id: int, **values: Any) -> experiment_pb2.SetExperimentRequest:
    """Changes what is not None. Raises InvalidInput where a value does not fit its field."""
    given = {name: value for name, value in values.items() if value is not None}
    return _fitting(experiment_pb2.SetExperimentRequest, experiment_id, given)


def extend_experiment(experiment_id: int, max_trials: int) -> experiment_pb2.ExtendExperimentRequest:
    """Gives an experiment this many trials in all. Raises InvalidInput where the number does not fit its field."""
    return _fitting(experiment_pb2.ExtendExperimentRequest, experiment_id, {"max_trials": max_trials})


def _fitting(request: Callable[..., R], experiment_id: int, values: Mapping[str, Any]) -> R:
    """A request about an experiment. Raises InvalidInput where a value does not fit its field."""
    try:
        return request(experiment_id=experiment_id, **values)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{', '.join(f'{name}={value!r}' for name, value in values.items())}: {error}") from None


def list_trials(
    experiment_id: int,
    states: Iterable[TrialState | str] = (),
    order: TrialOrder | str = TrialOrder.ID,
    page_size: int = PAGE_SIZE,
) -> experiment_pb2.ListTrialsRequest:
    """Lists trials, by id or the best metric first. Raises ValueError for a state or an order that there is not."""
    numbers = [to_number(TrialState(state)) for state in states]
    return experiment_pb2.ListTrialsRequest(
        experiment_id=experiment_id, states=numbers, order=to_number(TrialOrder(order)), page_size=page_size
    )


def list_acts(
    experiment_id: int | None = None, who: str = "", since: datetime | None = None, oldest_first: bool = False
) -> experiment_pb2.ListActsRequest:
    """Lists what people did, from the time `since` on (UTC where it has no time zone)."""
    moment = since if since is None or since.tzinfo is not None else since.replace(tzinfo=UTC)
    return experiment_pb2.ListActsRequest(
        experiment_id=experiment_id or 0, who=who, since_time=moment, oldest_first=oldest_first, page_size=PAGE_SIZE
    )


def _user_name() -> str:
    """The user of this process as the system has it; empty where it has none, as in some containers."""
    try:
        return visible(getpass.getuser())[:MAX_OWNER]
    except (KeyError, OSError, ImportError):
        return ""
