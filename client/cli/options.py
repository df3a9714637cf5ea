"""What the commands have in common: which master, which experiment, and JSON or text."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import click

from ...shared.convert import experiment_from_proto
from ...shared.credential_options import credential_options
from ...shared.credentials import Credentials
from ...shared.errors import InvalidInput
from ...shared.model import Experiment, ExperimentState
from ..client import Client

UNFINISHED = (ExperimentState.ACTIVE, ExperimentState.PAUSED)
_SHOWN = 5

EXPERIMENT_ID = click.IntRange(1, 2**31 - 1)
TRIAL_ID = click.IntRange(0, 2**31 - 1)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, for scripts.")
experiment_argument = click.argument("experiment", type=EXPERIMENT_ID, required=False)
limit_option = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most this many.")


def master_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --master, --timeout and those of the credentials, and calls `function` with `client`, a Client of them."""

    @click.option(
        "--master",
        "addresses",
        envvar="RUNGMASTER_MASTER",
        show_envvar=True,
        default="127.0.0.1:50051",
        show_default=True,
        metavar="HOST:PORT[,…]",
        help="Where the master is; several where standbys may take over.",
    )
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to try while no master answers.",
    )
    @credential_options
    @functools.wraps(function)
    def command(*args: Any, addresses: str, timeout: float, credentials: Credentials, **kwargs: Any) -> Any:
        with Client(addresses, timeout=timeout, credentials=credentials) as client:
            return function(*args, client=client, **kwargs)

    return command


def choose(client: Client, experiment_id: int | None, states: Sequence[ExperimentState] = ()) -> int:
    """The experiment that a command is about: the one given, or the only one that can be meant.

    With `states` that is the only one in them; without, the only unfinished one, or where all have ended the newest.
    Raises InvalidInput where there is none, or more than one.
    """
    if experiment_id is not None:
        return experiment_id
    candidates = _first(client, states or UNFINISHED, _SHOWN + 1) or ([] if states else _first(client, (), 1))
    if len(candidates) == 1:
        return candidates[0].experiment_id
    if not candidates:
        raise InvalidInput(
            f"no experiment is {' or '.join(states)}" if states else "this master has no experiments yet"
        )
    names = ", ".join(f"{candidate.experiment_id} ({candidate.name})" for candidate in candidates[:_SHOWN])
    more = ", …" if len(candidates) > _SHOWN else ""
    raise InvalidInput(f"which experiment? {' or '.join(states or UNFINISHED)} are: {names}{more}")


def _first(client: Client, states: Sequence[ExperimentState], count: int) -> list[Experiment]:
    return [
        experiment_from_proto(message) for message in islice(client.calls.list_experiments(states, "", count), count)
    ]
