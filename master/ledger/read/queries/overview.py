"""What a database has in all, for those who measure its master: few small rows, and the journal since the last look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, String, case, func, literal, select, type_coerce

from .....shared.wire.model import ExperimentState
from ....search.interface import Action
from ...schema import tables
from ...schema.values import dump_json

_E, _V = tables.experiments.c, tables.events.c
#: How a lease ends, and what is decided about a trial.
OUTCOMES = (
    *("released", "given_back", "failed", "invalid", "worker_fault"),
    *("cannot_start", "environment", "expired", "cancelled"),
)
ACTIONS = tuple(Action)
#: Unfinished experiments that are told one by one, newest first.
MOST_EXPERIMENTS = 1_000


@dataclass(frozen=True, slots=True)
class ExperimentTotals:
    """An experiment that has not ended. `trials` has a number by state."""

    experiment_id: int
    name: str
    trials: Mapping[str, int]
    resource_spent: int


@dataclass(frozen=True, slots=True)
class Overview:
    """A database at one moment: experiments by state, those that have not ended, and the journal since the last look.

    `events` counts its entries by kind and detail, which is the outcome of a lease that ended, the action of a
    decision, and empty for all else; `last_event_id` is the latest.
    """

    experiments: Mapping[str, int]
    unfinished: tuple[ExperimentTotals, ...]
    events: Mapping[tuple[str, str], int]
    last_event_id: int


def last_event_id(connection: Connection) -> int:
    """The number of the journal's latest entry, of any experiment; 0 where there is none."""
    return connection.scalar(select(func.max(_V.event_id))) or 0


def overview(connection: Connection, after_event_id: int) -> Overview:
    """The database as it is, with the entries of the journal after the given one."""
    states = connection.execute(select(_E.state, func.count().label("number")).group_by(_E.state))
    detail = _detail()
    since = select(_V.kind, detail, func.count(), func.max(_V.event_id)).where(_V.event_id > after_event_id)
    events = connection.execute(since.group_by(_V.kind, detail)).all()
    latest = max((last for *_, last in events), default=after_event_id)
    counted = {(kind, detail): number for kind, detail, number, _ in events}
    return Overview({row.state: row.number for row in states}, _unfinished(connection), counted, latest)


def _detail() -> ColumnElement[str]:
    """What an entry's data says in one field, found in its text: databases read JSON each in its own way, and one
    entry that is damaged would keep all others from being counted."""
    text = type_coerce(_V.data, String)
    cases = [
        ((_V.kind == kind) & text.contains(dump_json({field: value})[1:-1], autoescape=True), literal(value))
        for kind, field, values in (("lease_ended", "outcome", OUTCOMES), ("decision", "action", ACTIONS))
        for value in values
    ]
    return case(*cases, else_=literal(""))


def _unfinished(connection: Connection) -> tuple[ExperimentTotals, ...]:
    going_on = [state.value for state in ExperimentState if not state.ended]
    unfinished = select(_E.experiment_id, _E.name, _E.counts, _E.resource_spent).where(_E.state.in_(going_on))
    rows = connection.execute(unfinished.order_by(_E.experiment_id.desc()).limit(MOST_EXPERIMENTS))
    return tuple(ExperimentTotals(*row) for row in rows)
