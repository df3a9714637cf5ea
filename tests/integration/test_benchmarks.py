"""The benchmarks that start real masters run, on tiny sizes; their numbers mean nothing here."""

from __future__ import annotations

import dataclasses

import pytest

import bench_ending
import bench_floors
import bench_growth
import bench_latency
import bench_metrics
import bench_recovery
import bench_retention
import bench_samplers
import bench_throughput


def test_reports_are_acknowledged_in_every_shape() -> None:
    found = bench_throughput.measure(bench_throughput.QUICK)
    # The CPU of so short a run may be less than what the system counts in.
    rates = [figure for figure in found.figures if figure.unit == "reports/s"]
    assert len(rates) == len(bench_throughput.SHAPES)
    assert all(figure.value > 0 and figure.floor and figure.peer for figure in rates)


def test_decisions_come_back_and_all_workers_stay() -> None:
    found = bench_latency.measure(bench_latency.QUICK)
    assert all(figure.value > 0 for figure in found.figures if figure.unit == "ms")


def test_growth_is_measured_on_databases_that_a_master_can_take_up() -> None:
    size = dataclasses.replace(bench_growth.QUICK, trials=(100,), experiments=2)
    found = bench_growth.measure(size)
    assert {figure.unit for figure in found.figures} == {"µs", "bytes", "ms"}


def test_thinning_and_deleting_are_measured_beside_a_search() -> None:
    found = bench_retention.measure(bench_retention.QUICK)
    assert all(figure.value > 0 for figure in found.figures)


def test_the_end_of_a_large_search_is_measured_beside_another() -> None:
    found = bench_ending.measure(bench_ending.QUICK)
    assert found.notes == []
    assert {figure.name.split(": ")[1]: figure.met for figure in found.figures}["changes of term"]


def test_a_busy_sampler_is_measured_beside_none() -> None:
    found = bench_samplers.measure(bench_samplers.QUICK)
    assert all(figure.value > 0 and figure.floor for figure in found.figures)


def test_what_was_killed_is_replaced() -> None:
    found = bench_recovery.measure(bench_recovery.QUICK)
    assert all(figure.value > 0 for figure in found.figures)


def test_a_master_is_measured_while_it_is_watched() -> None:
    found = bench_metrics.measure(bench_metrics.QUICK)
    assert all(figure.value > 0 for figure in found.figures if figure.unit != "µs")


@pytest.mark.parametrize("streams", [2])
def test_the_floors_are_there(streams: int) -> None:
    found = bench_floors.measure(bench_floors.Size(0.05, streams, postgresql=False))
    assert all(figure.value > 0 for figure in found.figures)
