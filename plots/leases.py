"""Who trained what and when, from the journal: assignments, laid out in the slots of their workers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ..shared.wire.model import Event
from .history import History

LOST = frozenset({"expired", "worker_fault", "environment", "cannot_start"})
FAILED = frozenset({"failed", "invalid"})


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trial at a worker: seconds from the creation of the experiment; `outcome` is empty while it trains."""

    worker: str
    trial_id: int
    target: int
    begin_s: float
    end_s: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One slot of a worker as far as its assignments show it, with these in order of time."""

    worker: str
    slot: int
    assignments: tuple[Assignment, ...]

    @property
    def busy_s(self) -> float:
        """Seconds in which it trained."""
        return sum(each.end_s - each.begin_s for each in self.assignments)


def assignments(history: History) -> list[Assignment]:
    """All assignments, by their begin."""
    created = history.experiment.create_time
    begun: dict[tuple[int | None, int], Event] = {}
    found = []
    for event in history.events:
        key = (event.trial_id, event.data.get("token", 0))
        if event.kind == "assigned":
            begun[key] = event
        elif event.kind == "lease_ended" and key in begun:
            begin = begun.pop(key)
            found.append(_assignment(begin, (event.create_time - created).total_seconds(), event, created))
    found += [_assignment(begin, history.elapsed_s, None, created) for begin in begun.values()]
    return sorted(found, key=lambda each: (each.begin_s, each.trial_id))


def _assignment(begin: Event, end_s: float, end: Event | None, created: datetime) -> Assignment:
    begin_s = max(0.0, (begin.create_time - created).total_seconds())
    return Assignment(
        worker=str(begin.data.get("worker", "")),
        trial_id=begin.trial_id if begin.trial_id is not None else -1,
        target=int(begin.data.get("target", 0)),
        begin_s=begin_s,
        end_s=max(begin_s, end_s),
        outcome="" if end is None else str(end.data.get("outcome", "")),
    )


def lanes(history: History) -> list[Lane]:
    """The assignments by worker and slot. A worker may have been given one ahead, which waits until a slot is free."""
    of_workers: dict[str, list[Assignment]] = {}
    for each in assignments(history):
        of_workers.setdefault(each.worker, []).append(each)
    return [
        Lane(worker, number, tuple(slot))
        for worker in sorted(of_workers)
        for number, slot in enumerate(_in_slots(of_workers[worker], _slots(history, worker, of_workers[worker])))
    ]


def _in_slots(found: list[Assignment], slots: int) -> list[list[Assignment]]:
    """Each assignment in the slot that is free first, from when that is free."""
    filled: list[list[Assignment]] = [[] for _ in range(slots)]
    for each in found:
        slot = min(filled, key=lambda slot: slot[-1].end_s if slot else -1.0)
        begin_s = max(each.begin_s, slot[-1].end_s if slot else 0.0)
        slot.append(replace(each, begin_s=min(begin_s, each.end_s)))
    return [slot for slot in filled if slot]


def _slots(history: History, worker: str, found: list[Assignment]) -> int:
    """How many trials a worker can train at once: as it says, or else as many as reported at the same time."""
    resources = history.experiment.spec.get("resources") or {}
    per_trial = max(1, int(resources.get("slots_per_trial") or 1))
    known = [each.slots for each in history.workers or () if each.worker == worker]
    if known and max(known) >= per_trial:
        return max(known) // per_trial
    changes = sorted(change for each in found for change in ((_first_report_s(history, each), 1), (each.end_s, -1)))
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return max(1, most)


def _first_report_s(history: History, each: Assignment) -> float:
    """When the first report of an assignment came that is known; its end where none is."""
    curve = history.curves.get(each.trial_id)
    if curve is None or not len(curve):
        return each.end_s
    place = int(np.searchsorted(curve.time_s, each.begin_s))
    return min(float(curve.time_s[place]), each.end_s) if place < len(curve) else each.end_s
