"""The picture of a search that runs: it fits every window, whatever users wrote, and shows what matters most."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from rungmaster.client.best_curve import BestCurve
from rungmaster.client.cli.live.display import LiveDisplay, rendered
from rungmaster.client.cli.live.estimate import Pace, about, expected_total, rate_told, seconds_left
from rungmaster.client.cli.live.lines import cells, cut, fold, plain, width_of
from rungmaster.client.cli.live.picture import View, draw
from rungmaster.client.cli.live.sparkline import sparkline
from rungmaster.client.cli.live.symbols import ASCII, BLOCKS, symbols_for
from rungmaster.client.follow import Snapshot
from rungmaster.shared.text.visible import HIDDEN
from rungmaster.shared.wire.model import Bracket, ExperimentState, Rung, Worker, WorkerState

from .test_cli_text import BEST, SEARCH, START, Clock, event

WRITTEN = st.text(st.sampled_from([*"ab  \x1b\x07\r\n\t\u202e\u2028", *"日本🙂é❤\ufe0f\u0301"]), max_size=40)
COUNTS = st.integers(0, 10**6)


@st.composite
def rungs(draw: Any) -> Rung:
    entered = draw(COUNTS)
    promoted, failed = draw(st.integers(0, entered)), draw(st.integers(0, entered))
    return Rung(0, draw(COUNTS), entered, promoted, failed, draw(st.none() | st.floats()))


@st.composite
def views(draw: Any) -> View:
    """Of any search at all."""
    brackets = [
        Bracket(number, draw(COUNTS), None, 1, tuple(draw(st.lists(rungs(), min_size=1, max_size=4))))
        for number in range(draw(st.integers(0, 4)))
    ]
    best = replace(BEST, hparams=draw(st.dictionaries(WRITTEN, WRITTEN | st.floats() | st.lists(WRITTEN), max_size=6)))
    experiment = replace(
        SEARCH,
        name=draw(WRITTEN),
        metric=draw(WRITTEN),
        unit=draw(WRITTEN),
        brackets=tuple(
            replace(bracket, rungs=tuple(replace(rung, rung_id=place) for place, rung in enumerate(bracket.rungs)))
            for bracket in brackets
        ),
        best_trial=draw(st.sampled_from([None, best])),
        state=draw(st.sampled_from(ExperimentState)),
        sampler_problem=draw(WRITTEN),
        spec={"stop": {"resource": draw(st.none() | COUNTS)}},
        planned_trials=draw(COUNTS),
        resource_full=draw(COUNTS),
    )
    return View(
        experiment,
        START + timedelta(seconds=draw(COUNTS)),
        draw(st.none() | st.just((WORKER,))),
        draw(st.sampled_from([0.0, 75.0])),
        draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=80)),
        draw(st.none() | st.floats(0, 1e9)),
        draw(st.none() | st.floats(0, 1e9)),
        draw(st.lists(WRITTEN, max_size=5)),
    )


WORKER = Worker("s", "w", "h", 1, "0", 4, 3, (), {}, WorkerState.CONNECTED, START, (), "")
RUNNING = replace(SEARCH, spec={"searcher": {"divisor": 3}})
VIEW = View(
    RUNNING, START + timedelta(seconds=83), (WORKER,), curve=(0.9, 0.5, 0.1, 0.05, 0.0111), rate=2.6, left_s=150.0
)


def drawn(view: View, width: int, height: int, **how: Any) -> list[str]:
    return [plain(line) for line in draw(view, width, height, **how)]


@given(views(), st.integers(2, 200), st.integers(1, 60), st.sampled_from([BLOCKS, ASCII]))
def test_it_fits_the_window_and_nothing_in_it_acts(view: View, width: int, height: int, symbols: Any) -> None:
    lines = draw(view, width, height, symbols)
    assert 1 <= len(lines) <= height
    assert all(width_of(line) <= width for line in lines)
    assert not HIDDEN.search("".join(map(plain, lines)))
    assert symbols is BLOCKS or "".join(map(plain, lines)).isascii()


@given(views(), st.integers(20, 120), st.integers(5, 50))
def test_rich_breaks_none_of_its_lines(view: View, width: int, height: int) -> None:
    lines = draw(view, width, height)
    console = Console(file=io.StringIO(), width=width, height=height)
    assert len(console.render_lines(rendered(lines), pad=False)) == len(lines)
    assert all(cell_len(plain(line)) <= width for line in lines)


@given(WRITTEN.map(BLOCKS.shown), st.integers(2, 30), st.integers(0, 8))
def test_what_is_folded_is_all_there(words: str, width: int, indent: int) -> None:
    lines = fold(((words, "bold"),), width, indent)
    assert all(width_of(line) <= width for line in lines)
    assert "".join("".join(map(plain, lines)).split()) == "".join(words.split())


@given(WRITTEN.map(BLOCKS.shown), st.integers(0, 30))
def test_what_is_cut_fits(words: str, width: int) -> None:
    assert cells(cut(words, width, "…")) <= width
    assert cut(words, cells(words), "…") == words


def test_a_wide_window_has_it_all() -> None:
    lines = drawn(VIEW, 100, 40)
    assert lines[0] == "experiment 1 (digits) active, 1:23"
    assert lines[1:5] == [
        "trials   ███·············  11 of 64: 4 running, 6 paused, 1 failed, 2 discarded",
        "trained  ████············  216 of about 960 epochs (1,728 for all in full)",
        "slots    ████████████····  1 worker, 3 of 4 slots in use",
        "rate     2.6 epochs/s, about 2 min left",
    ]
    assert re.search(r"^      0       9  █+▒+x·+ +10   3       1        0.05$", lines[7])
    assert lines[-4:] == [
        "",
        "best error 0.0111 (trial 17 at 27 epochs)",
        "  0.9 █▇▅▃▁ 0.0111",
        "  rate 0.0123457  solver adam",
    ]


@pytest.mark.parametrize("height", range(4, 30))
@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_best_and_its_hyperparameters_are_in_every_window(width: int, height: int) -> None:
    lines = drawn(VIEW, width, height)
    assert "best error 0.0111" in " ".join(lines)
    assert "solver adam" in " ".join(lines)
    assert ("bracket" in " ".join(lines)) == (height >= (11 if width > 60 else 14))


def test_many_hyperparameters_leave_room_for_the_rungs_and_say_where_the_others_are() -> None:
    best = replace(BEST, hparams={f"name_{number}": number for number in range(100)})
    lines = drawn(replace(VIEW, experiment=replace(SEARCH, best_trial=best)), 80, 24)
    assert len(lines) == 24
    assert "bracket" in "".join(lines)
    assert lines[-1] == "  … (rungmaster best 1)"


def test_ascii_has_signs_of_its_own() -> None:
    lines = drawn(VIEW, 100, 40, symbols=ASCII)
    assert lines[1].startswith("trials   ###.............  11 of 64")
    assert any(re.fullmatch(r"  0\.9 [_.\-=+*#]{5} 0\.0111", line) for line in lines)


@pytest.mark.parametrize(
    ("encoding", "variables", "symbols"),
    [
        ("utf-8", {}, BLOCKS),
        ("utf-8", {"LANG": "de_DE.UTF-8"}, BLOCKS),
        ("utf-8", {"LANG": "C"}, ASCII),
        ("utf-8", {"LANG": "C", "LC_ALL": "C.UTF-8"}, BLOCKS),
        ("utf-8", {"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, ASCII),
        ("iso-8859-1", {"LANG": "de_DE"}, ASCII),
        ("ascii", {}, ASCII),
    ],
)
def test_block_elements_are_for_those_who_have_them(encoding: str, variables: dict[str, str], symbols: Any) -> None:
    assert symbols_for(io.TextIOWrapper(io.BytesIO(), encoding), variables) is symbols


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=100), st.integers(1, 60))
def test_a_sparkline_is_as_high_as_its_values(values: list[float], width: int) -> None:
    signs = sparkline(values, width, BLOCKS.heights)
    assert len(signs) == min(width, len(values))
    assert set(signs) <= set(BLOCKS.heights)
    if len(values) <= width:
        order = sorted(range(len(values)), key=values.__getitem__)
        heights = [BLOCKS.heights.index(signs[place]) for place in order]
        assert heights == sorted(heights)


def test_values_that_are_far_apart_are_drawn_by_their_logarithms() -> None:
    assert sparkline([1000.0, 100.0, 10.0, 1.0], 10, BLOCKS.heights) == "█▆▃▁"
    assert sparkline([4.0, 3.0, 2.0, 1.0], 10, BLOCKS.heights) == "█▆▃▁"
    assert sparkline([0.5, 0.5], 10, BLOCKS.heights) == "▁▁"
    assert sparkline([], 10, BLOCKS.heights) == ""


def with_rungs(*rungs: Rung, max_trials: int = 27) -> Any:
    spec = {"searcher": {"divisor": 3}}
    return replace(SEARCH, brackets=(Bracket(0, max_trials, None, 1, rungs),), spec=spec, resource_spent=10)


def test_what_is_to_train_is_told_from_the_divisor_and_then_from_what_went_on() -> None:
    begun = with_rungs(Rung(0, 1), Rung(1, 3), Rung(2, 9))
    assert expected_total(begun) == 27 * 1 + 9 * 2 + 3 * 6
    half = with_rungs(Rung(0, 1, entered=8, promoted=4), Rung(1, 3, entered=3), Rung(2, 9))
    assert expected_total(half) == round(27 * 1 + 13.5 * 2 + 4.5 * 6)
    ended = with_rungs(Rung(0, 1, 27, 10), Rung(1, 3, 10, 4), Rung(2, 9, 4))
    assert expected_total(ended) == 27 * 1 + 10 * 2 + 4 * 6
    assert expected_total(replace(begun, brackets=())) is None
    limited = replace(begun, spec={"searcher": {"divisor": 3}, "stop": {"resource": 20}})
    assert expected_total(limited) == 20


def test_a_searcher_that_trains_every_trial_in_full_has_all_of_it_to_train() -> None:
    every = replace(with_rungs(Rung(0, 27, 3, 0)), spec={"searcher": {"name": "random"}})
    assert expected_total(every) == 27 * 27


def test_a_population_trains_as_much_as_its_trials_would_in_full_whatever_their_children() -> None:
    rungs = (Rung(0, 10, 4, 4), Rung(1, 20, 4, 2), Rung(2, 30))
    population = replace(with_rungs(*rungs, max_trials=12), spec={"searcher": {"name": "pbt", "population": 4}})
    assert expected_total(population) == 4 * 30
    lowest = [
        line for line in drawn(replace(VIEW, experiment=population), 80, 40) if line.startswith("      0      10")
    ]
    assert ["·" in line for line in lowest] == [False]


def test_the_time_left_is_known_only_while_it_trains() -> None:
    search = with_rungs(Rung(0, 1), Rung(1, 3), Rung(2, 9))
    assert seconds_left(search, 0.5, 0.0) == pytest.approx((63 - 10) / 0.5)
    assert seconds_left(search, None, 0.0) is None
    assert seconds_left(search, 0.0, 0.0) is None
    assert seconds_left(replace(search, state=ExperimentState.PAUSED), 0.5, 0.0) is None
    timed = replace(search, spec={**search.spec, "stop": {"time": 60}})
    assert seconds_left(timed, 0.5, 50.0) == 10.0


def test_the_rate_is_that_of_the_last_minute() -> None:
    pace = Pace()
    for second in range(300):
        pace.add(second, replace(SEARCH, resource_spent=second if second < 200 else 200 + (second - 200) * 3))
    assert pace.rate(299.0) == pytest.approx(3.0)
    assert pace.rate(359.0) == pytest.approx(3 / 4), "it falls while nothing is reported"
    pace.add(400.0, replace(SEARCH, state=ExperimentState.PAUSED))
    assert pace.rate(400.0) is None


def test_the_rate_of_slow_reports_is_that_of_the_last_twenty() -> None:
    pace = Pace()
    for report in range(100):
        pace.add(report * 600.0, replace(SEARCH, resource_spent=report * 10))
    assert pace.rate(99 * 600.0) == pytest.approx(1 / 60)


def test_without_two_reports_there_is_no_rate() -> None:
    pace = Pace()
    for second, spent in ((0, 5), (10, 5), (20, 6)):
        assert pace.rate(second) is None
        pace.add(second, replace(SEARCH, resource_spent=spent))
    assert pace.rate(30) is None


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (3, "less than a minute"),
        (60, "about 1 min"),
        (150, "about 2 min"),
        (3599, "about 1 h"),
        (4900, "about 1 h 20 min"),
        (86_400, "about 1 d"),
        (100_000, "about 1 d 3 h"),
    ],
)
def test_a_guess_is_told_as_one(seconds: float, told: str) -> None:
    assert about(seconds) == told


@pytest.mark.parametrize(
    ("rate", "told"),
    [(7.44, "7.4 epochs/s"), (1234.5, "1,234 epochs/s"), (0.05, "3 epochs/min"), (0.001, "3.6 epochs/h")],
)
def test_a_rate_is_told_in_its_own_unit_of_time(rate: float, told: str) -> None:
    assert rate_told(rate, "epochs") == told


def test_the_curve_of_the_best_goes_by_what_was_trained() -> None:
    curve = BestCurve(NotImplemented, replace(SEARCH, resource_spent=0))
    assert curve.update(replace(SEARCH, resource_spent=0, leading_trial=None)) == ()
    for spent, value in ((1, 0.9), (2, 0.5), (3, 0.5), (9, 0.1)):
        leading = replace(BEST, best_metric=value)
        values = curve.update(replace(SEARCH, resource_spent=spent, leading_trial=leading))
    assert values == (0.9, *[0.5] * 7, 0.1)
    assert len(curve.update(replace(SEARCH, resource_spent=10**6, leading_trial=BEST))) == 64


def test_the_display_draws_in_place_and_says_above() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=40)
    display = LiveDisplay(console, BLOCKS, Clock())
    display.say("experiment 1 [digits] begins")
    display.show(Snapshot(SEARCH, (), (event("trial_failed", reason="out of memory"),)))
    display.close(leave=True)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    for words in ("[digits] begins", "11 of 64", "entered", "best error 0.0111", "solver", "out of memory"):
        assert words in shown


def test_a_smaller_window_is_cleared_and_what_was_said_stays() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=40)
    display = LiveDisplay(console, BLOCKS, Clock())
    display.say("experiment 1 begins")
    display.show(Snapshot(SEARCH, ()))
    assert isinstance(console.file, io.StringIO)
    before = len(console.file.getvalue())
    console.width = 60
    display.show(Snapshot(SEARCH, ()))
    display.close(leave=True)
    after = console.file.getvalue()[before:].partition("\x1b[2J")[2]
    assert 0 < after.index("experiment 1 begins") < after.index("best error")
