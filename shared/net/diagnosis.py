"""Why no TLS connection comes about: gRPC calls all of it UNAVAILABLE, like a master that is away.

After a failed call a second connection is made with Python's own TLS, whose answers tell the causes apart. It only ever
explains; what a connection must prove is left to gRPC.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import time

from ..errors import TlsError
from .credentials import Credentials

#: Seconds that one look may take.
PATIENCE_S = 2.0
#: Seconds between two looks at a master that hangs up after the handshake: one that is being stopped does so once.
_AGAIN_S = 0.2

#: What gRPC says where TLS may be the cause. Not where nobody listens or answers: a look would only take time there.
_SUSPICIOUS = re.compile("tls|ssl|security|verification|socket closed|connection reset|broken pipe", re.IGNORECASE)

#: OpenSSL's numbers for what is wrong with a certificate.
_NOT_YET_VALID, _EXPIRED = 9, 10
#: The first is what an authority gets that was made anew under its old name.
_UNKNOWN_AUTHORITY = {7, 2, 18, 19, 20, 21}
_OTHER_NAME = {62, 64}


def may_be_tls(details: str) -> bool:
    """Whether TLS may be the cause of a call that ended UNAVAILABLE with these details; if so, `diagnose` can tell."""
    return _SUSPICIOUS.search(details) is not None


def diagnose(address: str, credentials: Credentials, patience_s: float = PATIENCE_S) -> TlsError | None:
    """What keeps a connection to `address` from being made, where it is for good; None where it is something else.

    Blocks for `patience_s` seconds at most for each of two looks.
    """
    if not credentials.encrypted:
        return _look_without_tls(address, patience_s)
    found, hung_up = _look(address, credentials, patience_s)
    if not hung_up:
        return found
    time.sleep(_AGAIN_S)
    _, hung_up = _look(address, credentials, patience_s)
    return _certificate_wanted(address, credentials) if hung_up else None


def _look_without_tls(address: str, patience_s: float) -> TlsError | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _connect(address, patience_s) as plain, context.wrap_socket(plain):
            pass
    except OSError as error:
        if "ALERT" not in (getattr(error, "reason", None) or ""):
            return None
    return TlsError(
        f"the master at {address} speaks TLS: give --tls-ca FILE with the authority that signed its certificate, "
        "or --tls where a public one did"
    )


def _look(address: str, credentials: Credentials, patience_s: float) -> tuple[TlsError | None, bool]:
    """What is wrong, where that is clear; and whether the master hung up after a handshake in which all was well."""
    try:
        context = _context(credentials)
        with (
            _connect(address, patience_s) as plain,
            context.wrap_socket(plain, server_hostname=_host(address)) as encrypted,
        ):
            # A master that accepts us speaks first; only then is it known that it did.
            return None, not _reads(encrypted)
    except ssl.SSLCertVerificationError as error:
        return _untrusted(address, credentials, error), False
    except ssl.SSLError as error:
        return _failed(address, credentials, error), False
    except OSError:
        return None, False


def _reads(encrypted: ssl.SSLSocket) -> bool:
    try:
        return bool(encrypted.recv(1))
    except (ConnectionError, ssl.SSLEOFError):
        return False
    except TimeoutError:
        return True


def _context(credentials: Credentials) -> ssl.SSLContext:
    """As strict as gRPC is, and no stricter."""
    ca = None if credentials.tls_ca is None else os.fspath(credentials.tls_ca)
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST
    context.set_alpn_protocols(["h2"])
    if credentials.tls_cert is not None:
        context.load_cert_chain(credentials.tls_cert, credentials.tls_key, password="")
    return context


def _connect(address: str, patience_s: float) -> socket.socket:
    return socket.create_connection((_host(address), int(address.rpartition(":")[2])), patience_s)


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def _untrusted(address: str, credentials: Credentials, error: ssl.SSLCertVerificationError) -> TlsError:
    whose = f"the certificate of the master at {address}"
    if error.verify_code == _EXPIRED:
        return TlsError(f"{whose} has expired: renew it (or is the clock of this machine wrong?)")
    if error.verify_code == _NOT_YET_VALID:
        return TlsError(f"{whose} is not valid yet: is the clock of this machine wrong?")
    if error.verify_code in _OTHER_NAME:
        return TlsError(f"{whose} is for another host: {_host(address)} has to be one of its names")
    if error.verify_code in _UNKNOWN_AUTHORITY:
        known = (
            "public authorities" if credentials.tls_ca is None else f"authorities in {os.fspath(credentials.tls_ca)}"
        )
        return TlsError(f"{whose} is signed by none of the {known}: give the right one by --tls-ca FILE")
    return TlsError(f"{whose} cannot be trusted: {error.verify_message}")


def _failed(address: str, credentials: Credentials, error: ssl.SSLError) -> TlsError | None:
    reason = error.reason or ""
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return TlsError(
            f"the master at {address} does not speak TLS: start it with --tls-cert and --tls-key; to reach it without "
            "TLS all the same, leave out --tls and --tls-ca here (and RUNGMASTER_TLS, RUNGMASTER_TLS_CA)"
        )
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        return _certificate_wanted(address, credentials)
    return None


def _certificate_wanted(address: str, credentials: Credentials) -> TlsError:
    if credentials.tls_cert is None:
        return TlsError(f"the master at {address} asks for a certificate: give one by --tls-cert and --tls-key")
    return TlsError(
        f"the master at {address} does not accept the certificate {os.fspath(credentials.tls_cert)}: it has to be "
        "valid, and signed by the authority in the master's --tls-client-ca"
    )
