"""What a master's memory is built from."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..experiment.changes import Records
from .blueprint import Blueprint, Refused
from .owners import Owner


@dataclass(frozen=True, slots=True)
class Terms:
    """What every session is told. Durations in seconds."""

    term: int
    lease_ttl: float
    heartbeat_interval: float
    version: str
    #: What tells the database from every other.
    database_id: str = ""


@dataclass(slots=True)
class Recovered:
    """What the ledger had: experiments that go on or whose ending does, and what is left to tidy up."""

    last_experiment_id: int = 0
    request_ids: dict[str, int] = field(default_factory=dict)
    experiments: list[tuple[Records, Blueprint | Refused]] = field(default_factory=list)
    garbage: list[str] = field(default_factory=list)
    #: Sessions of workers that a person wants to leave.
    leaving: list[str] = field(default_factory=list)
    #: By session, who opened it.
    owners: dict[str, Owner] = field(default_factory=dict)
