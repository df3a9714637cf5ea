"""Options that commands of several parts have: credentials of clients and workers, logs of master and workers."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .net.credentials import Credentials
from .net.dashboards import UNSAID, USUAL

#: Holds the token itself. There is no option for it: other users of the machine could see it among the processes.
TOKEN_VARIABLE = "RUNGMASTER_TOKEN"  # noqa: S105 - a name
_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option(
        "--tls",
        is_flag=True,
        envvar="RUNGMASTER_TLS",
        show_envvar=True,
        help="Use TLS; a public authority signed the master's certificate.",
    ),
    click.option(
        "--tls-ca",
        type=_FILE,
        envvar="RUNGMASTER_TLS_CA",
        show_envvar=True,
        help="Use TLS; the authorities in this file (PEM) sign masters' certificates.",
    ),
    click.option(
        "--tls-cert",
        type=_FILE,
        envvar="RUNGMASTER_TLS_CERT",
        show_envvar=True,
        help="This side's own certificate (PEM), for a master that asks for one.",
    ),
    click.option(
        "--tls-key", type=_FILE, envvar="RUNGMASTER_TLS_KEY", show_envvar=True, help="The private key of --tls-cert."
    ),
    click.option(
        "--token-file",
        type=_FILE,
        envvar="RUNGMASTER_TOKEN_FILE",
        show_envvar=True,
        help=f"Holds the token for the master.  [else env var: {TOKEN_VARIABLE}]",
    ),
)

dashboard_option = click.option(
    "--dashboard",
    "dashboard",
    is_flag=False,
    flag_value=UNSAID,
    metavar="[HOST:PORT]",
    help=f"Start a page to look at as well, and print where it is: {USUAL}, or any free port.",
)

log_format_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to log: lines of text, or one JSON object a line.",
)


def credential_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options, and calls `function` with `credentials`. A token file goes before the token's variable."""

    @functools.wraps(function)
    def command(
        *args: Any,
        tls: bool,
        tls_ca: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        token_file: Path | None,
        **kwargs: Any,
    ) -> Any:
        token = "" if token_file else os.environ.get(TOKEN_VARIABLE, "").strip()
        credentials = Credentials(tls, tls_ca, tls_cert, tls_key, token, token_file)
        return function(*args, credentials=credentials, **kwargs)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(_OPTIONS), command)
