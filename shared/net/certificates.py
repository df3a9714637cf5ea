"""Reads certificates and keys, and says what is wrong with them, which gRPC would not."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from ..errors import InvalidInput

PathLike = str | os.PathLike[str]


def read_authorities(option: str, path: PathLike) -> bytes:
    """The certificates of authorities in a PEM file. Raises InvalidInput, with the option, where there are none."""
    content = _read(option, path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=content.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise InvalidInput(f"{option} {os.fspath(path)}: holds no certificates in PEM form") from None
    return content


def read_pair(certificate: PathLike, key: PathLike) -> tuple[bytes, bytes]:
    """A certificate (with its chain) and its private key, both PEM. Raises InvalidInput where they do not fit."""
    pair = _read("--tls-cert", certificate), _read("--tls-key", key)
    try:
        # Without a password given it would be asked for on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        reason = (
            "are not of the same pair" if mismatch else "are no certificate and unencrypted private key in PEM form"
        )
        raise InvalidInput(f"--tls-cert {os.fspath(certificate)} and --tls-key {os.fspath(key)}: {reason}") from None
    except OSError as error:
        raise InvalidInput(f"--tls-cert {os.fspath(certificate)}: cannot be read: {error.strerror}") from error
    return pair


def chain_expires_at(chain: bytes) -> float | None:
    """The time (Unix) at which the first of these certificates (PEM) ends; None where `cryptography` is missing."""
    try:
        from cryptography import x509
    except ImportError:
        return None
    return min(each.not_valid_after_utc.timestamp() for each in x509.load_pem_x509_certificates(chain))


def _read(option: str, path: PathLike) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{option} {os.fspath(path)}: cannot be read: {error.strerror or error}") from error
