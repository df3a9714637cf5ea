"""What a master's memory is built from."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...shared.wire.session import Welcome
from ..experiment.changes import StoredRows
from ..experiment.setup import ExperimentSetup
from .sessions.owners import SessionOwner
from .setup import Refused


@dataclass(frozen=True, slots=True)
class SessionParameters:
    """What every session is told. Durations in seconds."""

    term: int
    lease_ttl_s: float
    heartbeat_interval_s: float
    version: str
    #: What tells the database from every other.
    database_id: str = ""

    def welcome(self) -> Welcome:
        """The same as a worker is told when it says hello."""
        return Welcome(
            self.term, self.lease_ttl_s, self.heartbeat_interval_s, self.version, database_id=self.database_id
        )


@dataclass(slots=True)
class RecoveredMemory:
    """What the ledger had: experiments that go on or whose ending does, and what is left to tidy up."""

    last_experiment_id: int = 0
    request_ids: dict[str, int] = field(default_factory=dict)
    experiments: list[tuple[StoredRows, ExperimentSetup | Refused]] = field(default_factory=list)
    garbage: list[str] = field(default_factory=list)
    #: Sessions of workers that a person wants to leave.
    leaving: list[str] = field(default_factory=list)
    #: By session, who opened it.
    owners: dict[str, SessionOwner] = field(default_factory=dict)
