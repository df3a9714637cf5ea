"""Where gRPC's peers are, told from how it names them."""

from __future__ import annotations

import pytest

from rungmaster.master.services.limits.connections import place_of


@pytest.mark.parametrize(
    ("peer", "place"),
    [
        ("ipv4:10.0.0.7:4711", ("10.0.0.7", 4711)),
        ("ipv6:[::1]:4711", ("::1", 4711)),
        ("ipv6:%5B2001:db8::1%5D:4711", ("2001:db8::1", 4711)),
        ("unix:/run/master.sock", None),
        ("unix:", None),
        ("", None),
    ],
)
def test_a_peer_with_an_address_is_a_place(peer: str, place: tuple[str, int] | None) -> None:
    assert place_of(peer) == place
