"""Which reports stay when an experiment is thinned: judged from all of them at once, and by properties."""

from __future__ import annotations

import math
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.master.experiment.life.retention import Measured, Sieve, Span, spans, thinner
from rungmaster.master.search.interface import Goal
from rungmaster.shared.limits import MAX_KEEP_EVERY

METRICS = st.none() | st.floats() | st.integers(-3, 3).map(float)
#: By trial, for each of its leases the resources and metrics that were reported, with gaps where checkpoints were.
TRIALS = st.lists(
    st.lists(st.lists(st.tuples(st.integers(1, 2), st.integers(1, 9), METRICS), max_size=8), max_size=3), max_size=4
)
GOALS = st.sampled_from(Goal)
RUNGS = st.dictionaries(st.integers(0, 3), st.sets(st.integers(1, 9), max_size=3), max_size=4)
EVERY = st.integers(0, 5)


def reports_of(trials: list[list[list[tuple[int, int, float | None]]]]) -> list[Measured]:
    found = []
    for trial_id, leases in enumerate(trials):
        for token, lease in enumerate(leases, 1):
            sequence = 0
            for step, resource, metric in lease:
                sequence += step
                found.append(Measured(trial_id, token, sequence, resource, metric))
    return found


def thinned(
    reports: list[Measured], goal: Goal, rungs: dict[int, set[int]], every: int, start: int = 0
) -> list[Measured]:
    """What is left; trials below `start` are not looked at."""
    sieve, left = Sieve(goal, every), list(reports)
    for report in reports:
        if report.trial_id >= start:
            for gone in sieve.take(report, rungs.get(report.trial_id, set())):
                left.remove(gone)
    return left


def expected(reports: list[Measured], goal: Goal, rungs: dict[int, set[int]], every: int) -> list[Measured]:
    """The rule, said of all reports of a trial at once."""
    sign, kept = (1 if goal is Goal.MINIMIZE else -1), []
    for trial_id, group in groupby(reports, lambda report: report.trial_id):
        own = list(group)
        ranked = [report for report in own if report.metric is not None and math.isfinite(report.metric)]
        stays = {own[-1], *([min(ranked, key=lambda r: sign * (r.metric or 0.0))] if ranked else [])}
        stays |= {report for report in own if report.resource in rungs.get(trial_id, set())}
        stays |= {report for report in own if every and report.sequence % every == 0}
        kept += [report for report in own if report in stays]
    return kept


@settings(deadline=None)
@given(TRIALS, GOALS, RUNGS, EVERY)
def test_those_stay_that_decided_and_each_trials_best_and_last(
    trials: list, goal: Goal, rungs: dict[int, set[int]], every: int
) -> None:
    reports = reports_of(trials)
    assert thinned(reports, goal, rungs, every) == expected(reports, goal, rungs, every)


@settings(deadline=None)
@given(TRIALS, GOALS, RUNGS, EVERY, st.data())
def test_an_interruption_at_any_report_changes_nothing(
    trials: list, goal: Goal, rungs: dict[int, set[int]], every: int, data: st.DataObject
) -> None:
    reports = reports_of(trials)
    cut = data.draw(st.integers(0, len(reports)))
    left = [*thinned(reports[:cut], goal, rungs, every), *reports[cut:]]
    start = reports[cut - 1].trial_id if cut else 0
    assert thinned(left, goal, rungs, every, start) == expected(reports, goal, rungs, every)


@settings(deadline=None)
@given(TRIALS, GOALS, RUNGS, EVERY, EVERY)
def test_thinning_twice_leaves_what_both_keep(
    trials: list, goal: Goal, rungs: dict[int, set[int]], first: int, second: int
) -> None:
    reports = reports_of(trials)
    once = thinned(reports, goal, rungs, first)
    assert thinned(once, goal, rungs, first) == once
    assert thinned(once, goal, rungs, second) == expected(reports, goal, rungs, thinner(first, second))


@settings(deadline=None)
@given(TRIALS)
def test_spans_hold_every_report_once(trials: list) -> None:
    reports = reports_of(trials)
    held = [(s.trial_id, s.token, n) for s in spans(reversed(reports)) for n in range(s.first, s.last + 1)]
    assert held == [(report.trial_id, report.token, report.sequence) for report in reports]


def test_a_run_of_reports_is_one_span() -> None:
    reports = [Measured(7, 2, sequence, 1, None) for sequence in (1, 2, 3, 5, 6)]
    assert spans(reports) == [Span(7, 2, 1, 3), Span(7, 2, 5, 6)]


@pytest.mark.parametrize(
    ("before", "asked", "left"),
    [
        (None, 0, 0),
        (None, 10, 10),
        (10, 10, 10),
        (10, 20, 20),
        (10, 15, 30),
        (0, 10, 0),
        (10, 0, 0),
        (MAX_KEEP_EVERY, MAX_KEEP_EVERY - 1, 0),
    ],
)
def test_a_second_thinning_never_brings_a_report_back(before: int | None, asked: int, left: int) -> None:
    assert thinner(before, asked) == left
