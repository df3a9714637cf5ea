"""`rungmaster db export`: what is in the file is what is in the database, typed, and the file is whole or not there."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rungmaster.master.experiment.changes import Changes, ReportRow, ThinningRow, TrialRow
from rungmaster.master.experiment.life.retention import Span
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.inspection import inspect_database
from rungmaster.master.maintenance import export as export_module
from rungmaster.master.maintenance.export import export
from rungmaster.shared.errors import FailedPrecondition, InvalidInput, NotFound

from .ledger_rows import START, created, lease, report, trial

METRICS: list[dict[str, float]] = [
    {"loss": 0.5, "accuracy": 0.25},
    {"loss": math.nan},
    {"loss": math.inf, "accuracy": -math.inf},
    {},
    {"loss": 3, 'a metric, with "signs"': 1e-300},
]


@pytest.fixture
def filled(ledger: Ledger, database_url: str) -> str:
    """A database with reports of two trials, and another experiment's that must not be in the file."""
    for number in (1, 2):
        ledger.commit(created(number))
        ledger.commit(Changes(new_leases=[lease(0, experiment_id=number), lease(1, experiment_id=number)]))
    reports = [report(0, n, metrics=metrics) for n, metrics in enumerate(METRICS, 1)]
    reports += [report(1, n) for n in range(1, 8)]
    ledger.commit(Changes(new_reports=[*reports, report(0, 1, experiment_id=2)]))
    return database_url


def rows_of(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def test_every_report_is_a_row_and_every_metric_a_column(filled: str, tmp_path: Path) -> None:
    path = tmp_path / "reports.parquet"
    assert export(filled, 1, path).rows == 12
    rows = rows_of(path)
    assert [(row["trial_id"], row["sequence"]) for row in rows] == [(0, n) for n in range(1, 6)] + [
        (1, n) for n in range(1, 8)
    ]
    first = [row["metric_loss"] for row in rows[:5]]
    assert first[0] == 0.5
    assert math.isnan(first[1])
    assert first[2:] == [math.inf, None, 3.0]
    assert [row["metric_accuracy"] for row in rows[:5]] == [0.25, None, -math.inf, None, None]
    assert rows[4]['metric_a metric, with "signs"'] == 1e-300
    assert rows[0]["receive_time"] == datetime.fromtimestamp(START + 1, UTC)
    assert (rows[0]["experiment_id"], rows[0]["token"], rows[0]["resource"]) == (1, 1, 1)
    about = pq.read_schema(path).metadata
    assert about[b"rungmaster.name"] == b"digits"


def test_trials_have_their_hyperparameters_as_columns_of_their_own_types(
    ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    batch = created(trials=0)
    hparams: list[dict[str, Any]] = [
        {"width": 16, "rate": 1, "solver": "sgd", "nesterov": True, "mixed": 1},
        {"width": 32, "rate": 0.5, "solver": None, "mixed": "one"},
    ]
    batch.new_trials = [trial(n, hparams=values, metric=0.5 if n else None) for n, values in enumerate(hparams)]
    ledger.commit(batch)
    path = tmp_path / "trials.parquet"
    assert export(database_url, 1, path, trials=True).rows == 2
    rows = [{name: value for name, value in row.items() if name.startswith("hparam_")} for row in rows_of(path)]
    assert rows == [
        {"hparam_width": 16, "hparam_rate": 1.0, "hparam_solver": "sgd", "hparam_nesterov": True, "hparam_mixed": "1"},
        {
            "hparam_width": 32,
            "hparam_rate": 0.5,
            "hparam_solver": None,
            "hparam_nesterov": None,
            "hparam_mixed": '"one"',
        },
    ]
    assert [row["metric"] for row in rows_of(path)] == [None, 0.5]
    columns = {name for name in rows_of(path)[0] if not name.startswith("hparam_")}
    assert columns == {field.name for field in fields(TrialRow)} - {"hparams"}
    assert [row["end_time"] for row in rows_of(path)] == [None, None]


def test_a_large_experiment_is_written_in_groups(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_module, "ROWS", 5)
    path = tmp_path / "reports.parquet"
    assert export(filled, 1, path).rows == 12
    read = pq.ParquetFile(path).metadata
    assert [read.row_group(n).num_rows for n in range(read.num_row_groups)] == [5, 5, 2]


def test_an_experiment_without_reports_is_a_file_without_rows(
    ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    ledger.commit(created())
    path = tmp_path / "reports.parquet"
    assert export(database_url, 1, path).rows == 0
    assert rows_of(path) == []


def test_what_a_master_writes_meanwhile_is_not_in_the_file(filled: str, ledger: Ledger) -> None:
    with inspect_database(filled) as inspection:
        pages = inspection.pages(ReportRow, 1, 4)
        seen = next(pages)
        ledger.commit(Changes(new_reports=[report(0, 6), report(1, 8)]))
        seen += [row for page in pages for row in page]
    assert len(seen) == 12


def test_an_export_of_a_thinned_experiment_says_what_is_not_in_it(filled: str, ledger: Ledger, tmp_path: Path) -> None:
    thinning = ThinningRow(1, 0, 0, 0, START, None)
    ledger.commit(Changes(new_thinnings=[thinning]))
    assert ledger.thin(thinning, [Span(1, 1, 2, 4)], 2, finished=True)
    assert export(filled, 1, tmp_path / "reports.parquet") == (9, 3)
    assert export(filled, 2, tmp_path / "others.parquet") == (1, 0)


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(filled: str, tmp_path: Path) -> None:
    path = tmp_path / "reports.parquet"
    path.write_text("mine")
    with pytest.raises(InvalidInput, match="exists already"):
        export(filled, 1, path)
    assert path.read_text() == "mine"
    export(filled, 1, path, replace=True)
    assert len(rows_of(path)) == 12


def test_what_fails_leaves_no_file(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reports.parquet"
    with pytest.raises(NotFound, match="no experiment 7"):
        export(filled, 7, path)
    monkeypatch.setattr(export_module, "MAX_NAMES", 1)
    with pytest.raises(FailedPrecondition, match="read its rows with SQL"):
        export(filled, 1, path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FailedPrecondition, match=r"pip install 'rungmaster\[parquet\]'"):
        export(filled, 1, path)
    assert [one.name for one in tmp_path.iterdir() if "parquet" in one.name] == []


def test_the_command_says_what_it_did(filled: str, tmp_path: Path) -> None:
    path = tmp_path / "reports.parquet"
    command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "db", "export", "1", str(path), "--db", filled]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"12 reports of experiment 1 are in {path} ({path.stat().st_size:,} bytes)\n"
    again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
