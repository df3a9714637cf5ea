"""The benchmarks' own arithmetic and pages, and those that need no processes, on tiny sizes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bench_ledger
import bench_search
import page
import run
from figures import Figure, Plot, Result, median_ratio, quantile, result_from_json

FIGURES = [
    Figure("reports", 800.0, "reports/s", floor=1000.0, floor_name="echo", peer=4.0, peer_name="Other", met=True),
    Figure("latency", 2.0, "ms", higher_is_better=False, floor=1.0, peer=8.0, aim="3× bare", met=False),
]


def result(name: str = "throughput") -> Result:
    plot = Plot("Reports", "in a message", "a second", {"master": [(1.0, 10.0), (10.0, 50.0)]})
    return Result(name, "What it measures.", list(FIGURES), [plot], ["a note"])


def test_a_peer_is_beaten_by_more_of_what_is_good_and_by_less_of_what_is_bad() -> None:
    assert [figure.to_floor for figure in FIGURES] == [0.8, 2.0]
    assert [figure.to_peer for figure in FIGURES] == [200.0, 4.0]


def test_the_ratio_of_interleaved_rounds_is_not_that_of_their_sums() -> None:
    assert median_ratio([5, 50, 500], [10, 50, 1000]) == 0.5
    figure = Figure("reports", 800.0, "reports/s", floor=1000.0, floor_ratio=0.9)
    assert figure.to_floor == 0.9


def test_quantiles_are_values_that_were_measured() -> None:
    assert [quantile([4.0, 1.0, 3.0, 2.0], share) for share in (0, 0.5, 0.99, 1)] == [1, 3, 4, 4]


def test_the_table_and_the_page_tell_every_figure(tmp_path: Path) -> None:
    page.write_page([result()], tmp_path, "load average 0.1")
    for text in (page.table([result()]), (tmp_path / "README.md").read_text()):
        assert "800 reports/s" in text
        assert "1,000 (echo)" in text
        assert "3× bare: not met" in text
    assert (tmp_path / "throughput-1.svg").exists() == bool(pytest.importorskip("matplotlib"))


def test_results_of_benchmarks_that_were_not_run_again_stay(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([result("latency").as_json(), result().as_json()]))
    again = result()
    again.notes = ["newer"]
    kept = run.merged([again], path)
    assert [each.benchmark for each in kept] == ["throughput", "latency"]
    assert kept[0].notes == ["newer"]
    assert result_from_json(kept[1].as_json()) == result("latency")


@pytest.mark.parametrize("module", [bench_search, bench_ledger], ids=["search", "ledger"])
def test_what_needs_no_processes_runs_on_tiny_sizes(module: object) -> None:
    found = module.measure(module.QUICK)  # pyright: ignore[reportAttributeAccessIssue]
    assert found.figures
    assert all(figure.value > 0 for figure in found.figures)
    assert "How it could mislead:" in found.text
