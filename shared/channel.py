"""How every gRPC channel to a master is set up, in one place: limits, keepalive and (later) credentials."""

from __future__ import annotations

from .addresses import is_loopback

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Answers may be this large; a page of a thousand trials stays far below it."""

MAX_DETAILS_BYTES = 1024 * 1024
"""The details of an error may be this large; gRPC's own limit (8 KiB) would lose a spec's list of problems."""

KEEPALIVE_SECONDS = 15
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
        ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
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
