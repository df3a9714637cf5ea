"""An authority of one's own in a folder, and the certificates that it signs: for masters, and for callers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ....shared.errors import InvalidInput
from ....shared.files import written_whole

AUTHORITY = "ca"
"""The name of the authority's own files."""
AUTHORITY_DAYS = 3650
#: Clocks of hosts may differ.
_BACKDATED = timedelta(hours=1)
#: The longest common name that X.509 allows, in characters.
_MAX_NAME = 64
#: Every master is called so by those on its own machine.
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_CLIENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was made: its files, and when it expires."""

    certificate: Path
    key: Path
    expires: datetime


class Authority:
    """Signs certificates into its folder: files that only their owner may read, and no file twice."""

    def __init__(self, folder: Path, own: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._folder = folder
        self._own = own
        self._key = key

    @staticmethod
    def create(folder: Path) -> Authority:
        """Makes a new one. Raises InvalidInput where the folder has one of its files."""
        certificate, key = _files(folder, AUTHORITY)
        _refuse_what_exists((certificate, key))
        private = ec.generate_private_key(ec.SECP256R1())
        name = _common_name(f"Rungmaster authority {x509.random_serial_number() % 2**32:08x}")
        builder = _builder(name, name, private, datetime.now(UTC) + timedelta(days=AUTHORITY_DAYS))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        own = builder.sign(private, hashes.SHA256())
        _write_key(key, private)
        _write(certificate, own.public_bytes(serialization.Encoding.PEM))
        return Authority(folder, own, private)

    @staticmethod
    def load(folder: Path) -> Authority:
        """The one of an earlier call. Raises InvalidInput where its files cannot be used, or it has expired."""
        certificate, key = _files(folder, AUTHORITY)
        for path in (certificate, key):
            if not path.exists():
                raise InvalidInput(f"{path} is missing: only who has it can sign; bring it back, or give another --out")
        if key.stat().st_mode & 0o077:
            raise InvalidInput(f"{key}: others may read or write it (mode {key.stat().st_mode & 0o777:o}): chmod 600")
        try:
            own = x509.load_pem_x509_certificate(certificate.read_bytes())
            private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{certificate} and {key}: are no authority that was made here: {error}") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != own.public_key():
            raise InvalidInput(f"{certificate} and {key}: are not of the same pair")
        if own.not_valid_after_utc <= datetime.now(UTC):
            raise InvalidInput(f"{certificate}: expired {own.not_valid_after_utc:%Y-%m-%d}; make a new authority")
        return Authority(folder, own, private)

    @property
    def path(self) -> Path:
        """Its certificate, which everybody is given."""
        return self._folder / f"{AUTHORITY}.pem"

    @property
    def expires(self) -> datetime:
        """When nothing that it signed counts any more."""
        return self._own.not_valid_after_utc

    def issue_server(self, hosts: tuple[str, ...], days: float) -> Issued:
        """A certificate for a master that is called by these names and addresses, and from its own machine.

        Its files have the first one's name. It expires after `days`, at the latest with its authority. Raises
        InvalidInput where they exist.
        """
        every = dict.fromkeys(map(_general_name, (*hosts, *_LOOPBACK)))
        return self._issue(hosts[0], days, ExtendedKeyUsageOID.SERVER_AUTH, every)

    def issue_client(self, name: str, days: float) -> Issued:
        """A certificate for a caller, whose name a master shows. Raises InvalidInput where its files exist."""
        return self._issue(name, days, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def _issue(self, name: str, days: float, purpose: Any, names: Iterable[x509.GeneralName]) -> Issued:
        certificate, key = _files(self._folder, name)
        _refuse_what_exists((certificate, key))
        private = ec.generate_private_key(ec.SECP256R1())
        expires = min(datetime.now(UTC).replace(microsecond=0) + timedelta(days=days), self.expires)
        builder = _builder(_common_name(name), self._own.subject, private, expires)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(_authority_of(self._own), critical=False)
        if names := list(names):
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        _write_key(key, private)
        _write(certificate, signed.public_bytes(serialization.Encoding.PEM))
        return Issued(certificate, key, expires)


def check_names(hosts: tuple[str, ...], clients: tuple[str, ...]) -> None:
    """Raises InvalidInput for what is no host or caller, and for what would have the files of another."""
    for host in hosts:
        _general_name(host)
    for client in clients:
        if not _CLIENT.fullmatch(client) or len(client) > _MAX_NAME:
            raise InvalidInput(f"--client {client}: a name has 1 to {_MAX_NAME} letters, digits and - _ . @")
    named = [AUTHORITY, *hosts[:1], *clients]
    if twice := next((name for index, name in enumerate(named) if name in named[:index]), None):
        raise InvalidInput(f"{twice}: would name the files of two certificates; give another name")


def refuse_existing(folder: Path, hosts: tuple[str, ...], clients: tuple[str, ...]) -> None:
    """Raises InvalidInput, before anything is made, where a file of theirs is there already."""
    _refuse_what_exists(path for name in (*hosts[:1], *clients) for path in _files(folder, name))


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.pem", folder / f"{name}.key"


def _refuse_what_exists(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            raise InvalidInput(f"{path} exists already, and nothing is written over; move it away first")


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        pass
    if not _HOST.fullmatch(host) or len(host) > 253 or re.fullmatch(r"[\d.]+", host):
        raise InvalidInput(f"--host {host}: is neither a name nor an address of a host (no port, no brackets, no *)")
    return x509.DNSName(host.rstrip("."))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, expires: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - _BACKDATED)
        .not_valid_after(expires)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _authority_of(own: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    key = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_MAX_NAME])])


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    _write(path, key.private_bytes(encoding, form, serialization.NoEncryption()))


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and never readable by others, not for a moment."""
    with written_whole(path) as partial:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
