"""`rungmaster master`: runs a master on this machine."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...shared.errors import InvalidInput
from ...shared.net.addresses import is_loopback, parse_addresses
from ...shared.net.dashboards import DashboardChild
from ...shared.options import dashboard_option, log_format_option
from ...shared.text.logs import set_up_logs
from ...shared.text.printing import say
from ..dashboard import DashboardKeeper

if TYPE_CHECKING:
    from ..services.security.identity import Security

#: A file that has to be there.
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

#: Seconds after which a busy event loop lets the thread go on that commits: each statement needs that several times,
#: and with Python's usual 5 ms a commit took ten times as long as alone.
SWITCH_INTERVAL_S = 0.0005


@click.command("master")
@click.option("--listen", default="127.0.0.1:50051", show_default=True, help="Address to listen on; port 0 picks one.")
@click.option(
    "--db",
    "database",
    default="rungmaster.db",
    show_default=True,
    help="Database: a file for SQLite, or a URL such as postgresql://user@host/name.",
)
@click.option("--tls-cert", type=_FILE, help="Serve with TLS: the master's certificate with its chain (PEM).")
@click.option("--tls-key", type=_FILE, help="The private key of --tls-cert.")
@click.option(
    "--tls-client-ca", type=_FILE, help="Ask every caller for a certificate that one of these authorities signed (PEM)."
)
@click.option(
    "--tokens", type=_FILE, help="Ask every caller for a token; this file says which, and in which role (YAML)."
)
@click.option(
    "--insecure", is_flag=True, help="Let other machines in without TLS, or without asking who they are, all the same."
)
@click.option(
    "--lease-ttl",
    "lease_ttl_s",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=1.0),
    help="Seconds after which a silent worker's trials are given to others.",
)
@click.option(
    "--grace",
    "grace_s",
    default=5.0,
    show_default=True,
    type=click.FloatRange(min=0.0),
    help="Seconds that calls get to end when the master is stopped; 4 s later it has ended, whatever it is busy with.",
)
@click.option(
    "--take-over", "election", flag_value="take over", help="Replace the master that owns the database now, at once."
)
@click.option(
    "--no-standby", "election", flag_value="give up", help="Fail, rather than wait, where the database has a master."
)
@click.option(
    "--takeover-after",
    "takeover_after_s",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=4.0),
    help="Seconds without a sign of life after which a standby replaces a master that hangs; one that ended, at once.",
)
@click.option(
    "--connections-per-host",
    default=2_000,
    show_default=True,
    type=click.IntRange(min=1),
    help="Connections of one address; more where thousands of workers come through one, as behind a NAT or a proxy.",
)
@click.option(
    "--health-listen",
    metavar="HOST:PORT",
    help="Answer the health service's Check there, too: in plain text, and out of reach for a flood of other calls.",
)
@click.option(
    "--metrics-listen",
    metavar="HOST:PORT",
    help="Serve /metrics for Prometheus, /healthz and /readyz there, in plain text, to whoever asks.",
)
@click.option(
    "--keep-reports",
    "keep_reports_days",
    metavar="DAYS",
    type=click.FloatRange(min=0.0),
    help="Thin the reports of experiments that ended longer ago (see `rungmaster thin`); by default they all stay.",
)
@click.option(
    "--announce",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the address into this file once it serves, for `--master file:FILE` of those that share its folder.",
)
@dashboard_option
@click.option("--holder", hidden=True, help="Who this is, for people that find the database in use.")
@click.option("--exit-with-parent", is_flag=True, help="End when standard input closes.")
@click.option("--verbose", "-v", is_flag=True, help="Log more.")
@log_format_option
def command(
    listen: str,
    database: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    tokens: Path | None,
    insecure: bool,
    lease_ttl_s: float,
    grace_s: float,
    election: str | None,
    takeover_after_s: float,
    connections_per_host: int,
    health_listen: str | None,
    metrics_listen: str | None,
    keep_reports_days: float | None,
    announce: Path | None,
    dashboard: str | None,
    holder: str | None,
    exit_with_parent: bool,
    verbose: bool,
    log_format: str,
) -> None:
    """Run a master: it keeps the search in a database, and hands out trials to workers.

    It can be stopped or killed at any time; started again on the same database, it goes on where it stood.

    Where the database has a master already, this one is its standby: it waits, and takes over within seconds when that
    one ends or hangs. Give workers and clients both addresses: --master first:50051,second:50051.
    """
    from ..app import Options, default_holder, serve
    from ..ownership import Election
    from ..services.security.identity import Security

    set_up_logs("%(asctime)s %(levelname)s %(name)s: %(message)s", verbose=verbose, log_format=log_format)
    for noisy in ("asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    address = _one_address("--listen", listen)
    security = Security(tls_cert, tls_key, tls_client_ca, tokens)
    check_exposure(address, security, insecure)
    options = Options(
        database,
        address,
        lease_ttl_s,
        grace_s,
        exit_with_parent,
        Election(election or "wait"),
        takeover_after_s,
        security,
        keep_reports_days,
        connections_per_host,
        _one_address("--health-listen", health_listen) if health_listen else "",
        _one_address("--metrics-listen", metrics_listen) if metrics_listen else "",
        holder or default_holder(),
        announce,
    )
    beside = _beside(dashboard, address, security, insecure)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    asyncio.run(serve(options, ConsoleAnnouncer(beside)))


def _beside(listen: str | None, address: str, security: Security, insecure: bool) -> DashboardChild | None:
    """The dashboard that is wanted as well, if any. Raises InvalidInput where it could not reach the master."""
    if not listen:
        return None
    if security.client_ca is not None:
        raise InvalidInput(
            "--dashboard: a master with --tls-client-ca asks the dashboard for a certificate, too, and gives it none. "
            "Make one (rungmaster certs make --out certs --client dashboard), and start the page by itself: "
            f"rungmaster dashboard --master {address} --tls-ca certs/ca.pem --client-cert certs/dashboard.pem "
            "--client-key certs/dashboard.key"
        )
    return DashboardChild(listen, security.certificate, security.key, insecure)


def _one_address(option: str, text: str) -> str:
    addresses = parse_addresses(text, listening=True)
    if len(addresses) != 1:
        raise InvalidInput(f"{option} {text}: one address, please")
    return addresses[0]


def check_exposure(address: str, security: Security, insecure: bool) -> None:
    """Raises InvalidInput where strangers could reach the master, unless that is wanted; then it is only said."""
    if is_loopback(address) or not security.lacking:
        return
    lacking = " and without ".join(security.lacking)
    if not insecure:
        raise InvalidInput(
            f"--listen {address}: other machines can reach it without {lacking}. Give them (docs/security.md tells "
            "how); or --insecure, on a network where you trust everybody"
        )
    say(f"warning: {address} can be reached from other machines, without {lacking}", err=True)


def _on_this_machine(address: str) -> str:
    """How this machine itself reaches what listens at an address."""
    host, _, port = address.rpartition(":")
    return f"127.0.0.1:{port}" if host == "0.0.0.0" else f"[::1]:{port}" if host == "[::]" else address  # noqa: S104


class ConsoleAnnouncer:
    """Says on standard output how it stands, one line at a time; has the dashboard started once it serves."""

    def __init__(self, dashboard: DashboardChild | None = None) -> None:
        self._dashboard = DashboardKeeper(dashboard) if dashboard is not None else None

    def waiting(self, holder: str, term: int) -> None:
        """See app.Announcer."""
        self._say(f"waiting: {holder} owns the database (term {term})")

    def ready(self, address: str, term: int) -> None:
        """See app.Announcer."""
        self._say(f"ready on {address} (term {term})")
        if self._dashboard is not None:
            self._dashboard.start(_on_this_machine(address))

    @staticmethod
    def _say(text: str) -> None:
        say(f"rungmaster master {text}")
