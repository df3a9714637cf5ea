"""What people do stands in the audit trail, and who it was in the journal: in one transaction with what it changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...shared.wire.model import Worker
from ..experiment.changes import ActRow
from .clock import Now
from .core import Core

T = TypeVar("T")
Command = Callable[[Core, Now], T]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: by the `name` of a token or a certificate, as `known_by` says, from which `host`. Name and
    `known_by` are empty where the master asks nobody."""

    name: str = ""
    known_by: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class AuditedAct:
    """What somebody does to something: its `kind` is that of the command, its `subject` the name of the experiment or
    worker, its `data` what was asked for."""

    kind: str
    actor: Actor
    subject: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def row(self, now: float, experiment_id: int | None = None) -> ActRow:
        """As the audit trail has it."""
        actor = self.actor
        return ActRow(
            now, self.kind, experiment_id, self.subject, actor.name, actor.known_by, actor.host, dict(self.data)
        )


def on_experiment(act: AuditedAct, command: Command[T]) -> Command[T]:
    """A command that steers an experiment, with its act: one for each experiment in whose journal it has an entry, and
    none where it changed nothing."""

    def run(core: Core, now: Now) -> T:
        before = core.isolation.parts.entries()
        result = command(core, now)
        for experiment_id, batch, new in core.isolation.parts.entries_since(before):
            for event in new:
                if event.trial_id is None:
                    event.data = {**event.data, **_told(act.actor)}
            batch.changes.new_acts.append(act.row(batch.now, experiment_id))
        return result

    return run


def on_worker(kind: str, actor: Actor, command: Command[Worker]) -> Command[Worker]:
    """A command about a worker, with its act."""

    def run(core: Core, now: Now) -> Worker:
        worker = command(core, now)
        common = core.isolation.parts.common
        act = AuditedAct(kind, actor, worker.worker, {"session_id": worker.session_id})
        common.changes.new_acts.append(act.row(common.now))
        return worker

    return run


def _told(actor: Actor) -> dict[str, str]:
    """Who did it, as the journal's entries have it beside what they tell."""
    return {name: value for name, value in (("by", actor.name), ("host", actor.host)) if value}
