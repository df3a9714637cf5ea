"""What people do to experiments that have ended: thin their reports, delete them, let them go on."""

from __future__ import annotations

from dataclasses import dataclass

from ...shared.errors import FailedPrecondition, NotFound, Unavailable
from ..experiment.changes import EventRow, ThinningRow
from .isolation import Isolation
from .upkeep.endings import Endings


@dataclass(frozen=True, slots=True, eq=False)
class Extension:
    """A person wants an experiment to go on that has ended. What the ledger has of it is read beside the writer, and
    counts only if nobody does anything to the experiment meanwhile."""

    experiment_id: int


class Archive:
    """Experiments that have ended are not in memory: it knows only those that it deleted since that was built."""

    def __init__(self, isolation: Isolation, endings: Endings) -> None:
        self._isolation = isolation
        self._endings = endings
        #: Readers may have seen them a moment ago.
        self._deleted: set[int] = set()
        #: The last one of each experiment, until it is carried out or something else is done to the experiment.
        self._extensions: dict[int, Extension] = {}

    def thin(self, experiment_id: int, keep_every: int, why: str) -> None:
        """Has the reports of an experiment thinned that has ended; raises FailedPrecondition where it has not."""
        self._check_ended(experiment_id)
        self._extensions.pop(experiment_id, None)
        batch = self._isolation.parts.of(experiment_id)
        batch.changes.new_thinnings.append(ThinningRow(experiment_id, keep_every, 0, 0, batch.now, None))
        data = {"keep_every": keep_every, "reason": why}
        batch.changes.new_events.append(EventRow(experiment_id, None, batch.now, "thinning", data))

    def delete(self, experiment_id: int) -> None:
        """Forgets an experiment that has ended; raises FailedPrecondition where it has not."""
        self._check_ended(experiment_id)
        self._extensions.pop(experiment_id, None)
        self._deleted.add(experiment_id)
        self._endings.drop(experiment_id)
        batch = self._isolation.parts.of(experiment_id)
        batch.changes.deleted_experiments.append(experiment_id)
        batch.changes.new_events.append(EventRow(experiment_id, None, batch.now, "experiment_deleted", {}))

    def begin_extension(self, experiment_id: int) -> Extension:
        """From now on what is read of the experiment counts. Raises FailedPrecondition where it has not ended,
        Unavailable where its trials are still being ended."""
        self._check_ended(experiment_id)
        if experiment_id in self._endings.by_experiment:
            raise Unavailable(f"the trials of experiment {experiment_id} are still being ended; try again in a moment")
        extension = self._extensions[experiment_id] = Extension(experiment_id)
        return extension

    def end_extension(self, extension: Extension) -> None:
        """What was read is used now. Raises Unavailable where it does not count any more."""
        if self._extensions.get(extension.experiment_id) is not extension:
            raise Unavailable(f"experiment {extension.experiment_id} was changed by another meanwhile; try again")
        del self._extensions[extension.experiment_id]

    def _check_ended(self, experiment_id: int) -> None:
        if self._isolation.knows(experiment_id):
            raise FailedPrecondition(
                f"experiment {experiment_id} has not ended: cancel it first", experiment_id=experiment_id
            )
        if experiment_id in self._deleted:
            raise NotFound(f"there is no experiment {experiment_id}", experiment_id=experiment_id)
