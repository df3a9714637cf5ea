"""What ends a search early is told in the same words before it begins and while it runs."""

from __future__ import annotations

from unit.master_harness import make_spec

from rungmaster.shared.text.stop_limits import limits_told

STOP = {"metric": 0.01, "time": 5_400, "resource": 20_000}


def test_a_plan_tells_each_limit() -> None:
    assert make_spec(stop=STOP).limits == (
        "error at most 0.01",
        "1h30m since its submission",
        "20,000 units of all trials together",
    )
    assert make_spec().limits == ()


def test_where_more_is_better_a_metric_has_to_be_at_least_what_is_asked_for() -> None:
    assert limits_told({"metric": 0.9}, "accuracy", "maximize", "steps") == ["accuracy at least 0.9"]


def test_how_far_a_limit_is_stands_after_it() -> None:
    told = limits_told(STOP, "loss", "minimize", "steps", {"metric": "best 0.2", "resource": "12"})
    assert told == [
        "loss at most 0.01 (best 0.2)",
        "1h30m since its submission",
        "20,000 steps of all trials together (12)",
    ]
