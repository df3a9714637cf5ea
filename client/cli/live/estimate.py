"""How fast a search trains, and when it may be done: an estimate from what its rungs have seen so far.

The whole of it is guessed from the rungs: each bracket makes the trials that it may make, and of those that enter a
rung the part goes on that went on so far, at least one in `divisor`. What is then left to train is divided by the rate
of the last minute, or of the last twenty reports where those took longer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from ....shared.wire.model import Bracket, Experiment, ExperimentState

_WINDOW_S = 60.0
_REPORTS = 20
_SHORTEST_S = 2.0


class Pace:
    """The rate at which trials are trained, all of them together; from when it was first told of them."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=4_000)

    def add(self, time_s: float, experiment: Experiment) -> None:
        """Takes in how much was trained by a time, in seconds of any clock that only goes on."""
        if experiment.state is not ExperimentState.ACTIVE:
            self._seen.clear()
        elif not self._seen or self._seen[-1][1] != experiment.resource_spent:
            self._seen.append((time_s, experiment.resource_spent))

    def rate(self, now_s: float) -> float | None:
        """Units of the resource a second, lately; None until two reports have come."""
        if len(self._seen) < 3:
            return None
        last = len(self._seen) - 1
        begin = next((at for at in range(last, 0, -1) if now_s - self._seen[at][0] >= _WINDOW_S), 0)
        start_s, before = self._seen[min(begin, max(0, last - _REPORTS))]
        if now_s - start_s < _SHORTEST_S:
            return None
        return (self._seen[-1][1] - before) / (now_s - start_s)


def expected_total(experiment: Experiment) -> int | None:
    """The resource that the whole search may train, in its unit; None where it has no rungs to tell from."""
    if not experiment.brackets:
        return None
    divisor = _searcher(experiment).get("divisor")
    least = 1 / divisor if isinstance(divisor, int | float) and divisor > 0 else 1.0
    total = sum(_of_bracket(bracket, entrants(experiment, bracket), least) for bracket in experiment.brackets)
    limit = (experiment.spec.get("stop") or {}).get("resource")
    if isinstance(limit, int | float):
        total = min(total, limit)
    return max(experiment.resource_spent, round(total))


def entrants(experiment: Experiment, bracket: Bracket) -> int:
    """How many trials begin at a bracket's lowest rung: those that it makes, but for children of others (PBT), which
    begin where these stood."""
    population = _searcher(experiment).get("population")
    return min(bracket.max_trials, population) if isinstance(population, int) else bracket.max_trials


def _searcher(experiment: Experiment) -> Mapping[str, Any]:
    return experiment.spec.get("searcher") or {}


def _of_bracket(bracket: Bracket, entering: float, least: float) -> float:
    before, total = 0, 0.0
    for rung in bracket.rungs:
        entering = max(entering, rung.entered)
        total += entering * (rung.resource - before)
        # Of the first few that enter hardly any went on yet, or all of them.
        seen = rung.promoted / rung.entered if rung.entered >= 2 / least else 0.0
        entering = max(entering * max(least, seen), rung.promoted)
        before = rung.resource
    return total


def seconds_left(experiment: Experiment, rate: float | None, elapsed_s: float) -> float | None:
    """Seconds that the search may still take; None where nobody can know: it does not run, or nothing is reported."""
    total = expected_total(experiment)
    if experiment.state is not ExperimentState.ACTIVE or total is None or not rate:
        return None
    left_s = (total - experiment.resource_spent) / rate
    limit_s = (experiment.spec.get("stop") or {}).get("time")
    return min(left_s, max(0.0, limit_s - elapsed_s)) if isinstance(limit_s, int | float) else left_s


def about(left_s: float) -> str:
    """A length of time as it may be told that was guessed: less than a minute, about 3 min, about 1 h 20 min."""
    minutes = round(left_s / 60)
    if left_s < 55:
        return "less than a minute"
    if minutes < 60:
        return f"about {minutes} min"
    large, small, part, names = (60, 10, 1, ("h", "min")) if minutes < 24 * 60 else (24 * 60, 60, 60, ("d", "h"))
    whole, rest = divmod(minutes, large)
    rest = rest // small * small // part
    return f"about {whole} {names[0]}" + (f" {rest} {names[1]}" if rest else "")


def rate_told(rate: float, unit: str) -> str:
    """A rate with two digits, by the second, the minute or the hour, whichever is told in whole numbers first."""
    for seconds, name in ((1, "s"), (60, "min")):
        if rate * seconds >= 1:
            return f"{_two_digits(rate * seconds)} {unit}/{name}"
    return f"{_two_digits(rate * 3600)} {unit}/h"


def _two_digits(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
