"""Adds reports, of which there are more than of anything else, to their table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection

from ...experiment.changes import ReportRow
from ..schema.values import dump_json, dump_metrics

#: Rows in one statement; each is about a hundred bytes of text.
_ROWS_AT_ONCE = 2_000

_INSERT = """
INSERT INTO reports (experiment_id, trial_id, token, sequence, resource, metrics, receive_time, commit_id)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'), ?2, ?3
FROM json_each(?1)
"""
_COPY = """
COPY reports (experiment_id, trial_id, token, sequence, resource, metrics, receive_time, commit_id) FROM STDIN
"""


def insert_reports(connection: Connection, rows: Sequence[ReportRow], commit_id: int) -> None:
    """Adds reports, which `commit_id` stores: by COPY to PostgreSQL, to SQLite those of one time by one statement.

    With a statement for each row, SQLite's work would stop at each for the interpreter, which the threads share: beside
    a busy event loop that takes several times as long. SQLite stores the metrics as they stand in the JSON text.
    """
    cursor: Any = connection.connection.cursor()
    with closing(cursor):
        if connection.dialect.name == "sqlite":
            for time, group in groupby(rows, attrgetter("receive_time")):
                for some in _portions(group):
                    cursor.execute(_INSERT, (_as_json(some), time, commit_id))
            return
        with cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row((*_place(row), dump_metrics(row.metrics), row.receive_time, commit_id))


def _portions(rows: Iterable[ReportRow]) -> Iterator[list[ReportRow]]:
    rows = iter(rows)
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        yield some


def _as_json(rows: list[ReportRow]) -> str:
    try:
        return dump_json([(*_place(row), row.metrics) for row in rows])
    except ValueError:
        # JSON has no word for NaN and the infinities; see values.dump_metrics.
        return dump_json([(*_place(row), _words(row.metrics)) for row in rows])


_place = attrgetter("experiment_id", "trial_id", "token", "sequence", "resource")


def _words(metrics: Mapping[str, float]) -> dict[str, float | str]:
    return {name: value if math.isfinite(value) else repr(value) for name, value in metrics.items()}
