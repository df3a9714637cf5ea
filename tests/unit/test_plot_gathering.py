"""Reports become curves and records: thinned where they are many, exact where it counts."""

from __future__ import annotations

import math

from rungmaster.plots.gathering import Gathering


def test_few_reports_stay_as_they_are() -> None:
    gathering = Gathering((1, 3), 1, 10)
    for resource, value in ((1, 0.5), (2, math.nan), (3, 0.25)):
        gathering.add(7, resource, value, resource * 2.0)
    curve = gathering.curves()[7]
    assert curve.resource.tolist() == [1, 2, 3]
    assert [str(value) for value in curve.value] == ["0.5", "nan", "0.25"]
    assert curve.time_s.tolist() == [2.0, 4.0, 6.0]


def test_of_many_reports_rungs_ends_and_the_best_stay() -> None:
    gathering = Gathering((101, 333), 1, 8)
    for resource in range(1, 1001):
        gathering.add(1, resource, 0.001 if resource == 497 else 1 / resource + 0.5, float(resource))
    kept = gathering.curves()[1].resource.tolist()
    assert {1, 101, 333, 497, 1000} <= set(kept)
    assert len(kept) <= 17


def test_training_that_is_repeated_takes_the_place_of_what_it_repeats_and_is_spent_once() -> None:
    gathering = Gathering((), 1, 100)
    for resource, value in ((1, 0.9), (2, 0.8), (3, 0.7), (2, 0.85), (3, 0.75), (4, 0.6)):
        gathering.add(1, resource, value, 0.0)
    curve = gathering.curves()[1]
    assert curve.resource.tolist() == [1, 2, 3, 4]
    assert curve.value.tolist() == [0.9, 0.85, 0.75, 0.6]
    assert gathering.spent == 4


def test_a_trial_that_goes_on_from_a_checkpoint_spends_only_what_it_trains_itself() -> None:
    gathering = Gathering((), 1, 100)
    gathering.starts[5] = 10
    gathering.add(5, 12, 0.5, 0.0)
    assert gathering.spent == 2


def test_records_are_the_results_better_than_all_before_whichever_way_is_better() -> None:
    values = [(1, 0.5), (2, 0.7), (3, math.inf), (4, 0.4), (5, -math.inf), (6, 0.9)]
    for sign, expected in ((1, [0.5, 0.4]), (-1, [0.5, 0.7, 0.9])):
        gathering = Gathering((), sign, 100)
        for trial_id, value in values:
            gathering.add(trial_id, 1, value, float(trial_id))
        assert [record.value for record in gathering.records] == expected
        assert [record.spent for record in gathering.records] == [record.trial_id for record in gathering.records]


def test_a_report_without_the_metric_counts_as_training_and_as_no_result() -> None:
    gathering = Gathering((), 1, 100)
    gathering.add(1, 4, None, 0.0)
    assert gathering.spent == 4
    assert len(gathering.curves()[1]) == 0
