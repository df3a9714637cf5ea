"""A rung keeps its results in order, whatever they are, and costs next to nothing however many they are."""

import math
import tracemalloc
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rungmaster.master.search.interface import Goal, SearchContext, Train
from rungmaster.master.search.registry import build_searcher
from rungmaster.master.search.rung import WORST, Content, RankedRung, Result
from rungmaster.shared.spec.searchers import AshaSpec

keys = st.one_of(st.sampled_from([0.0, -0.0, 0.5, 1.0, WORST]), st.floats(allow_nan=False, allow_infinity=False))
etas = st.fractions(min_value=Fraction(11, 10), max_value=8, max_denominator=10)


@given(st.lists(st.tuples(keys, st.booleans())), etas)
def test_a_rung_agrees_with_a_plain_sorted_list(steps: list[tuple[float, bool]], eta: Fraction) -> None:
    rung = RankedRung(4, eta, keeps_candidates=True)
    results: list[tuple[float, int]] = []
    promoted: set[int] = set()
    for trial, (key, promotes) in enumerate(steps):
        results = sorted([*results, (key, trial)])
        assert rung.enter((key, trial), resource=4 + trial % 2) == results.index((key, trial))
        top = results[: int(len(results) / eta)]
        free = [result for result in top if result[1] not in promoted and result[0] != WORST]
        assert rung.promotable() == (free[0] if free else None)
        if free and promotes:
            assert rung.promote(free[0]) == 4 + free[0][1] % 2
            promoted.add(free[0][1])
        rung.check()
    assert list(rung.results()) == results


class Counted(float):
    """A number that counts how often numbers of its kind are compared."""

    compared = 0

    def __lt__(self, other: float) -> bool:
        Counted.compared += 1
        return float(self) < float(other)

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return float(self) == other

    __hash__ = float.__hash__


def comparisons_a_decision(results: int) -> float:
    rung = RankedRung(1, Fraction(4), keeps_candidates=True)
    entered: list[Result] = [(Counted(i), i) for i in range(results)]
    rung.load(Content(entered, entered))
    Counted.compared = 0
    decisions = 200
    for i in range(decisions):
        rung.enter((Counted((i * 104_729) % results + 0.5), results + i), resource=1)
        best = rung.promotable()
        assert best is not None
        rung.promote(best)
    return Counted.compared / decisions


def test_a_rung_of_fifty_thousand_compares_little_more_than_one_of_a_thousand() -> None:
    few, many = comparisons_a_decision(1_000), comparisons_a_decision(50_000)
    assert many / few < math.log(50_000) / math.log(1_000) * 1.5


def test_a_paused_trial_takes_less_than_two_hundred_bytes() -> None:
    trials = 5_000
    searcher = build_searcher(AshaSpec(max_trials=trials, max_resource=64), SearchContext(Goal.MINIMIZE))
    tracemalloc.start()
    try:
        while isinstance(work := searcher.next().answer, Train):
            searcher.report(work.trial, work.target, (work.trial * 7919) % trials + 0.25)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / trials < 200
