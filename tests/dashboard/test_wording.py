"""What pages say, without a page: numbers, the journal, filters, the table of trials, sparklines, lines of a spec."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from integration import small_master

from rungmaster.client.best_curve import best_so_far
from rungmaster.client.tables.cells import csv_rows
from rungmaster.client.tables.conditions import parse_conditions
from rungmaster.client.tables.trial_columns import columns_of
from rungmaster.dashboard.security.rate import RateLimit
from rungmaster.dashboard.wording import numbers
from rungmaster.dashboard.wording.best import best_forms, ranked
from rungmaster.dashboard.wording.journal import entry
from rungmaster.dashboard.wording.sparkline import sparkline
from rungmaster.dashboard.wording.spec_lines import place
from rungmaster.dashboard.wording.trial_table import TableQuery, page_of, select, shown_columns
from rungmaster.shared.errors import InvalidInput, InvalidSpec
from rungmaster.shared.spec.spec import parse_spec
from rungmaster.shared.wire.model import Event, TrialState

EXPERIMENT = small_master.experiment(1)
TRIALS = {number: small_master.trial(1, number) for number in range(7)}
COLUMNS = columns_of(EXPERIMENT, TRIALS.values())


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (7_500, "2 h 5 min"), (90_000, "1 d 1 h")],
)
def test_a_length_of_time_has_its_two_largest_units(seconds: float, told: str) -> None:
    assert numbers.duration(seconds) == told


def test_numbers_are_short_and_those_that_are_none_say_so() -> None:
    told = [numbers.number(value) for value in (0.0123456789, -1.5, math.nan, math.inf, None, 12_345)]
    assert told == ["0.012346", "−1.5", "not a number", "∞", "–", "12\u202f345"]


def test_the_journal_is_in_plain_words() -> None:
    data = {"action": "continue", "rung": 1, "resource": 3, "metric": 0.5, "target": 9, "reason": "rank 1 of 3"}
    event = Event(7, 1, 4, datetime.now(UTC), "decision", data)
    assert entry(event, "epochs") == ("goes on to 9 epochs (rung 1, 0.5 at 3 epochs)", "rank 1 of 3", "good")
    lost = replace(event, kind="lease_ended", data={"outcome": "expired", "worker": "gpu-1"})
    assert entry(lost, "epochs") == ("was lost with gpu-1", "", "bad")


def test_an_event_of_a_kind_that_is_not_known_is_told_with_its_particulars() -> None:
    event = Event(7, 1, None, datetime.now(UTC), "moon_landed", {"crew": 3, "why": ""})
    assert entry(event, "epochs") == ("moon landed", "crew 3", "")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("width >= 20", [4, 5, 6]),
        ("width<18,rate=0.5", [0, 1]),
        ("width != 16", [1, 2, 3, 4, 5, 6]),
        ("hparams.width = 16, state = paused", [0]),
        ("best < 0.2", [5, 6]),
        ("created >= 2026-11-24T12, trial > 5", [6]),
        ("created < 2026-11-24T12", []),
        ("ended != 0", []),
        ("", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_trials_are_filtered_by_what_their_columns_have(text: str, left: list[int]) -> None:
    query = TableQuery(conditions=parse_conditions(text, COLUMNS))
    assert sorted(trial.trial_id for trial in select(query, COLUMNS, TRIALS.values(), "minimize")) == left


def test_a_condition_on_a_value_that_is_no_number_is_about_its_text() -> None:
    values = {"none": None, "flag": True, "word": "7x"}
    columns = columns_of(EXPERIMENT, [replace(TRIALS[0], hparams=values)])
    trial = replace(TRIALS[0], hparams=values)
    for text in ("none = null", "flag = true", "word = 7x", "word = '7x'", "word != 7"):
        assert all(condition.holds(trial) for condition in parse_conditions(text, columns)), text
    for text in ("none = 0", "flag = 1", "word >= 7", "flag > false"):
        assert not any(condition.holds(trial) for condition in parse_conditions(text, columns)), text
    assert not parse_conditions("none = null", columns)[0].holds(TRIALS[0]), "it does not have it"


def test_a_filter_that_is_none_is_told() -> None:
    with pytest.raises(InvalidInput, match="'wide' is no condition"):
        parse_conditions("width > 3, wide", COLUMNS)
    with pytest.raises(
        InvalidInput, match='there is no column "widht"; did you mean "width"\\? There are trial, state, '
    ):
        parse_conditions("widht > 3", COLUMNS)


def test_the_best_come_first_and_those_without_a_result_last() -> None:
    trials = [*TRIALS.values(), replace(TRIALS[0], trial_id=7, best_metric=None)]
    order = [trial.trial_id for trial in select(TableQuery(), COLUMNS, trials, "minimize")]
    assert order == [6, 5, 4, 3, 2, 1, 0, 7]
    down = TableQuery(sort="best", descending=True)
    assert [trial.trial_id for trial in select(down, COLUMNS, trials, "minimize")] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_column_of_numbers_and_words_can_be_sorted() -> None:
    mixed = [replace(TRIALS[n], hparams={"width": value}) for n, value in enumerate((3, "auto", 1.5, None, True))]
    order = [trial.trial_id for trial in select(TableQuery(sort="hparams.width"), COLUMNS, mixed, "minimize")]
    assert order == [4, 2, 0, 1, 3]


def test_a_page_behind_the_last_is_the_last() -> None:
    page = page_of(TableQuery(page=9, size=3), list(TRIALS.values()))
    assert ([trial.trial_id for trial in page.rows], page.page, page.pages, page.total) == ([6], 3, 3, 7)


def test_the_csv_has_all_digits_and_no_formulas() -> None:
    trial = replace(TRIALS[2], hparams={"width": "=1+1", "rate": 1 / 3}, metric=math.inf, best_metric=math.nan)
    names = ("hparams.width", "hparams.rate", "created", "ended", "metric", "best")
    columns = shown_columns(TableQuery(columns=names), COLUMNS)
    rows = csv_rows([column.name for column in columns], [[column.value(trial) for column in columns]])
    assert list(rows) == [
        "trial,hparams.width,hparams.rate,created,ended,metric,best\r\n",
        "2,'=1+1,0.3333333333333333,2026-11-24T12:00:00Z,,inf,NaN\r\n",
    ]


def test_states_choose_trials() -> None:
    trials = [replace(TRIALS[0], state=TrialState.FAILED), TRIALS[1]]
    query = TableQuery(states=frozenset({TrialState.FAILED}))
    assert [trial.trial_id for trial in select(query, COLUMNS, trials, "minimize")] == [0]


def test_the_best_can_be_pasted_elsewhere() -> None:
    trial = replace(TRIALS[1], hparams={"rate": 1e-05, "name": "a b", "flag": True})
    forms = best_forms(trial)
    assert forms["YAML"] == "rate: 1.0e-05\nname: a b\nflag: true\n"
    assert forms["Command line"] == "--rate=1e-05 '--name=a b' --flag=true"
    assert "export RUNGMASTER_HPARAM_NAME='a b'\n" in forms["Environment"]
    assert [one.trial_id for one in ranked(EXPERIMENT, TRIALS.values())][:2] == [6, 5]


def test_a_sparkline_never_gets_worse() -> None:
    assert best_so_far([None, 3.0, math.nan, 5.0, 2.0], "minimize") == [3.0, 3.0, 3.0, 2.0]
    assert best_so_far([1.0, 3.0, 2.0], "maximize") == [1.0, 3.0, 3.0]
    assert sparkline([1.0], "x") == ""
    assert 'aria-label="best &lt;b&gt;"' in sparkline([3.0, 2.0, 1.0], "best <b>")


def test_the_problems_of_a_spec_stand_at_their_lines() -> None:
    text = "name: x\nunit: epochs\nsearcher:\n  name: asha\n  max_trials: 0\nmetric: {name: a, goal: minimize}\n"
    with pytest.raises(InvalidSpec) as caught:
        parse_spec(text)
    placed = {problem.path: problem.line for problem in place(text, caught.value.problems)}
    assert placed["searcher.max_trials"] == 5
    assert placed["hyperparameters"] == 1


def test_a_text_that_does_not_parse_says_at_which_line() -> None:
    text = "name: x\nunit: [\n"
    with pytest.raises(InvalidSpec) as caught:
        parse_spec(text, source="the spec")
    assert place(text, caught.value.problems)[0].line == 3


def test_attempts_are_limited_and_come_back() -> None:
    now = [0.0]
    limit = RateLimit(2, 60, lambda: now[0])
    assert [limit.take("a"), limit.take("a"), limit.take("b")] == [0.0, 0.0, 0.0]
    assert limit.take("a") == pytest.approx(1.0)
    now[0] = 1.0
    assert limit.take("a") == 0.0
