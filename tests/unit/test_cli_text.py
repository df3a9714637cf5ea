"""What people read: numbers, tables, progress and events."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from rich.console import Console

from rungmaster.client.cli import event_text, text
from rungmaster.client.cli.live.display import LiveDisplay
from rungmaster.client.cli.live.symbols import BLOCKS
from rungmaster.client.cli.progress import PlainDisplay
from rungmaster.client.cli.troubles import trouble_lines
from rungmaster.client.follow import Snapshot
from rungmaster.shared.wire.model import (
    Bracket,
    Event,
    Experiment,
    ExperimentState,
    Rung,
    ScheduleEntry,
    TrialInfo,
    TrialState,
    Trouble,
)

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
BEST = TrialInfo(
    1,
    17,
    TrialState.COMPLETED,
    {"rate": 0.012345678, "solver": "adam"},
    0,
    1,
    27,
    27,
    0.0111,
    27,
    0,
    0,
    "",
    START,
    None,
    "",
    best_metric=0.0111,
    best_resource=27,
)
SEARCH = Experiment(
    experiment_id=1,
    name="digits",
    state=ExperimentState.ACTIVE,
    state_reason="",
    metric="error",
    goal="minimize",
    unit="epochs",
    create_time=START,
    end_time=None,
    trial_counts={TrialState.RUNNING: 4, TrialState.PAUSED: 6, TrialState.FAILED: 1, TrialState.DISCARDED: 2},
    planned_trials=64,
    resource_spent=216,
    resource_full=1728,
    brackets=(Bracket(0, 64, None, 11, (Rung(0, 9, 10, 3, 1, 0.05), Rung(1, 27, 2, 0, 0, 0.0111))),),
    best_trial=BEST,
    leading_trial=BEST,
    furthest_trial=BEST,
)


def event(kind: str, trial: int | None = 7, **data: Any) -> Event:
    return Event(5, 1, trial, START, kind, data)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (42.9, "0:42"), (125, "2:05"), (3725, "1:02:05"), (-1, "0:00")]
)
def test_durations_are_short(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), (0.1234567, "0.123457"), (3.0, "3"), (1e-9, "1e-09")])
def test_numbers_have_six_digits(value: float | None, shown: str) -> None:
    assert text.number(value) == shown


def test_counts_leave_out_what_was_discarded_and_replaced() -> None:
    assert text.counts(SEARCH) == "11 of 64 trials: 4 running, 6 paused, 1 failed, 2 discarded"


def test_a_table_is_aligned() -> None:
    rows = [("1", "a"), ("100", "long words")]
    assert list(text.table(("id", "name"), rows, left=frozenset({1}))) == [
        " id  name",
        "  1  a",
        "100  long words",
    ]


def test_an_empty_table_is_its_header() -> None:
    assert list(text.table(("id", "name"), [])) == ["id  name"]


def test_a_long_table_comes_while_it_is_fetched_and_has_one_header() -> None:
    fetched = count()
    rows = ((str(next(fetched)),) for _ in range(2500))
    lines = text.table(("id",), rows)
    assert next(lines).strip() == "id"
    assert next(fetched) == 1000
    assert len(list(lines)) == 2500


def test_the_end_tells_what_was_saved() -> None:
    assert text.saved(SEARCH) == (
        "trained 216 epochs instead of 1,728 for every trial in full: 87.5% saved, 8.0 times less"
    )
    assert text.saved(replace(SEARCH, resource_spent=0)) == "trained 0 epochs; every trial in full would be 1,728"


def test_an_overview_has_rungs_and_the_best_trial() -> None:
    ended = replace(SEARCH, state=ExperimentState.COMPLETED, end_time=START + timedelta(seconds=83))
    lines = text.overview(ended, START, other_metrics={"test_accuracy": 0.9833})
    assert lines[0] == "experiment 1 (digits) completed, 1:23"
    assert "      0     1      27        2         0       0      0.0111" in lines
    assert lines[-5:] == [
        "best error 0.0111 (trial 17 at 27 epochs)",
        "  test_accuracy 0.9833",
        "with",
        "  rate    0.012345678",
        "  solver  adam",
    ]


def test_an_overview_tells_of_the_best_of_any_report_and_of_those_trained_furthest() -> None:
    leading = replace(BEST, trial_id=3, metric=0.05, metric_resource=9, best_metric=0.009, best_resource=5)
    furthest = replace(BEST, best_metric=0.0100, best_resource=20)
    both = replace(SEARCH, best_trial=leading, leading_trial=leading, furthest_trial=furthest)
    assert text.best_lines(both) == [
        "best error of those trained furthest 0.0111 (trial 17 at 27 epochs)",
        "best error 0.009 (trial 3 at 5 epochs)",
    ]
    by_the_last = replace(both, best_by="last", best_trial=furthest)
    assert text.best_lines(by_the_last) == [
        "best error of any report 0.009 (trial 3 at 5 epochs)",
        "best error 0.0111 (trial 17 at 27 epochs)",
    ]
    assert text.best_so_far(by_the_last) == "best error 0.009 (trial 3 at 5 epochs)"


def test_a_trial_has_its_best_result_and_its_last_one() -> None:
    trial = replace(BEST, best_metric=0.009, best_resource=5)
    lines = text.trial_lines(SEARCH, trial, {})
    assert lines[2:4] == ["error 0.009 at 5 epochs", "at its last rung error 0.0111 at 27 epochs"]
    lines = text.trial_lines(replace(SEARCH, best_by="last"), trial, {})
    assert lines[2:4] == ["error 0.0111 at 27 epochs", "its best error 0.009 at 5 epochs"]


def test_a_trial_is_told_with_the_origin_of_its_hyperparameters() -> None:
    assert "hyperparameters from: random" in text.trial_lines(SEARCH, replace(BEST, origin="random"), {})
    of_an_older_master = text.trial_lines(SEARCH, replace(BEST, origin=""), {})
    assert [line for line in of_an_older_master if "from:" in line] == []


def test_an_overview_tells_how_far_each_limit_is() -> None:
    limits = {"metric": 0.01, "time": 5_400, "resource": 20_000}
    lines = text.overview(replace(SEARCH, spec={"stop": limits}), START + timedelta(minutes=10))
    assert (
        "ends earlier at: error at most 0.01 (best 0.0111), or 1h30m since its submission (10:00), "
        "or 20,000 epochs of all trials together (216)"
    ) in lines
    none = {"metric": None, "time": None, "resource": None}
    assert not [line for line in text.overview(replace(SEARCH, spec={"stop": none}), START) if "earlier" in line]


def test_an_overview_tells_what_is_wrong_with_a_sampler_while_the_search_runs() -> None:
    problem = "the sampler is broken: it exited with 1\nTraceback\nKeyError: \x1b[31m'lr'"
    broken = replace(SEARCH, sampler_problem=problem)
    told = [line for line in text.overview(broken, START) if "sampler" in line or "Error" in line or "Trace" in line]
    first = "its trials are drawn at random: the sampler is broken: it exited with 1"
    assert told == [first, "  Traceback", "  KeyError: \\x1b[31m'lr'"]
    ended = replace(broken, state=ExperimentState.COMPLETED, end_time=START)
    assert not [line for line in text.overview(ended, START) if "sampler" in line]


def test_a_trial_that_waits_for_its_hyperparameters_says_so() -> None:
    reason = "waits for its hyperparameters"
    waiting = replace(BEST, state=TrialState.PENDING, state_reason=reason, hparams={}, origin="", metric=None)
    assert text.trial_row(waiting)[-1] == reason
    assert "with" not in text.trial_lines(SEARCH, waiting, {})


def test_why_a_search_ended_early_is_in_its_heading() -> None:
    ended = replace(SEARCH, state=ExperimentState.COMPLETED, state_reason="1h have passed since it was submitted")
    assert text.heading(ended, START) == (
        "experiment 1 (digits) completed (1h have passed since it was submitted), 0:00"
    )
    assert text.heading(replace(ended, state_reason="the search has ended"), START) == (
        "experiment 1 (digits) completed, 0:00"
    )


def test_a_trial_with_a_parent_is_told_with_the_schedule_of_its_model() -> None:
    schedule = (ScheduleEntry(3, 0, 10, {"rate": 0.01}), ScheduleEntry(17, 10, 27, {"rate": 0.0123456789}))
    lines = text.trial_lines(SEARCH, replace(BEST, parent=3, start_resource=10, schedule=schedule), {})
    assert "parent: trial 3; started from its checkpoint at 10 epochs" in lines
    assert lines[-4:] == [
        "schedule of its model, in epochs",
        "  from  to  trial  hyperparameters",
        "     0  10      3  rate=0.01",
        "    10  27     17  rate=0.0123457",
    ]
    from_nothing = text.trial_lines(SEARCH, replace(BEST, parent=3), {})
    assert "parent: trial 3; started from nothing" in from_nothing


def test_an_overview_before_the_first_result_says_so() -> None:
    assert text.overview(replace(SEARCH, best_trial=None, leading_trial=None, brackets=()), START)[-1] == "no error yet"


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (
            event(
                "lease_ended", worker="w", outcome="failed", error="exited with code 1: ValueError: no\nTraceback\nbye"
            ),
            "trial 7 failed on w: exited with code 1: ValueError: no",
        ),
        (
            event("lease_ended", worker="w", outcome="cannot_start", error="no torch\nx"),
            "w cannot start trial 7: no torch",
        ),
        (event("lease_ended", worker="w", outcome="given_back"), None),
        (event("lease_ended", worker="w", outcome="expired"), "w was lost while it trained trial 7"),
        (event("lease_ended", worker="w", outcome="released"), None),
        (
            event("checkpoint_broken", worker="w", reason="the trial starts from nothing\nfile:///c: a is missing"),
            "trial 7 has a broken checkpoint: the trial starts from nothing",
        ),
        (event("trial_failed", reason="failed 3 times"), "trial 7 failed for good: failed 3 times"),
        (event("trial_discarded", reason="width 0"), "trial 7 was discarded: width 0"),
        (event("experiment_paused", None, reason=""), "experiment paused"),
        (event("decision", action="pause"), None),
    ],
)
def test_only_unusual_events_are_told(one: Event, line: str | None) -> None:
    assert event_text.noteworthy(one) == line


def test_every_event_has_a_line() -> None:
    line = event_text.event_line(
        event("decision", action="pause", metric=0.123456789, target=None, reason="rank 5\nof 18")
    )
    assert line.endswith(" 5 trial 7 decision action=pause metric=0.123457 reason=rank 5 of 18")
    assert event_text.event_line(event("experiment_created", None, name="digits")).endswith(
        " 5 experiment_created name=digits"
    )


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_progress_is_a_line_for_news_at_most_every_few_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    display = PlainDisplay(stream, clock)
    display.show(Snapshot(SEARCH, ()))
    better = replace(SEARCH, leading_trial=replace(BEST, best_metric=0.01))
    for clock.now, experiment in [(1.0, better), (2.0, better), (6.0, better), (12.0, better), (70.0, better)]:
        display.show(Snapshot(experiment, ()))
    lines = stream.getvalue().splitlines()
    assert [line.count("best error 0.01 ") for line in lines] == [0, 1, 1]


def test_plain_progress_tells_failures_at_once_but_not_a_flood_of_them() -> None:
    stream = io.StringIO()
    causes = ("memory", "disk", "time", "luck", "ideas", "paper", "ink", "tea", "patience")
    failures = tuple(event("trial_failed", number, reason=f"out of {cause}") for number, cause in enumerate(causes))
    PlainDisplay(stream, Clock()).show(Snapshot(SEARCH, (), failures))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "trial 0 failed for good: out of memory"
    assert lines[5] == "… and 4 more events like these"
    assert len(lines) == 7


def test_plain_progress_tells_failures_that_are_alike_once_and_then_how_many_there_are() -> None:
    stream = io.StringIO()
    display = PlainDisplay(stream, Clock())
    for number in range(25):
        error = f"exited with code 1: ValueError: {number} is odd (train.py, line 3)\nTraceback\n{number}"
        failed = event("lease_ended", number, worker="w", outcome="failed", error=error)
        display.show(Snapshot(SEARCH, (), (failed, event("experiment_paused", None, reason="once more"))))
    lines = [line for line in stream.getvalue().splitlines() if "failed on" in line]
    assert lines == [
        "trial 0 failed on w: exited with code 1: ValueError: 0 is odd (train.py, line 3)",
        "trial 9 failed on w: exited with code 1: ValueError: 9 is odd (train.py, line 3) (the like 10 times by now)",
    ]
    assert stream.getvalue().count("once more") == 25, "what people do is told each time"


def test_what_went_wrong_is_told_at_the_end_with_how_often() -> None:
    assert trouble_lines([]) == []
    assert trouble_lines(
        [
            Trouble("trial_failed", 3, "failed once with: killed by SIGKILL", 4),
            Trouble("failed", 1, "exited with code 3", 2),
            Trouble("worker_fault", 2, "disk full", 5),
            Trouble("no_checkpoint", 2, "", 1),
            Trouble("something_newer", 2, "odd", 1),
        ]
    ) == [
        "3 trials failed (first trial 4): failed once with: killed by SIGKILL",
        "1 attempt failed and was repeated (trial 2): exited with code 3",
        "2 times a worker could not go on (first trial 5): disk full",
        "2 trials that were trained in full have no checkpoint (first trial 1)",
        "2 times something_newer (first trial 1): odd",
    ]
    many = [Trouble("failed", 2, f"cause {n}", n) for n in range(30)]
    assert trouble_lines(many)[-1] == "… and 40 more of 20 other kinds"


def test_progress_tells_that_the_master_is_away() -> None:
    stream = io.StringIO()
    PlainDisplay(stream, Clock()).show(Snapshot(SEARCH, (), (), away_s=75))
    assert "the master has not answered for 1:15" in stream.getvalue()


def test_a_trial_that_was_trained_furthest_and_has_no_result_there_is_not_told_as_the_best() -> None:
    failed = replace(BEST, trial_id=3, metric=None)
    assert "of those trained furthest" not in "\n".join(text.best_lines(replace(SEARCH, furthest_trial=failed)))
    worse = replace(BEST, trial_id=3, metric=0.5)
    assert "of those trained furthest 0.5" in "\n".join(text.best_lines(replace(SEARCH, furthest_trial=worse)))


def test_nothing_that_progress_shows_acts_on_the_terminal() -> None:
    hostile = "a\x1b]0;title\x07\rb\x9b\u202e\u2028"
    best = replace(BEST, hparams={hostile: hostile})
    named = replace(SEARCH, name=hostile, metric=hostile, unit=hostile, best_trial=best, leading_trial=best)
    snapshot = Snapshot(named, (), (event("trial_failed", reason=hostile), event("lease_ended", outcome="expired")))
    console, stream = Console(file=io.StringIO(), force_terminal=True, width=100, height=40), io.StringIO()
    live = LiveDisplay(console, BLOCKS)
    for display in (live, PlainDisplay(stream, Clock())):
        display.say(hostile)
        display.show(snapshot)
    live.close(leave=True)
    assert isinstance(console.file, io.StringIO)
    for shown in (console.file.getvalue(), stream.getvalue()):
        assert r"a\x1b]0;title\x07\rb\x9b\u202e\u2028" in shown
        assert not set("\x07\x9b\u202e\u2028") & set(shown)
        assert "\x1b]" not in shown
