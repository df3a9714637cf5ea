"""What the commands have in common: which master, which experiment, and JSON or text."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

import click

from ...shared.errors import InvalidInput
from ...shared.net.addresses import DEFAULT_ADDRESS
from ...shared.net.credentials import Credentials
from ...shared.options import credential_options
from ...shared.text.printing import say
from ...shared.wire.convert import from_messages
from ...shared.wire.model import Experiment, ExperimentState
from ..client import Client
from ..local.database import DEFAULT_DATABASE, DatabaseClient, shown
from ..requests import list_experiments
from ..target import TIMEOUT_S, TRY_TIMEOUT_S, Target
from .completing import ExperimentId

UNFINISHED = (ExperimentState.ACTIVE, ExperimentState.PAUSED)
_SHOWN = 5

EXPERIMENT_ID = ExperimentId(1, 2**31 - 1)
TRIAL_ID = click.IntRange(0, 2**31 - 1)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, for scripts.")
experiment_argument = click.argument("experiment", type=EXPERIMENT_ID, required=False)
limit_option = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most this many.")


def looking_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say who is asked, and calls `function` with `client`, a Client for looking only."""
    help_text = "Read this database, a file or a URL, whether a master runs on it or not."
    return _options(function, help_text, Target.to_look)


def asking_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the same options, and calls `function` with `client`, a Client of a master, or where none runs of its
    database."""
    return _options(function, "The master that runs on this database, a file or a URL, or else that.", Target.to_ask)


def steering_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the same options, and calls `function` with `client`, a Client of a master."""
    return _options(function, "The master that runs on this database, a file or a URL.", Target.to_steer)


def _options(
    function: Callable[..., Any], database_help: str, client_of: Callable[[Target], AbstractContextManager[Client]]
) -> Callable[..., Any]:
    @click.option(
        "--master",
        "addresses",
        metavar="HOST:PORT[,…]",
        help="Where the master is; several where standbys may take over; file:PATH as the file of its "
        "--announce says.  [env var: RUNGMASTER_MASTER; default: the "
        f"one that runs on {DEFAULT_DATABASE} in this folder, or {DEFAULT_ADDRESS}]",
    )
    @click.option(
        "--db", "database", help=f"{database_help}  [default: {DEFAULT_DATABASE}, where it is in this folder]"
    )
    @click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="How long to try while no master answers.  "
        f"[default: {TIMEOUT_S:.0f}; {TRY_TIMEOUT_S:.0f} if none is named]",
    )
    @credential_options
    @functools.wraps(function)
    def command(
        *args: Any,
        addresses: str | None,
        database: str | None,
        timeout_s: float | None,
        credentials: Credentials,
        **kwargs: Any,
    ) -> Any:
        with client_of(_target(addresses, database, timeout_s, credentials)) as client:
            return function(*args, client=client, **kwargs)

    return command


def _target(addresses: str | None, database: str | None, timeout_s: float | None, credentials: Credentials) -> Target:
    if addresses is not None and database is not None:
        raise click.UsageError("--master and --db: who is to be asked, that master or that database? Leave one out")
    if addresses is None and database is None:
        addresses = os.environ.get("RUNGMASTER_MASTER") or None
    return Target(addresses, database, credentials, timeout_s)


def say_if_at_rest(client: Client) -> bool:
    """Whether a database is read that has no master; says on stderr that nothing goes on in it then."""
    if not isinstance(client, DatabaseClient) or client.owner is not None:
        return False
    at_rest = f"no master runs on {shown(client.database)}, so nothing goes on in it"
    say(f"{at_rest}; `rungmaster run SPEC` goes on with a search", err=True)
    return True


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
            f"no experiment is {' or '.join(states)}" if states else f"{_place(client)} has no experiments yet"
        )
    names = ", ".join(f"{candidate.experiment_id} ({candidate.name})" for candidate in candidates[:_SHOWN])
    more = ", …" if len(candidates) > _SHOWN else ""
    raise InvalidInput(f"which experiment? {' or '.join(states or UNFINISHED)} are: {names}{more}")


def _place(client: Client) -> str:
    return shown(client.database) if isinstance(client, DatabaseClient) else "this master"


def _first(client: Client, states: Sequence[ExperimentState], count: int) -> list[Experiment]:
    messages = client.connection.pages(list_experiments(states, page_size=count))
    return list(from_messages(islice(messages, count), Experiment))
