"""Queries about what people did."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, literal, select

from .....shared.wire.model import Act
from ...schema import tables
from ...schema.values import CleanText
from ..from_rows import from_rows
from ..paging import Page

_A = tables.acts.c


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Which acts are wanted: to an experiment (0: to any, and to workers), by somebody (empty: by anybody), from a time
    on (seconds since the epoch), and whether the oldest come first."""

    experiment_id: int = 0
    who: str = ""
    since: float = 0.0
    oldest_first: bool = False


def list_acts(connection: Connection, wanted: ActFilter, page: Page) -> tuple[list[Act], str]:
    """A page of acts and the token of the next one."""
    statement = select(tables.acts)
    if wanted.experiment_id:
        statement = statement.where(_A.experiment_id == wanted.experiment_id)
    if wanted.who:
        statement = statement.where(_A.who == literal(wanted.who, CleanText))
    if wanted.since:
        statement = statement.where(_A.create_time >= wanted.since)
    if page.after:
        last = page.after[0]
        statement = statement.where(_A.act_id > last if wanted.oldest_first else _A.act_id < last)
    order = _A.act_id if wanted.oldest_first else _A.act_id.desc()
    found = from_rows(Act, connection.execute(statement.order_by(order).limit(page.size + 1)))
    acts, more = page.cut(found)
    return list(acts), page.token([acts[-1].act_id]) if more else ""
