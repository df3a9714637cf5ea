"""What experiments that have ended left behind: each batch has room for a portion of it."""

from __future__ import annotations

import logging

from ...shared.session import LeaseLost
from ..experiment.book import Batch
from ..experiment.changes import ROWS_AT_ONCE
from ..experiment.ending import Ending
from ..experiment.experiment import Experiment

log = logging.getLogger(__name__)

#: Rows that the ending of an experiment may take in one batch.
PORTION = 1_000


class Endings:
    """The endings that go on, by experiment, and those of them that go on in this batch."""

    def __init__(self, portion: int = PORTION) -> None:
        self.by_experiment: dict[int, Ending] = {}
        self._portion = portion
        self._now: list[int] = []

    def add(self, experiment: Experiment) -> None:
        """An experiment has ended, now or before the last start."""
        self.by_experiment[experiment.experiment_id] = Ending(experiment)

    def begin(self, experiment: Experiment) -> list[tuple[str, LeaseLost]]:
        """An experiment has ended now, and a small one is done with in this batch: whom to tell what at once."""
        self.add(experiment)
        self._now.append(experiment.experiment_id)
        return self.by_experiment[experiment.experiment_id].lost()

    def asked_again(self, session_id: str, request_id: str, batch: Batch) -> None:
        """A worker asks for work, maybe for the second time under this id: no lease that answered it stays held."""
        for ending in self.by_experiment.values():
            ending.asked_again(session_id, request_id, batch)

    def take_turn(self) -> bool:
        """Has one of them go on in this batch, each in turn; whether there is any."""
        number = next(iter(self.by_experiment), None)
        if number is None:
            return False
        self.by_experiment[number] = self.by_experiment.pop(number)
        self._now.append(number)
        return True

    def drop(self, experiment_id: int) -> None:
        """Forgets a deleted experiment, whose rows go in another way."""
        self.by_experiment.pop(experiment_id, None)

    def go_on(self, batch: Batch) -> None:
        """Ends what has its turn, as far as there is room in the batch."""
        for number in self._now:
            if number in self.by_experiment:
                self._go_on(number, min(self._portion, ROWS_AT_ONCE - batch.changes.rows), batch)
        self._now.clear()

    def _go_on(self, number: int, rows: int, batch: Batch) -> None:
        ending = self.by_experiment[number]
        try:
            ending.go_on(rows, batch)
        except Exception:
            # Its rows contradict each other. The others are to go on, and a master that is started anew tries again.
            log.exception("the trials of experiment %d cannot be ended", number)
            del self.by_experiment[number]
            return
        if ending.over:
            del self.by_experiment[number]
