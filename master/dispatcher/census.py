"""Counts the workers of a master, what they do and what waits for them, for those who measure it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...shared.wire.model import WorkerState
from ..experiment.experiment import LiveExperiment
from .clock import Now
from .core import Core


@dataclass(frozen=True, slots=True)
class PendingWork:
    """What one active experiment would have trained at once if there were slots for it, within its limits: trials, the
    slots that they take, and whether its sampler is a program (None: no) that is `broken`."""

    trials: int
    slots: int
    broken_sampler: bool | None


@dataclass(frozen=True, slots=True)
class Census:
    """How many workers there are by state, how many leases they hold, and how their slots are used.

    `slots_free` are those of workers that may be given work; `barred` counts workers that cannot run some experiment;
    `pending` has the active experiments by number.
    """

    workers: Mapping[WorkerState, int]
    leases: int
    slots_busy: int
    slots_free: int
    barred: int
    pending: Mapping[int, PendingWork] = field(default_factory=dict)


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
    pending = {number: _pending(each, now) for number, each in core.experiments.items() if each.active}
    return Census(workers, leases, busy, free, barred, pending)


def _pending(experiment: LiveExperiment, now: Now) -> PendingWork:
    """Its searcher takes those that are ready, or wait for their hyperparameters, for running."""
    broken = bool(experiment.records.row.sampler_problem) if experiment.next_trial.sampled else None
    if experiment.early_end(now.wall):
        return PendingWork(0, 0, broken)
    trials = len(experiment.ready) + len(experiment.records.awaiting) + experiment.searcher.startable
    return PendingWork(trials, trials * experiment.spec.resources.slots_per_trial, broken)
