"""What one host may have under way at once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from rungmaster.master.services.limits.gate import CALLS_OF_HOST, RATE, CallLimiter
from rungmaster.shared.errors import LimitExceeded


def peer(host: int, number: int) -> str:
    """One of a host's connections; each has a hundred calls."""
    return f"ipv4:10.0.0.{host}:{10_000 + number // 100}"


def test_a_host_has_only_so_many_calls_under_way_and_others_are_served() -> None:
    gate = CallLimiter(connections_of_host=100)
    with ExitStack() as stack:
        for number in range(CALLS_OF_HOST):
            stack.enter_context(gate.inside(peer(1, number), streams=False))
        with pytest.raises(LimitExceeded, match="this host has too many calls"):
            stack.enter_context(gate.inside(peer(1, 0), streams=False))
        stack.enter_context(gate.inside(peer(2, 0), streams=False))
    with gate.inside(peer(1, 0), streams=False):
        pass


def test_thousands_of_workers_may_come_through_one_address() -> None:
    gate = CallLimiter(connections_of_host=100)
    with ExitStack() as stack:
        for number in range(2 * CALLS_OF_HOST):
            stack.enter_context(gate.inside(peer(1, number), streams=True))
        stack.enter_context(gate.inside(peer(1, 0), streams=False))


def test_a_connection_that_calls_without_a_rest_is_cut_off_alone() -> None:
    gate = CallLimiter(connections_of_host=100)

    def call_again_and_again() -> None:
        for _ in range(int(100 * RATE)):
            with gate.inside(peer(1, 0), streams=False):
                pass

    with pytest.raises(LimitExceeded, match="cut off"):
        call_again_and_again()
    with gate.inside(peer(1, 100), streams=False):
        pass
