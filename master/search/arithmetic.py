"""The numbers behind brackets and rungs, exact: integers and rationals only, never a rounded logarithm.

Throughout, `eta` is the divisor, a Fraction greater than 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from heapq import heapify, heapreplace

from ...shared.spec.searchers import Mode, RungSearcher, hyperband_trials, max_rungs_that_fit
from .interface import BracketPlan, ExpectedCost


def quota(entered: int, eta: Fraction) -> int:
    """How many of the trials that entered a rung may go on: ⌊entered/η⌋."""
    return entered * eta.denominator // eta.numerator


def most_rungs(spec: RungSearcher) -> int:
    """As many rungs as asked for, or as the resource and the number of trials have room for."""
    bounds = spec.max_resource, spec.max_trials
    return min(max_rungs_that_fit(spec.eta, value, limit=spec.max_rungs) for value in bounds)


def rung_resources(max_resource: int, eta: Fraction, rungs: int) -> tuple[int, ...]:
    """Where the rungs stand, lowest first; the last one at `max_resource`."""
    return tuple(
        max(1, max_resource * eta.denominator**below // eta.numerator**below) for below in range(rungs - 1, -1, -1)
    )


def bracket_sizes(mode: Mode, rungs: int) -> tuple[int, ...]:
    """The number of rungs of each bracket, most first, where the largest may have `rungs`."""
    smallest = {"aggressive": rungs, "standard": (rungs - 1) // 2 + 1, "conservative": 1, "learned": 1}[mode]
    return tuple(range(rungs, smallest - 1, -1))


def split_trials(max_trials: int, sizes: Sequence[int], eta: Fraction) -> tuple[int, ...]:
    """Shares trials among brackets by the weight η^(n-1)/n, so that each costs about the same resource.

    Each bracket gets at least one trial: with fewer trials than brackets, the shares add up to more than `max_trials`.
    """
    # Of each size once: the numbers are long.
    number = Counter(sizes)
    weights = {size: eta ** (size - 1) / size for size in number}
    total = sum((weights[size] * number[size] for size in number), Fraction(0))
    share_of = {size: max(1, int(max_trials * weights[size] / total)) for size in number}
    shares = [share_of[size] for size in sizes]
    shares[0] += max(0, max_trials - sum(shares))
    _take_back(shares, sum(shares) - max_trials)
    return tuple(shares)


def _take_back(shares: list[int], excess: int) -> None:
    """Where the least share of one each came to too much, the largest brackets give."""
    for i, share in enumerate(shares):
        given = max(0, min(share - 1, excess))
        shares[i] -= given
        excess -= given


def equal_cost_weights(sizes: Sequence[int], eta: Fraction) -> list[Fraction]:
    """The weights of `split_trials`: brackets whose numbers of trials are in these proportions cost about the same."""
    return [eta ** (size - 1) / size for size in sizes]


def extended_shares(shares: Sequence[int], weights: Sequence[Fraction], max_trials: int) -> tuple[int, ...]:
    """Shares out more trials than `shares` has: each further one goes to the bracket with the smallest (trials + 1) /
    weight, the first of equal ones.

    So no bracket gets fewer, and the way to a number, in one step or in several, does not matter (the method of
    Jefferson, which is house-monotone: Balinski and Young, Fair Representation, 1982).
    """
    extended, back = list(shares), 0
    while back < max_trials:
        # Up to a common level the method fills all brackets; a level that is too high is taken back.
        level = (max_trials - back) / sum(weights)
        filled = [max(share, int(weight * level)) for share, weight in zip(shares, weights, strict=True)]
        if sum(filled) <= max_trials:
            extended = filled
            break
        back += sum(filled) - max_trials
    heap = [((share + 1) / weight, b) for b, (share, weight) in enumerate(zip(extended, weights, strict=True))]
    heapify(heap)
    for _ in range(max_trials - sum(extended)):
        b = heap[0][1]
        extended[b] += 1
        heapreplace(heap, ((extended[b] + 1) / weights[b], b))
    return tuple(extended)


def split_concurrency(max_concurrent_trials: int | None, brackets: int) -> tuple[int | None, ...]:
    """Shares `max_concurrent_trials` evenly, the remainder one each from the first; every bracket gets at least one."""
    if max_concurrent_trials is None:
        return (None,) * brackets
    share, rest = divmod(max(max_concurrent_trials, brackets), brackets)
    return tuple(share + (i < rest) for i in range(brackets))


def brackets_of(spec: RungSearcher, sizes: Sequence[int]) -> tuple[BracketPlan, ...]:
    """Plans one bracket for each number of rungs in `sizes`, from most rungs to fewest."""
    sizes = sorted(sizes, reverse=True)
    trials = split_trials(spec.max_trials, sizes, spec.eta)
    concurrency = split_concurrency(spec.max_concurrent_trials, len(sizes))
    resources = {size: rung_resources(spec.max_resource, spec.eta, size) for size in set(sizes)}
    return tuple(
        BracketPlan(resources[size], share, at_once)
        for size, share, at_once in zip(sizes, trials, concurrency, strict=True)
    )


def pooled_brackets_of(
    spec: RungSearcher, sizes: Sequence[int], weights: Sequence[Fraction]
) -> tuple[BracketPlan, ...]:
    """Plans one bracket for each of `sizes`, most rungs first. Together they make `max_trials`: at first by the
    weights, at least one each."""
    shares = extended_shares([1] * len(sizes), weights, spec.max_trials)
    return tuple(
        BracketPlan(rung_resources(spec.max_resource, spec.eta, size), share, spec.max_concurrent_trials, pooled=True)
        for size, share in zip(sizes, shares, strict=True)
    )


def limited(plan: Sequence[BracketPlan], max_concurrent_trials: int | None) -> tuple[BracketPlan, ...]:
    """The same brackets with another limit on the trials that train at once."""
    if plan[0].pooled:
        return tuple(replace(bracket, max_concurrent_trials=max_concurrent_trials) for bracket in plan)
    shares = split_concurrency(max_concurrent_trials, len(plan))
    return tuple(replace(bracket, max_concurrent_trials=share) for bracket, share in zip(plan, shares, strict=True))


def hyperband_brackets(max_resource: int, eta: Fraction) -> tuple[BracketPlan, ...]:
    """Plans Hyperband's grid of brackets: s = s_max … 0 with ⌈(s_max+1)/(s+1)·η^s⌉ trials from R·η^-s each."""
    trials = hyperband_trials(eta, max_resource)
    return tuple(
        BracketPlan(rung_resources(max_resource, eta, rungs), number, None)
        for rungs, number in zip(range(len(trials), 0, -1), trials, strict=True)
    )


def expected_entries(bracket: BracketPlan, eta: Fraction) -> tuple[int, ...]:
    """How many trials enter each rung when exactly the top ⌊n/η⌋ of each go on, and at least the winner."""
    entries = [bracket.max_trials]
    for _ in bracket.rungs[1:]:
        entries.append(max(1, quota(entries[-1], eta)))
    return tuple(entries)


def expected_resource(bracket: BracketPlan, entries: Sequence[int]) -> int:
    """The resource that a bracket costs when so many trials reach each rung and none is trained twice."""
    stretches = (high - low for low, high in zip((0, *bracket.rungs), bracket.rungs, strict=False))
    return sum(n * stretch for n, stretch in zip(entries, stretches, strict=True))


def full_resource(plan: Sequence[BracketPlan]) -> int:
    """The resource that training every trial to the last rung of its bracket costs."""
    return sum(bracket.max_trials * bracket.rungs[-1] for bracket in plan)


def expected_cost(plan: Sequence[BracketPlan], eta: Fraction, assumption: str) -> ExpectedCost:
    """The cost where exactly the top ⌊n/η⌋ of each rung go on, and at least the winner; `assumption` says so."""
    entries = tuple(expected_entries(bracket, eta) for bracket in plan)
    resource = sum(expected_resource(bracket, n) for bracket, n in zip(plan, entries, strict=True))
    divisor = int(eta) if eta.denominator == 1 else float(eta)
    return ExpectedCost(entries, resource, full_resource(plan), assumption, f"divisor {divisor}")


def within(limit: int | None, running: int, waiting: int) -> int:
    """How many of those that wait may start beside those that run, where no more than `limit` may at once."""
    return max(0, waiting if limit is None else min(waiting, limit - running))
