"""Which experiment gets the free slots of a worker: pure, and the same for all workers.

The active experiment with the highest priority that has work the worker can do; among equals the one with the fewest
slots in use for its weight, then the older one. A trial that needs more slots than a worker has free reserves one
worker that is large enough: that worker gets no smaller work until the trial fits, so that it is not starved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Demand:
    """What one experiment would take. `slots` is what each of its trials needs."""

    experiment_id: int
    priority: int
    weight: float
    slots: int
    slots_in_use: int
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Offer:
    """What one worker has."""

    session_id: str
    free_slots: int
    capacity: int
    labels: Mapping[str, str]


@dataclass(slots=True)
class Reservations:
    """The worker that each experiment waits for to become free enough."""

    by_experiment: dict[int, str] = field(default_factory=dict)

    def may_reserve(self, demand: Demand, offer: Offer) -> bool:
        """Whether the worker is this experiment's reserved one, or it has none and the worker could be."""
        mine = self.by_experiment.get(demand.experiment_id)
        return mine == offer.session_id or (mine is None and offer.session_id not in self.by_experiment.values())

    def waiting_for(self, session_id: str) -> int | None:
        """The experiment for which the worker is kept free."""
        return next((e for e, session in self.by_experiment.items() if session == session_id), None)

    def keep(self, may_wait: Callable[[int, str], bool]) -> None:
        """Ends the reservations that lead nowhere: `may_wait` tells by experiment and session."""
        self.by_experiment = {e: session for e, session in self.by_experiment.items() if may_wait(e, session)}


def order(demands: Iterable[Demand], waiting: int | None = None) -> list[Demand]:
    """The experiments in the order in which free slots are offered to them; `waiting` is the one they are kept for."""
    return sorted(
        demands,
        key=lambda d: (-d.priority, d.experiment_id != waiting, d.slots_in_use / d.weight, d.experiment_id),
    )


def fits_labels(demand: Demand, offer: Offer) -> bool:
    """Whether the worker has every label that the experiment asks for."""
    return all(offer.labels.get(key) == value for key, value in demand.labels.items())
