"""What experiments that have ended left behind: each batch has room for a portion of it."""

from __future__ import annotations

from collections.abc import Callable

from ....shared.wire.session import LeaseLost
from ...experiment.changes import ROWS_AT_ONCE
from ...experiment.life.ending import Ending
from ...experiment.records import ExperimentRecords
from ..isolation import Parts

#: Rows that the ending of an experiment may take in one batch.
PORTION = 1_000


class Endings:
    """The endings that go on, by experiment, and those of them that go on in this batch."""

    def __init__(self, portion: int = PORTION) -> None:
        self.by_experiment: dict[int, Ending] = {}
        self._portion = portion
        self._now: list[int] = []

    def add(self, records: ExperimentRecords) -> None:
        """An experiment has ended, now or before the last start."""
        self.by_experiment[records.experiment_id] = Ending(records)

    def begin(self, records: ExperimentRecords) -> list[tuple[str, LeaseLost]]:
        """An experiment has ended now, and a small one is done with in this batch: whom to tell what at once."""
        self.add(records)
        self._now.append(records.experiment_id)
        return self.by_experiment[records.experiment_id].lost()

    def asked_again(self, session_id: str, request_id: str, parts: Parts) -> None:
        """A worker asks for work, maybe for the second time under this id: no lease that answered it stays held."""
        for number, ending in self.by_experiment.items():
            ending.asked_again(session_id, request_id, parts.of(number))

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

    def go_on(self, parts: Parts, set_aside: Callable[[int, Exception], None]) -> None:
        """Ends what has its turn, as far as there is room in the batch. What raises is set aside."""
        for number in self._now:
            if number in self.by_experiment:
                try:
                    self._go_on(number, min(self._portion, ROWS_AT_ONCE - parts.rows), parts)
                except Exception as error:  # noqa: BLE001 - one experiment's trouble is its own
                    # Its rows contradict each other; a master that is started anew tries again.
                    set_aside(number, error)
        self._now.clear()

    def _go_on(self, number: int, rows: int, parts: Parts) -> None:
        ending = self.by_experiment[number]
        ending.go_on(rows, parts.of(number))
        if ending.over:
            del self.by_experiment[number]
