"""`rungmaster export`: what is in the file is what is in the database, typed, and the file is whole or not there."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.client.cli.main import execute
from rungmaster.client.local.database import DatabaseClient
from rungmaster.client.tables import export as export_module
from rungmaster.client.tables.cells import csv_rows, json_object
from rungmaster.master.experiment.changes import Changes, ThinningRow
from rungmaster.master.experiment.life.retention import Span
from rungmaster.master.ledger.ledger import Ledger

from .ledger_rows import START, created, lease, report, trial

METRICS: list[dict[str, float]] = [
    {"loss": 0.5, "accuracy": 0.25},
    {"loss": math.nan},
    {"loss": math.inf, "accuracy": -math.inf},
    {},
    {"loss": 3, 'a metric, with "signs"': 1e-300},
]
HPARAMS: list[dict[str, Any]] = [
    {"width": 16, "rate": 1, "solver": "=1+1", "nesterov": True, "mixed": 1},
    {"width": 32, "rate": 0.1 + 0.2, "solver": None, "mixed": 'one, "two"\nthree \x1b[2J'},
]


@pytest.fixture
def filled(ledger: Ledger, database_url: str) -> str:
    """A database with reports of two trials, and another experiment's that must not be in the file."""
    for number in (1, 2):
        batch = created(number, trials=0)
        batch.new_trials = [
            trial(n, hparams=values, metric=0.5 if n else None, experiment_id=number)
            for n, values in enumerate(HPARAMS)
        ]
        ledger.commit(batch)
        ledger.commit(Changes(new_leases=[lease(0, experiment_id=number), lease(1, experiment_id=number)]))
    reports = [report(0, n, metrics=metrics) for n, metrics in enumerate(METRICS, 1)]
    reports += [report(1, n) for n in range(1, 8)]
    ledger.commit(Changes(new_reports=[*reports, report(0, 1, experiment_id=2)]))
    return database_url


def exported(capsys: pytest.CaptureFixture[str], database: str, *arguments: str, code: int = 0) -> str:
    """What the command prints, on both outputs."""
    assert execute(["export", "1", *arguments, "--db", database]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_every_report_is_a_row_of_a_parquet_file(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "reports.parquet"
    told = exported(capsys, filled, "--what", "reports", "--out", str(path))
    assert told == f"12 reports of experiment 1 are in {path} ({path.stat().st_size:,} bytes)\n"
    rows = pq.read_table(path).to_pylist()
    assert sorted((row["trial_id"], row["sequence"]) for row in rows) == [(0, n) for n in range(1, 6)] + [
        (1, n) for n in range(1, 8)
    ]
    first = [row for row in rows if row["trial_id"] == 0]
    assert repr([row["metrics.loss"] for row in first]) == "[0.5, nan, inf, None, 3.0]"
    assert [row["metrics.accuracy"] for row in first] == [0.25, None, -math.inf, None, None]
    assert first[4]['metrics.a metric, with "signs"'] == 1e-300
    assert first[0]["time"] == datetime.fromtimestamp(START + 1, UTC)
    assert (first[0]["token"], first[0]["resource"]) == (1, 1)
    about = pq.read_schema(path).metadata
    assert about[b"rungmaster.name"] == b"digits"
    assert json.loads(about[b"rungmaster.spec"])


def test_trials_have_their_hyperparameters_as_columns_of_their_own_types(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trials.parquet"
    exported(capsys, filled, "--out", str(path))
    rows = pq.read_table(path).to_pylist()
    assert [{name: row[f"hparams.{name}"] for name in HPARAMS[0]} for row in rows] == [
        {"width": 16, "rate": 1.0, "solver": "=1+1", "nesterov": True, "mixed": "1"},
        {
            "width": 32,
            "rate": 0.30000000000000004,
            "solver": None,
            "nesterov": None,
            "mixed": r'"one, \"two\"\nthree \u001b[2J"',
        },
    ]
    assert [row["metric"] for row in rows] == [None, 0.5]
    assert [row["end_time"] for row in rows] == [None, None]
    with DatabaseClient(filled) as client:
        frame = client.experiment(1).trials_frame("polars")
    assert set(frame.columns) == set(pq.read_schema(path).names), "a notebook has the same columns"


def test_a_csv_has_all_digits_and_the_very_text_but_for_formulas(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trials.csv"
    exported(capsys, filled, "--out", str(path))
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    own = [{name: row[f"hparams.{name}"] for name in HPARAMS[0]} for row in rows]
    assert own == [
        {"width": "16", "rate": "1", "solver": "'=1+1", "nesterov": "true", "mixed": "1"},
        {"width": "32", "rate": "0.30000000000000004", "solver": "", "nesterov": "", "mixed": HPARAMS[1]["mixed"]},
    ]
    shown = exported(capsys, filled)
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 3, "a line each on a terminal"


def test_numbers_that_are_none_are_read_as_such_from_a_csv(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "reports.csv"
    exported(capsys, filled, "--what", "reports", "--out", str(path))
    losses = polars.read_csv(path).filter(polars.col("trial_id") == 0)["metrics.loss"].to_list()
    assert repr(losses) == "[0.5, nan, inf, None, 3.0]"


def test_json_lines_are_json(filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    path = tmp_path / "reports.jsonl"
    exported(capsys, filled, "--what", "reports", "--out", str(path))
    rows = [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]
    losses = [row.get("metrics.loss") for row in rows if row["trial_id"] == 0]
    assert losses == [0.5, "NaN", "Infinity", None, 3.0]
    assert rows[0]["time"] == datetime.fromtimestamp(START + 1, UTC).isoformat().replace("+00:00", "Z")
    trials = [json.loads(line) for line in exported(capsys, filled, "--format", "jsonl").splitlines()]
    assert trials[1]["hparams.mixed"] == HPARAMS[1]["mixed"]
    assert trials[1]["hparams.solver"] is None
    assert "hparams.nesterov" not in trials[1]


def test_a_large_experiment_is_written_in_groups(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export_module, "_ROWS", 5)
    path = tmp_path / "reports.parquet"
    exported(capsys, filled, "--what", "reports", "--out", str(path))
    read = pq.ParquetFile(path).metadata
    assert [read.row_group(n).num_rows for n in range(read.num_row_groups)] == [5, 5, 2]


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_an_experiment_without_reports_is_a_file_without_rows(
    ledger: Ledger, database_url: str, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.commit(created())
    path = tmp_path / f"reports.{form}"
    assert exported(capsys, database_url, "--what", "reports", "--out", str(path)).startswith("0 reports")
    header = "trial_id,resource,time,token,sequence\r\n"
    assert form == "parquet" or path.read_bytes().decode() == {"csv": header, "jsonl": ""}[form]


def test_an_export_of_a_thinned_experiment_says_what_is_not_in_it(
    filled: str, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thinning = ThinningRow(1, 0, 0, 0, START, None)
    ledger.commit(Changes(new_thinnings=[thinning]))
    assert ledger.thin(thinning, [Span(1, 1, 2, 4)], 2, finished=True)
    told = exported(capsys, filled, "--what", "reports", "--out", str(tmp_path / "reports.csv"))
    assert told.startswith("9 reports of experiment 1")
    assert told.endswith("3 more had been dropped when it was thinned\n")
    assert "dropped" not in exported(capsys, filled, "--out", str(tmp_path / "trials.csv"))


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("mine")
    assert "exists already" in exported(capsys, filled, "--out", str(path), code=2)
    assert path.read_text() == "mine"
    exported(capsys, filled, "--out", str(path), "--force")
    assert len(path.read_text().splitlines()) > 2


def test_what_fails_leaves_no_file(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "reports.parquet")
    assert execute(["export", "7", "--out", path, "--db", filled]) == 1
    assert "there is no experiment 7" in capsys.readouterr().err
    monkeypatch.setattr(export_module, "MAX_NAMES", 1)
    assert "--format jsonl has no columns" in exported(capsys, filled, "--what", "reports", "--out", path, code=1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'rungmaster[parquet]'" in exported(capsys, filled, "--out", path, code=1)
    assert "which format?" in exported(capsys, filled, "--out", str(tmp_path / "reports"), code=2)
    assert "name a file" in exported(capsys, filled, "--format", "parquet", code=2)
    assert [one.name for one in tmp_path.iterdir() if "reports" in one.name] == []


VALUES = st.floats() | st.integers(-(2**53), 2**53) | st.booleans() | st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=5))
def test_nothing_is_lost_in_csv_and_json_lines(rows: list[list[Any]]) -> None:
    written = "".join(csv_rows(["a", "b", "c"], rows))
    read = list(csv.reader(io.StringIO(written, newline="")))
    assert len(read) == len(rows) + 1
    for row, cells in zip(rows, read[1:], strict=True):
        for value, cell in zip(row, cells, strict=True):
            if isinstance(value, float):
                assert repr(float(cell)) == repr(value)
            elif isinstance(value, str):
                assert cell == value or (cell == f"'{value}" and value[0] in "=+-@\t\r")
                assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
            else:
                assert json.loads(cell) == value
    for row in rows:
        found = json.loads(json_object(dict(zip("abc", row, strict=True))))
        for value, name in zip(row, "abc", strict=True):
            same = float(found[name]) if isinstance(value, float) else found[name]
            assert repr(same) == repr(value)
