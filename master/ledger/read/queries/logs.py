"""Where the log of a trial can be: under which leases it trained, who held them, and where its storage is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from .....shared.errors import NotFound
from .....shared.wire.model import Lease, TrialState
from ....experiment.essentials import storage_of
from ...leadership.mastership import read_database_id
from ...schema import tables
from .experiments import get_status
from .trials import leases_of, trials_by_key

_E, _L = tables.experiments.c, tables.leases.c


@dataclass(frozen=True, slots=True)
class TrialLeases:
    """A trial's leases, oldest first, and the session that had each, by token. `state` is None where the search has not
    made the trial yet. `over`: whether it can be given no other lease."""

    state: TrialState | None
    state_reason: str
    over: bool
    leases: tuple[Lease, ...]
    sessions: dict[int, str]
    storage: str
    database_id: str

    def lease(self, token: int) -> Lease | None:
        """The lease with a token; None where there is none any more."""
        return next((lease for lease in self.leases if lease.token == token), None)


def trial_leases(connection: Connection, experiment_id: int, trial_id: int) -> TrialLeases:
    """Raises NotFound, but not for a trial that its search will make."""
    over = get_status(connection, experiment_id).over
    found = trials_by_key(connection, [(experiment_id, trial_id)])
    trial = found.get((experiment_id, trial_id))
    if trial is None and (over or trial_id >= _planned(connection, experiment_id)):
        text = f"experiment {experiment_id} has no trial {trial_id}"
        raise NotFound(text, experiment_id=experiment_id, trial_id=trial_id)
    sessions = select(_L.token, _L.session_id).where(_L.experiment_id == experiment_id, _L.trial_id == trial_id)
    spec = connection.scalar(select(_E.spec).where(_E.experiment_id == experiment_id))
    return TrialLeases(
        trial and trial.state,
        trial.state_reason if trial else "",
        over or (trial is not None and trial.state.ended),
        tuple(leases_of(connection, experiment_id, trial_id)),
        {row.token: row.session_id for row in connection.execute(sessions)},
        storage_of(spec) or "",
        read_database_id(connection),
    )


def _planned(connection: Connection, experiment_id: int) -> int:
    brackets = tables.brackets.c
    planned = select(func.sum(brackets.max_trials)).where(brackets.experiment_id == experiment_id)
    return connection.scalar(planned) or 0
