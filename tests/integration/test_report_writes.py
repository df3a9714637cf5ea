"""Reports are written many at once, and are read back exactly as they came."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rungmaster.master.experiment.changes import Changes, ReportRow
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.schema.values import dump_metrics, load_metrics
from rungmaster.shared.limits import MAX_RESOURCE

_names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
_metrics = st.dictionaries(_names, st.floats(), max_size=4)
_COLUMNS = "experiment_id, trial_id, token, sequence, resource, metrics, receive_time"


def _stored(reports: list[ReportRow]) -> list[tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "search.db"
        ledger = Ledger.open(str(path), holder="test")
        ledger.commit(Changes(new_reports=reports))
        ledger.close()
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(f"SELECT {_COLUMNS} FROM reports ORDER BY sequence").fetchall()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(1, MAX_RESOURCE), _metrics, st.floats(1e9, 4e9)), min_size=1, max_size=8))
@example([(1, {"loss": float("nan"), "x": 0.1}, 1.7e9), (2, {"loss": -0.0}, 1.7e9), (3, {'"\\é': 5e-324}, 1.7e9 + 1)])
def test_every_report_is_stored_as_it_came(reports: list[tuple[int, dict[str, float], float]]) -> None:
    rows = [ReportRow(1, 2, 3, n, resource, metrics, time) for n, (resource, metrics, time) in enumerate(reports, 1)]
    expected = [(1, 2, 3, r.sequence, r.resource, dump_metrics(r.metrics), r.receive_time) for r in rows]
    stored = _stored(rows)
    assert stored == expected
    read = [load_metrics(str(row[5])) for row in stored]
    assert repr(read) == repr([row.metrics for row in rows])


def test_a_batch_of_thousands_is_stored_whole() -> None:
    rows = [ReportRow(1, 2, 3, n, n, {"loss": 1 / n}, 1.7e9 + n // 3_000) for n in range(1, 7_001)]
    assert [row[3] for row in _stored(rows)] == list(range(1, 7_001))
