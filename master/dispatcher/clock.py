"""Time, as it comes into the master."""

from __future__ import annotations

import time
from typing import NamedTuple


class Now(NamedTuple):
    """One instant: `monotonic` decides (leases), `wall` is shown to people. Both in seconds."""

    monotonic: float
    wall: float


def system_now() -> Now:
    """The instant by this machine's clocks."""
    return Now(time.monotonic(), time.time())
