"""What a search found, beyond what the experiment itself tells."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cached_property

from ..shared.errors import NotFound
from ..shared.wire.model import Checkpoint, Experiment, Report, TrialInfo, TrialOrder, TrialState
from .client import Client
from .local.database import DatabaseClient, file_of
from .notebook.exploring import Explored


@dataclass(frozen=True)
class Result(Experiment, Explored):
    """What a run found: the experiment as it ended, and all that its database has of it.

    The database is read whenever something is asked that the experiment itself does not tell, by a process that is
    started at the first such question; no master is needed. Raises DatabaseError where the database is gone.
    """

    database: str = field(kw_only=True)

    @classmethod
    def of(cls, experiment: Experiment, database: str) -> Result:
        """The result of an experiment that lies in a database (a file, or a URL)."""
        values = {each.name: getattr(experiment, each.name) for each in fields(Experiment)}
        file = file_of(database)
        return cls(**values, database=database if file is None else str(file.absolute()))

    @property
    def best(self) -> TrialInfo | None:
        """The best trial; None where there is no result."""
        return self.best_trial

    def trials(
        self, *, states: Iterable[TrialState | str] = (), order: TrialOrder | str = TrialOrder.ID
    ) -> list[TrialInfo]:
        """Trials by id, or (order "best") the best metric first, without those that have none."""
        return list(self._client.trials(self.experiment_id, states=states, order=order))

    def metrics(self, trial_id: int | None = None) -> list[Report]:
        """What a trial reported, by default the best one."""
        return list(self._client.metrics(self.experiment_id, self._chosen(trial_id)))

    def checkpoints(self, trial_id: int | None = None) -> list[Checkpoint]:
        """A trial's checkpoints, by default those of the best one; `delete_time` is None for those that are kept."""
        return list(self._client.trial(self.experiment_id, self._chosen(trial_id)).checkpoints)

    def fetch_checkpoint(
        self, to: str | os.PathLike[str], trial_id: int | None = None, *, resource: int | None = None
    ) -> Checkpoint:
        """Copies a trial's model, by default the best one's, into the folder `to`; see `Client.fetch_checkpoint`."""
        return self._client.fetch_checkpoint(self.experiment_id, self._chosen(trial_id), to=to, resource=resource)

    def wait(self) -> Result:
        """This result: the search has ended."""
        return self

    def _repr_html_(self) -> str:
        from .notebook.live import shown

        return shown(self)._repr_html_()

    @property
    def _source(self) -> Client:
        return self._client

    @property
    def _number(self) -> int:
        return self.experiment_id

    def _chosen(self, trial_id: int | None) -> int:
        if trial_id is not None:
            return trial_id
        if self.best_trial is None:
            text = f"experiment {self.experiment_id} has no result, so there is no best trial"
            raise NotFound(text, experiment_id=self.experiment_id)
        return self.best_trial.trial_id

    @cached_property
    def _client(self) -> DatabaseClient:
        client = DatabaseClient(self.database)
        weakref.finalize(self, client.close)
        return client


def other_metrics(client: Client, experiment: Experiment, trial: TrialInfo | None) -> dict[str, float]:
    """What a trial reported beside the searcher's metric at the resource of its result; empty for nothing.

    It reads all reports of the trial, so it is for the end of a search, and for one trial at a time.
    """
    found: dict[str, float] = {}
    result, resource = experiment.result_of(trial) if trial is not None else (None, 0)
    if trial is not None and result is not None:
        for report in client.metrics(trial.experiment_id, trial.trial_id):
            if report.resource == resource:
                found = dict(sorted(report.metrics.items()))
    found.pop(experiment.metric, None)
    return found
