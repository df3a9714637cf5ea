"""Where the dashboard of `run --dashboard` and `master --dashboard` listens, and with which options it is started."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput
from .addresses import parse_addresses

USUAL = "127.0.0.1:50080"
#: What the option has as its value where it is given without one.
UNSAID = "auto"
_OPTION = "--dashboard"
_ADDRESS = re.compile(r"[^/\\]*:[^/\\]*")


def with_its_value(arguments: Sequence[str]) -> list[str]:
    """A command line in which `--dashboard` takes what follows it only where that looks like an address (HOST:PORT).

    What else follows is the command's own: `run --dashboard spec.yaml` has a spec, and no address.
    """
    found: list[str] = []
    for place, argument in enumerate(arguments):
        following = arguments[place + 1] if place + 1 < len(arguments) else ""
        alone = argument == _OPTION and not _ADDRESS.fullmatch(following)
        found.append(f"{_OPTION}={UNSAID}" if alone and "--" not in found else argument)
    return found


@dataclass(frozen=True, slots=True)
class DashboardChild:
    """A dashboard beside a master: where it listens ("auto": at its usual address, or where that is taken at any other
    port of this machine), and the files of the master's TLS, which it uses as well."""

    listen: str
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        if self.listen != UNSAID and len(parse_addresses(self.listen, listening=True)) != 1:
            raise InvalidInput(f"--dashboard {self.listen}: one address, please, such as {USUAL}")

    def arguments(self, master: str) -> list[str]:
        """The command line, behind `rungmaster`, for a master that serves at host:port of this machine."""
        told = ["dashboard", "--master", master, "--listen", self._address()]
        if self.certificate is not None and self.key is not None:
            # The master's own certificate is what the dashboard trusts; it is good for this machine's own name.
            told[2] = f"localhost:{master.rpartition(':')[2]}"
            told += ["--tls-ca", str(self.certificate), "--tls-cert", str(self.certificate), "--tls-key", str(self.key)]
        return [*told, *(["--insecure"] if self.insecure else [])]

    def _address(self) -> str:
        if self.listen != UNSAID:
            return parse_addresses(self.listen, listening=True)[0]
        host, _, port = USUAL.rpartition(":")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, int(port)))
            except OSError:
                return f"{host}:0"
        return USUAL
