"""What people do to experiments that have ended: thin their reports, delete them."""

from __future__ import annotations

from ...shared.errors import FailedPrecondition, NotFound
from ..experiment.changes import EventRow, ThinningRow
from .isolation import Isolation
from .upkeep.endings import Endings


class Archive:
    """Experiments that have ended are not in memory: it knows only those that it deleted since that was built."""

    def __init__(self, isolation: Isolation, endings: Endings) -> None:
        self._isolation = isolation
        self._endings = endings
        #: Readers may have seen them a moment ago.
        self._deleted: set[int] = set()

    def thin(self, experiment_id: int, keep_every: int, why: str) -> None:
        """Has the reports of an experiment thinned that has ended; raises FailedPrecondition where it has not."""
        self._check_ended(experiment_id)
        batch = self._isolation.parts.of(experiment_id)
        batch.changes.new_thinnings.append(ThinningRow(experiment_id, keep_every, 0, 0, batch.now, None))
        data = {"keep_every": keep_every, "reason": why}
        batch.changes.new_events.append(EventRow(experiment_id, None, batch.now, "thinning", data))

    def delete(self, experiment_id: int) -> None:
        """Forgets an experiment that has ended; raises FailedPrecondition where it has not."""
        self._check_ended(experiment_id)
        self._deleted.add(experiment_id)
        self._endings.drop(experiment_id)
        batch = self._isolation.parts.of(experiment_id)
        batch.changes.deleted_experiments.append(experiment_id)
        batch.changes.new_events.append(EventRow(experiment_id, None, batch.now, "experiment_deleted", {}))

    def _check_ended(self, experiment_id: int) -> None:
        if self._isolation.knows(experiment_id):
            raise FailedPrecondition(
                f"experiment {experiment_id} has not ended: cancel it first", experiment_id=experiment_id
            )
        if experiment_id in self._deleted:
            raise NotFound(f"there is no experiment {experiment_id}", experiment_id=experiment_id)
