"""Counts the workers of a master, for those who measure it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ...shared.wire.model import WorkerState
from .clock import Now
from .core import Core


@dataclass(frozen=True, slots=True)
class Census:
    """How many workers there are by state, how many leases they hold, and how their slots are used.

    `slots_free` are those of workers that may be given work; `barred` counts workers that cannot run some experiment.
    """

    workers: Mapping[WorkerState, int]
    leases: int
    slots_busy: int
    slots_free: int
    barred: int


def take_census(core: Core, now: Now) -> Census:
    """A command for the writer: it changes nothing, and is answered once all that it has seen is durable."""
    workers: Counter[WorkerState] = Counter()
    leases = busy = free = barred = 0
    for session in core.sessions.values():
        state, used = session.state(now.monotonic), session.slots_used
        workers[state] += 1
        leases += len(session.leases)
        busy += used
        barred += any(now.monotonic < bar.until for bar in session.bars.values())
        if state is WorkerState.CONNECTED:
            # A lease outlives its process while its checkpoint is stored, and the next one may have begun.
            free += max(0, session.slots - used)
    return Census(workers, leases, busy, free, barred)
