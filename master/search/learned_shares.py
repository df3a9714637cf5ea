"""How `mode: learned` shares new trials out among brackets: by how good their trials turn out at the highest rung.

The evidence. All brackets' highest rungs stand at the same resource, so the results there can be ranked together. A
bracket's strength a is how many trials, drawn at random and trained in full, one of its results there stands for: where
early results tell the truth, one with n rungs gives the best of η^(n-1), so a = η^(n-1); where they tell nothing,
a = 1; where they mislead, less. If each result is the best of a, the next best of those not ranked yet is from bracket
b with probability a_b·c_b / Σ a·c, where c are the numbers of results that are left (the model of Plackett and Luce;
Lehmann alternatives). The strengths are estimated from the best PART of all results, MOST at the most, since it is the
best that a search is for, with PRIOR results' worth of the belief that every bracket is worth its cost (a = n), by
ROUNDS steps of minorization and maximization (Hunter, MM algorithms for generalized Bradley-Terry models, Annals of
Statistics 32, 2004).

The shares. A result at the highest rung costs about n full trainings, so a bracket's worth is a/n; of the resource it
gets a part by worth^SHARPNESS. This counts by 1 - (DOUBT / (DOUBT + results))²; the rest is shared out as in
`standard`. FLOOR of all is kept back, and split evenly.

All is a function of the results alone, in whichever order they came, and costs O(log n): no more than MOST are looked
at. No logarithm and no power that is not exact is taken, so that it is the same on every machine.
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
PART, MOST = Fraction(1, 2), 32
PRIOR, ROUNDS = 0.25, 4
SHARPNESS = 4
DOUBT = 3


def first_weights(sizes: Sequence[int], eta: Fraction) -> list[Fraction]:
    """By what new trials are shared out before there is evidence: as in `standard`, the other brackets at the floor."""
    standard = set(bracket_sizes("standard", max(sizes)))
    even = Fraction(1, sum(size in standard for size in sizes))
    shares = (FLOOR / len(sizes) + (1 - FLOOR) * even * (size in standard) for size in sizes)
    return [share * weight for share, weight in zip(shares, equal_cost_weights(sizes, eta), strict=True)]


class LearnedShares:
    """By what new trials are shared out, from the results at the highest rungs."""

    def __init__(self, sizes: Sequence[int], eta: Fraction) -> None:
        self._sizes = tuple(sizes)
        self._equal_cost = [float(weight) for weight in equal_cost_weights(sizes, eta)]
        standard = set(bracket_sizes("standard", max(sizes)))
        number = sum(size in standard for size in sizes)
        self._standard = [(size in standard) / number for size in sizes]
        #: How many results the last weights are from: none is ever taken back or changed.
        self._numbers: list[int] = []
        self._weights: list[float] = []

    def weights(self, tops: Sequence[RankedRung]) -> list[float]:
        """In proportion to these each bracket should have made trials, of which these are the highest rungs."""
        numbers = [len(top) for top in tops]
        if numbers != self._numbers:
            self._numbers = numbers
            shares = self.shares([top.results() for top in tops], numbers)
            self._weights = [share * weight for share, weight in zip(shares, self._equal_cost, strict=True)]
        return self._weights

    def shares(self, results: Sequence[Iterable[Result]], numbers: Sequence[int]) -> list[float]:
        """Each bracket's part of the resource, by its results at the highest rung, best first, and their number."""
        total = sum(numbers)
        strengths = self._strengths(best_brackets(results, total), numbers)
        worths = [(a / size) ** 2 for a, size in zip(strengths, self._sizes, strict=True)]
        worths = [worth * worth for worth in worths]
        sharp, rest = sum(worths), (DOUBT / (DOUBT + total)) ** 2
        floor = float(FLOOR) / len(self._sizes)
        return [
            floor + float(1 - FLOOR) * (rest * standard + (1 - rest) * worth / sharp)
            for standard, worth in zip(self._standard, worths, strict=True)
        ]

    def _strengths(self, order: Sequence[int], numbers: Sequence[int]) -> list[float]:
        """The strength of each bracket, where the best results are from these brackets, best first."""
        strengths = [float(size) for size in self._sizes]
        hits = [order.count(bracket) for bracket in range(len(numbers))]
        for _ in range(ROUNDS):
            left = sum(a * number for a, number in zip(strengths, numbers, strict=True))
            exposure, passed = 0.0, [0.0] * len(numbers)
            for bracket in order:
                exposure += 1 / left
                passed[bracket] += exposure
                left = max(left - strengths[bracket], strengths[bracket])
            strengths = [
                (hit + PRIOR) / ((number - hit) * exposure + gone + PRIOR / size)
                for hit, number, gone, size in zip(hits, numbers, passed, self._sizes, strict=True)
            ]
        return strengths


def best_brackets(results: Sequence[Iterable[Result]], total: int) -> list[int]:
    """The brackets from which the best results are, best first; failures are never among the best."""
    looked_at = min(MOST, math.ceil(total * PART))
    ranked = merge(*(zip(islice(best, looked_at), repeat(bracket)) for bracket, best in enumerate(results)))
    return [bracket for (key, _), bracket in islice(ranked, looked_at) if key != WORST]
