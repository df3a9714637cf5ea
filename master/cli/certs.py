"""`rungmaster certs`: certificates for TLS, from an authority of one's own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from ...shared.errors import FailedPrecondition, InvalidInput
from ...shared.text.printing import say


@click.group("certs")
def command() -> None:
    """Make certificates for TLS."""


@command.command(short_help="Make an authority, and certificates that it signs.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name or address by which the master is called; all of them go into one certificate.",
)
@click.option(
    "--client", "clients", multiple=True, metavar="NAME", help="Make a certificate for a caller of that name, too."
)
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the authority and of all that it signs; made where it is missing.",
)
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True, max=3650),
    default=365,
    show_default=True,
    help="How long the certificates are good; an authority's own for ten years.",
)
def make(hosts: tuple[str, ...], clients: tuple[str, ...], folder: Path, days: float) -> None:
    """Make certificates: of a master (--host), of callers (--client), and at the first call of the authority.

    Another call with the same folder has the same authority sign more. The master's certificate is good for localhost
    as well. Only their owner may read the files, and none is written over. Needs the extra `certs`.
    """
    try:
        from ..services.security import authority as signing
    except ImportError as error:
        raise FailedPrecondition(
            f"certificates need cryptography: pip install 'rungmaster[certs]' ({error})"
        ) from error
    if not hosts and not clients:
        raise InvalidInput("nothing to make: give --host for a master, or --client for a caller")
    signing.check_names(hosts, clients)
    signing.refuse_existing(folder, hosts, clients)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any((folder / f"{signing.AUTHORITY}.{ending}").exists() for ending in ("pem", "key")):
        authority = signing.Authority.load(folder)
    else:
        authority = signing.Authority.create(folder)
        say(f"made {authority.path} ({_until(authority.expires)}) and its key, {folder / signing.AUTHORITY}.key")
        say("  keep the key to yourself: who has it can pass for the master; neither master nor worker wants it")
    if hosts:
        made = authority.issue_server(hosts, days)
        say(f"made {made.certificate} and {made.key} for {', '.join(hosts)} ({_until(made.expires)})")
        say(f"  to the master:   rungmaster master --tls-cert {made.certificate} --tls-key {made.key}")
    for client in clients:
        made = authority.issue_client(client, days)
        say(f"made {made.certificate} and {made.key} for the caller {client} ({_until(made.expires)})")
        say(f"  to {client}:   --tls-cert {made.certificate} --tls-key {made.key}")
    if clients:
        say(f"  to the master, so that it asks for them:   --tls-client-ca {authority.path}")
    say(f"  to everybody:   --tls-ca {authority.path}")


def _until(moment: datetime) -> str:
    return f"until {moment:%Y-%m-%d %H:%M} UTC"
