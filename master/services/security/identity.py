"""How a master proves who it is, and how it learns who calls: files that its operator gives."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

import grpc

from ....shared.errors import InvalidInput
from ....shared.net.certificates import chain_expires_at, read_authorities, read_pair

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Security:
    """The master's certificate and key, the authorities of its callers' certificates, and the file of tokens.

    Raises InvalidInput for what does not fit together.
    """

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    tokens: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidInput("--tls-cert and --tls-key belong together: give both, or neither")
        if self.client_ca is not None and self.certificate is None:
            raise InvalidInput("--tls-client-ca is of use with TLS only: give --tls-cert and --tls-key as well")

    @property
    def lacking(self) -> tuple[str, ...]:
        """What is missing before other machines may safely reach this master."""
        encrypted = () if self.certificate is not None else ("--tls-cert and --tls-key (nothing is encrypted)",)
        known = self.tokens is not None or self.client_ca is not None
        return (*encrypted, *(() if known else ("--tokens (nobody is asked who they are)",)))


class Certificates:
    """The certificate files, read again when they change: one that was renewed is shown to whoever connects next."""

    def __init__(self, security: Security) -> None:
        """Raises InvalidInput, with the option, where a file cannot be used."""
        self._security = security
        self._seen = self._look()
        #: What is shown first; and the certificate with its chain that is shown, until another is read.
        self._first, self._shown = self._read()

    def expires_at(self) -> float | None:
        """The time (Unix) at which the first certificate of the chain ends that is shown to whoever connects next; None
        where `cryptography` is missing."""
        shown = self._shown
        if self._look() != self._seen:
            # What cannot be used is not shown.
            with contextlib.suppress(InvalidInput):
                shown = self._read()[1]
        return chain_expires_at(shown)

    def credentials(self) -> grpc.ServerCredentials:
        """What the server listens with."""
        asked = self._security.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(
            self._first,
            self._renewed,  # pyright: ignore[reportArgumentType] - its stub has no None
            asked,
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC before each handshake, in a thread of its own; None where nothing changed."""
        seen = self._look()
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            renewed, self._shown = self._read()
        except InvalidInput as error:
            log.error("the certificate is still the one from before: %s", error)
            return None
        log.info("the certificate was read again")
        return renewed

    def _read(self) -> tuple[grpc.ServerCertificateConfiguration, bytes]:
        security = self._security
        assert security.certificate is not None, "TLS was asked for"
        assert security.key is not None, "it comes with the certificate"
        certificate, key = read_pair(security.certificate, security.key)
        callers = None if security.client_ca is None else read_authorities("--tls-client-ca", security.client_ca)
        return grpc.ssl_server_certificate_configuration([(key, certificate)], callers), certificate

    def _look(self) -> tuple[object, ...]:
        security = self._security
        return tuple(file_state(path) for path in (security.certificate, security.key, security.client_ca))


def file_state(path: Path | None) -> tuple[int, ...] | None:
    """What differs once a file was written or replaced; None where there is no file."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return found and (found.st_mtime_ns, found.st_size, found.st_ino)
