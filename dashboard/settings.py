"""How a dashboard runs: which master it shows, where it listens, and whom it lets in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ..shared.errors import InvalidInput
from ..shared.net.addresses import is_loopback, parse_addresses
from ..shared.net.certificates import read_pair
from ..shared.net.credentials import NO_CREDENTIALS, Credentials
from ..shared.net.dashboards import USUAL

#: Names of this machine for itself, which a browser may write before the port.
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """`master` is where the master is, as `--master` has it, `credentials` how to reach it, without a token: whoever
    signs in shows their own. `listen` is host:port; with `tls_cert` and `tls_key` pages are served with TLS.

    `hosts` are names, beside that of `listen`, by which browsers may call it. Raises InvalidInput where other machines
    could reach it in plain text and `insecure` does not say that this is meant.
    """

    master: str
    credentials: Credentials = NO_CREDENTIALS
    listen: str = USUAL
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    hosts: frozenset[str] = field(default_factory=frozenset)
    exit_with_parent: bool = False

    def __post_init__(self) -> None:
        parse_addresses(self.master)
        if len(parse_addresses(self.listen, listening=True)) != 1:
            raise InvalidInput(f"--listen {self.listen}: one address, please")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InvalidInput("--tls-cert and --tls-key belong together: give both, or neither")
        if self.tls_cert is not None and self.tls_key is not None:
            read_pair(self.tls_cert, self.tls_key)
        if not (self.local or self.encrypted or self.insecure):
            raise InvalidInput(
                f"--listen {self.listen}: other machines can reach it without TLS, and others would read the tokens. "
                "Give --tls-cert and --tls-key; or --insecure, on a network where you trust everybody"
            )

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        return parse_addresses(self.listen, listening=True)[0]

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.address)

    @property
    def encrypted(self) -> bool:
        """Whether pages are served with TLS."""
        return self.tls_cert is not None

    @property
    def open_to_all(self) -> bool:
        """Whether people may look and act without a token where the master asks for none."""
        return self.local or self.insecure

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """Hosts that a request may name, without the port; None for any. On this machine only its own names: a page of
        another site could otherwise have its name lead here, and read with it."""
        if not self.local:
            return None
        return LOOPBACK_HOSTS | {self.address.rpartition(":")[0].lower()} | {host.lower() for host in self.hosts}


def file_of(path: Path | None) -> str | None:
    """A path as text; None where there is none."""
    return None if path is None else os.fspath(path)
