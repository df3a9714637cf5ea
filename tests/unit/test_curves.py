"""Curves and records that are made of columns of reports are those of the stream of the same reports, one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.master.ledger.read.curves import thinning
from rungmaster.master.ledger.read.curves.columns import MeasuredColumns, values_of
from rungmaster.master.ledger.read.curves.records import RecordFinder, Spending
from rungmaster.master.ledger.read.curves.thinning import ThinnedCurve, Thinner
from rungmaster.master.ledger.schema.values import dump_metrics
from rungmaster.plots.gathering import Gathering
from rungmaster.plots.history import Curve, Record

LEVELS = (1, 3, 9)
EVERYTHING = 10**6


@dataclass(frozen=True)
class One:
    """A report, as much of it as counts here; `commit` is the number of the commit that stored it."""

    trial: int
    token: int
    sequence: int
    commit: int
    resource: int
    value: float | None
    time_us: int

    @property
    def key(self) -> tuple[int, int, int]:
        return self.trial, self.token, self.sequence

    @property
    def position(self) -> tuple[int, int, int, int]:
        return self.commit, *self.key


@st.composite
def searches(draw: st.DrawFn) -> list[One]:
    """Reports of a few trials in the order in which they were stored; an older version stored the first of them.

    Training is repeated now and then, and some reports do not have the metric.
    """
    values = st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(width=32))
    told: list[One] = []
    next_of: dict[int, tuple[int, int, int]] = {}
    commit, old = 0, draw(st.integers(0, 6))
    for number in range(draw(st.integers(0, 40))):
        trial = draw(st.integers(0, 3))
        token, sequence, resource = next_of.get(trial, (1, 0, 0))
        if draw(st.integers(0, 7)) == 0:
            token, sequence, resource = token + 1, 0, draw(st.integers(0, resource))
        sequence, resource = sequence + 1, resource + draw(st.integers(1, 3))
        next_of[trial] = token, sequence, resource
        commit += number >= old and (commit == 0 or draw(st.booleans()))
        told.append(One(trial, token, sequence, commit, resource, draw(values), number * 1000))
    return sorted(told, key=lambda one: one.position)


def columns(reports: list[One], first: int) -> MeasuredColumns:
    whole = [[one.trial, one.resource, one.commit, first + n, one.time_us] for n, one in enumerate(reports)]
    trial, resource, commit, place, time_us = np.array(whole, np.int64).reshape(-1, 5).T
    value = np.array([math.nan if one.value is None else one.value for one in reports], float)
    there = np.array([one.value is not None for one in reports], bool)
    return MeasuredColumns(trial, resource, commit, place, time_us, value, there)


def pages(reports: list[One], size: int) -> list[MeasuredColumns]:
    """The reports in the order of their keys, some at a time."""
    ordered = sorted(reports, key=lambda one: one.key)
    return [columns(ordered[n : n + size], n) for n in range(0, len(ordered), size)]


def read(
    reports: list[One], sign: int, points: int, size: int, starts: dict[int, int]
) -> tuple[dict[int, ThinnedCurve], list[Record], int]:
    """Curves, records and what was trained in all, as a master reads them."""
    thinner, finder, curves = Thinner(LEVELS, sign, points, starts), RecordFinder(sign), []
    for page in pages(reports, size):
        finder.add(page)
        curves += thinner.add(page)
    curves += thinner.end()
    found = finder.found
    spending = Spending(found, starts)
    for page in pages(reports, size + 1):
        spending.add(page)
    rows = zip(
        *(each.tolist() for each in (found.time_us, spending.at_records, found.trial, found.resource, found.value)),
        strict=True,
    )
    records = [Record(time / 1e6, spent, trial, resource, value) for time, spent, trial, resource, value in rows]
    assert [curve.trial_id for curve in curves] == sorted({one.trial for one in reports}), "each trial once, in order"
    return {curve.trial_id: curve for curve in curves}, records, spending.total


def gathered(reports: list[One], sign: int, starts: dict[int, int], points: int = EVERYTHING) -> Gathering:
    """What comes of the stream of the same reports."""
    gathering = Gathering(LEVELS, sign, points)
    gathering.starts.update(starts)
    for one in reports:
        gathering.add(one.trial, one.resource, one.value, one.time_us / 1e6)
    return gathering


def best_of(curve: Curve, sign: int) -> float | None:
    finite = [sign * value for value in curve.value.tolist() if math.isfinite(value)]
    return min(finite, default=None)


STARTS = st.dictionaries(st.integers(0, 3), st.integers(1, 4), max_size=2)
SIGNS = st.sampled_from((1, -1))


@given(searches(), SIGNS, st.integers(1, 9), STARTS)
def test_records_and_what_was_trained_are_those_of_the_stream(
    reports: list[One], sign: int, size: int, starts: dict[int, int]
) -> None:
    _, records, total = read(reports, sign, 3, size, starts)
    expected = gathered(reports, sign, starts)
    assert records == expected.records
    assert total == expected.spent


@given(searches(), SIGNS, st.integers(1, 9), st.integers(1, 4), STARTS)
def test_of_each_curve_what_figures_need_is_left(
    reports: list[One], sign: int, size: int, points: int, starts: dict[int, int]
) -> None:
    curves, *_ = read(reports, sign, points, size, starts)
    for trial, whole in gathered(reports, sign, starts).curves().items():
        of_all = list(zip(whole.resource.tolist(), map(repr, whole.value.tolist()), strict=True))
        thin = curves[trial]
        left = list(zip(thin.resource.tolist(), map(repr, thin.value.tolist()), strict=True))
        assert set(left) <= set(of_all)
        assert left == of_all or len(left) >= points
        assert len(left) <= points + 2 + len(LEVELS)
        assert left[:1] == of_all[:1]
        assert left[-1:] == of_all[-1:]
        assert [each for each in left if each[0] in LEVELS] == [each for each in of_all if each[0] in LEVELS]
        assert best_of(Curve(thin.resource, thin.value, thin.time_us / 1e6), sign) == best_of(whole, sign)


@given(searches(), SIGNS, st.integers(1, 9), st.integers(0, 40), STARTS)
def test_who_goes_on_with_the_stream_where_the_curves_ended_misses_nothing_and_counts_nothing_twice(
    reports: list[One], sign: int, size: int, cut: int, starts: dict[int, int]
) -> None:
    commit = reports[cut].commit if cut < len(reports) else EVERYTHING
    before = [one for one in reports if one.commit <= commit]
    curves, records, total = read(before, sign, EVERYTHING, size, starts)
    going_on, expected = Gathering(LEVELS, sign, EVERYTHING), gathered(reports, sign, starts)
    going_on.starts.update(starts)
    for curve in curves.values():
        going_on.begin(curve.trial_id, curve.furthest, Curve(curve.resource, curve.value, curve.time_us / 1e6))
    going_on.begin_records(records, total)
    for one in reports[len(before) :]:
        going_on.add(one.trial, one.resource, one.value, one.time_us / 1e6)
    assert (going_on.records, going_on.spent) == (expected.records, expected.spent)
    assert going_on.curves().keys() == expected.curves().keys()
    for trial, whole in expected.curves().items():
        for name in ("resource", "value", "time_s"):
            assert np.array_equal(getattr(going_on.curves()[trial], name), getattr(whole, name), equal_nan=True)


def test_a_trial_of_more_reports_than_are_held_keeps_what_figures_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "HELD", 100)
    reports = [One(1, 1, n, n, n, 0.001 if n == 397 else 1 / n + 0.5, n) for n in range(1, 601)]
    # Then it was brought back, from so far that some of what is repeated is not held any more.
    reports += [replace(one, token=2, resource=one.resource + 450) for one in reports[:400]]
    curves, _, total = read(reports, 1, 20, 30, {})
    kept = curves[1].resource.tolist()
    assert {1, 3, 9, 397, 850} <= set(kept)
    assert kept == sorted(set(kept))
    assert 20 <= len(kept) <= 20 + 2 + len(LEVELS)
    assert max(after - before for before, after in pairwise(kept)) < 4 * 850 / 20, "evenly spaced, more or less"
    assert curves[1].furthest == total == 850


def test_metrics_are_read_as_they_were_written() -> None:
    documents: list[dict[str, float]] = [
        {"loss": 0.1, 'a,"loss': 7.0},
        {"loss": math.nan, "ä\n": 1e300},
        {"accuracy": 1.0},
        {"loss": -math.inf},
        {},
        {"loss": 3},
    ]
    values, there, names = values_of("\n".join(map(dump_metrics, documents)), "loss")
    assert [repr(value) for value in values.tolist()] == ["0.1", "nan", "nan", "-inf", "nan", "3.0"]
    assert there.tolist() == [True, True, False, True, False, True]
    assert names == {"loss", 'a,"loss', "ä\n", "accuracy"}
