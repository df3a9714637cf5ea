"""How `mode: learned` shares new trials out among brackets: by whether the rungs' orders turn out to hold further up.

The evidence. At each resource where rungs stand, those of several brackets do: of one whose trials are as they were
drawn, and of others whose trials were chosen by their order at lower rungs. Their results there can be ranked together.
A bracket's strength a is how many trials as they were drawn one of its results stands for: where early results tell the
truth, one that was chosen k times is the best of η^k, so a = η^k; where they tell nothing, a = 1; where they mislead,
less. If each result is the best of a, the next best of those not ranked yet is from bracket b with probability
a_b·c_b / Σ a·c, where c are the numbers of results that are left (the model of Plackett and Luce; Lehmann
alternatives). The strengths are estimated from the best PART of the results there, MOST at the most, since it is the
best that a search is for, by ROUNDS steps of minorization and maximization (Hunter, MM algorithms for generalized
Bradley-Terry models, Annals of Statistics 32, 2004).

From the lowest rungs, where results are cheap and come soon, to the highest, which decide: what was estimated at one
resource is believed at the next, by PRIOR results' worth for each resource below. Of the bracket that begins there,
nothing is known; it is believed that one choice more is worth what it costs (for a bracket with n rungs, (n+1)/n).

The shares. A result at the highest rung costs about n full trainings, so a bracket's worth is a/n; of the resource it
gets a part by worth^SHARPNESS. This counts by 1 - (DOUBT / (DOUBT + evidence))², where the evidence is the number of
results, each at its part of the full resource, without the lowest rung, which only the first bracket has; the rest is
shared out as in `standard`. FLOOR of all is kept back, and split evenly.

All is a function of the results alone, in whichever order they came, and costs O(log n): no more than MOST are looked
at for each resource. No logarithm and no power that is not exact is taken, so that it is the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from heapq import merge
from itertools import islice, repeat

from .arithmetic import bracket_sizes, equal_cost_weights
from .rung import WORST, RankedRung, Result

FLOOR = Fraction(1, 20)
PART, MOST = Fraction(1, 4), 64
PRIOR, ROUNDS = 1, 4
SHARPNESS = 6
DOUBT = 1


def first_weights(sizes: Sequence[int], eta: Fraction) -> list[Fraction]:
    """By what new trials are shared out before there is evidence: as in `standard`, the other brackets at the floor."""
    standard = set(bracket_sizes("standard", max(sizes)))
    even = Fraction(1, sum(size in standard for size in sizes))
    shares = (FLOOR / len(sizes) + (1 - FLOOR) * even * (size in standard) for size in sizes)
    return [share * weight for share, weight in zip(shares, equal_cost_weights(sizes, eta), strict=True)]


class Level:
    """The resource at which one bracket begins and those with more rungs have one: whose results are best there."""

    def __init__(self, size: int) -> None:
        #: How many rungs the bracket has that begins here, the last of those at this level.
        self._size = size
        #: What the last strengths are from: no result is ever taken back or changed.
        self._known: tuple[list[int], list[float]] | None = None
        self._strengths: list[float] = []

    def strengths(self, rungs: Sequence[RankedRung], below: list[float]) -> list[float]:
        """The strengths of all brackets here, by their rungs, and by the strengths of all but the last below."""
        known = [len(rung) for rung in rungs], below
        if known != self._known:
            self._known = known
            step = (self._size + 1) / self._size
            believed = [*(a / below[-1] * step for a in below), 1.0]
            order = best_brackets([rung.results() for rung in rungs], sum(known[0]))
            self._strengths = estimated(order, known[0], believed, PRIOR * len(below))
        return self._strengths


class LearnedShares:
    """By what new trials are shared out, from the results at the rungs. `sizes` are m, m - 1, … 1."""

    def __init__(self, sizes: Sequence[int], eta: Fraction) -> None:
        self._sizes = tuple(sizes)
        self._equal_cost = [float(weight) for weight in equal_cost_weights(sizes, eta)]
        standard = set(bracket_sizes("standard", max(sizes)))
        number = sum(size in standard for size in sizes)
        self._standard = [(size in standard) / number for size in sizes]
        self._levels = [Level(size) for size in sizes[1:]]

    def weights(self, brackets: Sequence[Sequence[RankedRung]]) -> list[float]:
        """In proportion to these each bracket should have made trials, of which these are the rungs, lowest first."""
        shares = self.shares(brackets)
        return [share * weight for share, weight in zip(shares, self._equal_cost, strict=True)]

    def shares(self, brackets: Sequence[Sequence[RankedRung]]) -> list[float]:
        """Each bracket's part of the resource, by its rungs, lowest first."""
        strengths, evidence = [1.0], 0.0
        full = brackets[0][-1].resource
        for begins, level in enumerate(self._levels, 1):
            rungs = [brackets[b][begins - b] for b in range(begins + 1)]
            strengths = level.strengths(rungs, strengths)
            evidence += sum(map(len, rungs)) * (rungs[-1].resource / full)
        worths = [a / size for a, size in zip(strengths, self._sizes, strict=True)]
        worths = [math.prod(repeat(worth / max(worths), SHARPNESS)) for worth in worths]
        sharp, rest = sum(worths), (DOUBT / (DOUBT + evidence)) ** 2
        floor = float(FLOOR) / len(self._sizes)
        return [
            floor + float(1 - FLOOR) * (rest * standard + (1 - rest) * worth / sharp)
            for standard, worth in zip(self._standard, worths, strict=True)
        ]


def estimated(order: Sequence[int], numbers: Sequence[int], believed: Sequence[float], prior: float) -> list[float]:
    """The strength of each bracket, where the best results are from these brackets, best first; `numbers` counts all
    results of each, and `believed` are the strengths before these are known, worth `prior` results."""
    strengths = list(believed)
    hits = [order.count(bracket) for bracket in range(len(numbers))]
    for _ in range(ROUNDS):
        left = sum(a * number for a, number in zip(strengths, numbers, strict=True))
        exposure, passed = 0.0, [0.0] * len(numbers)
        for bracket in order:
            exposure += 1 / left
            passed[bracket] += exposure
            left = max(left - strengths[bracket], strengths[bracket])
        strengths = [
            (hit + prior) / ((number - hit) * exposure + gone + prior / before)
            for hit, number, gone, before in zip(hits, numbers, passed, believed, strict=True)
        ]
    return strengths


def best_brackets(results: Sequence[Iterable[Result]], total: int) -> list[int]:
    """The brackets from which the best results are, best first; failures are never among the best."""
    looked_at = min(MOST, math.ceil(total * PART))
    ranked = merge(*(zip(islice(best, looked_at), repeat(bracket)) for bracket, best in enumerate(results)))
    return [bracket for (key, _), bracket in islice(ranked, looked_at) if key != WORST]
