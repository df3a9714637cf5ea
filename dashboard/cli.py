"""`rungmaster dashboard`: serves the page."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..shared.errors import FailedPrecondition
from ..shared.net.addresses import DEFAULT_ADDRESS
from ..shared.net.credentials import Credentials
from ..shared.net.dashboards import USUAL
from ..shared.options import log_format_option
from ..shared.text.logs import set_up_logs
from ..shared.text.printing import say

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("dashboard")
@click.option(
    "--master",
    metavar="HOST:PORT[,…]",
    envvar="RUNGMASTER_MASTER",
    show_envvar=True,
    default=DEFAULT_ADDRESS,
    show_default=True,
    help="Where the master is; several where standbys may take over; file:PATH as the file of its --announce says.",
)
@click.option("--listen", default=USUAL, show_default=True, help="Address to serve at; port 0 picks one.")
@click.option("--tls-cert", type=_FILE, help="Serve with TLS: the dashboard's certificate with its chain (PEM).")
@click.option("--tls-key", type=_FILE, help="The private key of --tls-cert.")
@click.option("--insecure", is_flag=True, help="Let other machines in without TLS or tokens, all the same.")
@click.option(
    "--allow-host", "hosts", metavar="NAME", multiple=True, help="Another name by which browsers may call it."
)
@click.option(
    "--tls", is_flag=True, envvar="RUNGMASTER_TLS", help="Reach the master by TLS that a public authority signed."
)
@click.option("--tls-ca", type=_FILE, envvar="RUNGMASTER_TLS_CA", help="The same; these authorities signed (PEM).")
@click.option(
    "--client-cert",
    type=_FILE,
    envvar="RUNGMASTER_TLS_CERT",
    help="The dashboard's certificate for a master that asks for one (PEM).",
)
@click.option("--client-key", type=_FILE, envvar="RUNGMASTER_TLS_KEY", help="The private key of --client-cert.")
@click.option("--exit-with-parent", is_flag=True, help="End when standard input closes.")
@click.option("--verbose", "-v", is_flag=True, help="Log more.")
@log_format_option
def command(
    master: str,
    listen: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    insecure: bool,
    hosts: tuple[str, ...],
    tls: bool,
    tls_ca: Path | None,
    client_cert: Path | None,
    client_key: Path | None,
    exit_with_parent: bool,
    verbose: bool,
    log_format: str,
) -> None:
    """Serve a page that shows a master's experiments, trials and workers, and steers them.

    It is a client of the master like any other: whoever signs in shows a token of their own, and may do what that
    may. Where the master asks for no token nobody has to sign in, and only this machine is let in.
    """
    # What gRPC would log of its own says less than our errors do.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from .settings import DashboardSettings

    set_up_logs("%(asctime)s %(levelname)s %(name)s: %(message)s", verbose=verbose, log_format=log_format)
    credentials = Credentials(tls, tls_ca, client_cert, client_key)
    settings = DashboardSettings(
        master, credentials, listen, tls_cert, tls_key, insecure, frozenset(hosts), exit_with_parent
    )
    try:
        from .serving import serve
    except ImportError as error:
        told = "the dashboard needs Starlette, uvicorn, Jinja2 and Plotly: pip install 'rungmaster[dashboard]'"
        raise FailedPrecondition(f"{told} ({error})") from error
    serve(settings, say)
