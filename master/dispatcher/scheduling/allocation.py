"""Which experiment gets the free slots of a worker: pure, and the same for all workers.

The active experiment with the highest priority that has work the worker can do; among equals the one with the fewest
slots in use for its weight, then the older one. A trial that needs more slots than a worker has free reserves one
worker that is large enough: that worker gets no smaller work until the trial fits, so that it is not starved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sortedcontainers import SortedList


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


class FairQueue:
    """The experiments that may have work, in the order in which free slots are offered to them.

    It is kept in order while it changes, so that a thousand experiments at once cost a grant no more than a few.
    """

    def __init__(self) -> None:
        self._demands: dict[int, Demand] = {}
        self._order = SortedList()

    def __bool__(self) -> bool:
        return bool(self._demands)

    def __contains__(self, experiment_id: int) -> bool:
        return experiment_id in self._demands

    def put(self, demand: Demand) -> None:
        """Takes an experiment in, or moves it to where it stands now."""
        self.drop(demand.experiment_id)
        self._order.add(_key(demand))
        self._demands[demand.experiment_id] = demand

    def drop(self, experiment_id: int) -> None:
        """The experiment has nothing to hand out, for now or for good."""
        demand = self._demands.pop(experiment_id, None)
        if demand is not None:
            self._order.remove(_key(demand))

    def offered(self, waiting: int | None = None) -> Iterator[Demand]:
        """The experiments in their order; `waiting` is the one for which the free slots are kept: first of its equals.

        What is dropped or put meanwhile is taken into account.
        """
        kept = self._demands.get(waiting) if waiting is not None else None
        position = 0
        while position < len(self._order):
            key = self._order[position]
            if kept is not None and -key[0] <= kept.priority:
                yield kept
                kept = None
            elif key[-1] == waiting:
                position += 1
            else:
                yield self._demands[key[-1]]
                position = self._order.bisect_right(key)


#: Priority (negative), slots in use for the weight, and the experiment.
_Key = tuple[int, float, int]


def _key(demand: Demand) -> _Key:
    return -demand.priority, demand.slots_in_use / demand.weight, demand.experiment_id


def fits_labels(demand: Demand, offer: Offer) -> bool:
    """Whether the worker has every label that the experiment asks for."""
    return all(offer.labels.get(key) == value for key, value in demand.labels.items())
