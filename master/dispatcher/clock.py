"""Time, as it comes into the master."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Now:
    """One instant: `monotonic` decides (leases), `wall` is shown to people. Both in seconds."""

    monotonic: float
    wall: float


def system_now() -> Now:
    """The instant by this machine's clocks."""
    return Now(time.monotonic(), time.time())
