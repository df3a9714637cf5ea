"""How every gRPC channel to a master is set up, in one place: limits, keepalive and credentials."""

from __future__ import annotations

import grpc
import grpc.aio

from ..errors import InvalidInput
from .addresses import is_loopback
from .certificates import read_authorities, read_pair
from .credentials import Credentials

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Answers may be this large; a page of a thousand trials stays far below it."""

MAX_DETAILS_BYTES = 1024 * 1024
"""The details of an error may be this large; gRPC's own limit (8 KiB) would lose a spec's list of problems."""

KEEPALIVE_S = 15
"""A silent connection is probed this often; the master must allow it (its minimum is 10 s).

A worker whose master hangs has to turn to the standby that replaced it before the fresh leases there are over.
"""


def channel_options(address: str) -> list[tuple[str, int]]:
    """Options for a channel to one `address` (as parse_addresses gives it), for grpc and grpc.aio alike.

    A dead connection is noticed within 25 s, a host that does not answer within 5 s, and a master that came back
    within 2 s. A proxy named in the environment is not used for this machine itself.
    """
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_metadata_size", MAX_DETAILS_BYTES),
        ("grpc.absolute_max_metadata_size", MAX_DETAILS_BYTES),
        ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # Without it a stopped process, whose kernel still acknowledges what arrives, is noticed after a minute only.
        ("grpc.http2.ping_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0 if is_loopback(address) else 1),
    ]


def open_channel(address: str, credentials: Credentials) -> grpc.Channel:
    """A channel to `address`. Raises InvalidInput where the credentials cannot be read, or would be given away."""
    security = _security(address, credentials)
    if security is None:
        return grpc.insecure_channel(address, options=channel_options(address))
    return grpc.secure_channel(address, security, options=channel_options(address))


def open_async_channel(address: str, credentials: Credentials) -> grpc.aio.Channel:
    """The same for asyncio."""
    security = _security(address, credentials)
    if security is None:
        return grpc.aio.insecure_channel(address, options=channel_options(address))
    return grpc.aio.secure_channel(address, security, options=channel_options(address))


def check_secrecy(address: str, credentials: Credentials) -> None:
    """Raises InvalidInput where a token would go to another machine in plain text."""
    if credentials.has_token and not credentials.encrypted and not is_loopback(address):
        raise InvalidInput(
            f"the token would go to {address} in plain text, for others to read: use TLS (--tls-ca FILE, or --tls)"
        )


def _security(address: str, credentials: Credentials) -> grpc.ChannelCredentials | None:
    """None for a plaintext connection without a token."""
    check_secrecy(address, credentials)
    token = credentials.read_token()
    if credentials.encrypted:
        channel = _tls(credentials)
    elif token:
        # gRPC sends a token only where the connection is secret: by TLS, or because it does not leave this machine.
        channel = grpc.local_channel_credentials(grpc.LocalConnectionType.LOCAL_TCP)
    else:
        return None
    return grpc.composite_channel_credentials(channel, grpc.access_token_call_credentials(token)) if token else channel


def _tls(credentials: Credentials) -> grpc.ChannelCredentials:
    authorities = None if credentials.tls_ca is None else read_authorities("--tls-ca", credentials.tls_ca)
    if credentials.tls_cert is None or credentials.tls_key is None:
        return grpc.ssl_channel_credentials(authorities)
    certificate, key = read_pair(credentials.tls_cert, credentials.tls_key)
    return grpc.ssl_channel_credentials(authorities, key, certificate)
