"""The combinations of a finite search space: how many there are, and all of them in an order that a seed decides.

Hyperparameters that have to do with each other, by conditions or forbidden combinations, are gone through together, and
all others by themselves. No candidates are drawn and rejected, so one combination that is left of a million is found.
What is written here decides what trials get: a change of it needs new DRAW_RULES (`space.py`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import TopologicalSorter
from hashlib import sha256
from itertools import chain, product
from operator import itemgetter
from statistics import NormalDist
from typing import Any

from .clauses import ALL, ClausePosition, places_of
from .dimensions import reader
from .hyperparameters import CategoricalSpec, Condition, FloatSpec, Hyperparameter, IntSpec, same

MOST_STEPS = 2_000_000
"""Questions that are asked of parts of combinations before these are too many to count: about a second."""

Code = float | None
"""A code as in `dimensions.py`; infinity for a float, which has no end of them; None for what does not exist."""

_LEAST = 1e-300
"""What rounding leaves of a probability at least: what can be drawn comes some time."""

LONGEST_NUMBER = 20
"""Characters of a number as JSON, about."""

_NO_END: Sequence[Code] = (math.inf,)
_NOTHING: Sequence[Code] = (None,)


@dataclass(frozen=True, slots=True)
class Group:
    """Hyperparameters that have to do with each other, parents first: their places, and the codes of each."""

    places: tuple[ClausePosition, ...]
    codes: tuple[Sequence[Code], ...]
    #: Whether it is one hyperparameter with which nothing else has to do.
    single: bool

    def number(self, most: int) -> tuple[int | None, int] | None:
        """How many combinations are allowed, None for no end of them, and how many questions that takes; None where it
        takes more than `most`. Parts of combinations with which the same clauses agree are counted together.
        """
        #: How many parts there are, by the clauses that agree with them and whether there is a float in them.
        found: dict[tuple[int, bool], int] = {(ALL, False): 1}
        steps = 0
        for place, codes in zip(self.places, self.codes, strict=True):
            there = sum(times for (agreed, _), times in found.items() if place.exists(agreed))
            lacking = sum(found.values()) - there
            steps += there + lacking + (there * len(codes) + lacking) * (1 + place.decided.bit_count())
            if steps > most:
                return None
            alike = _alike(place, codes)
            longer: dict[tuple[int, bool], int] = defaultdict(int)
            for (agreed, endless), times in found.items():
                exists = place.exists(agreed)
                for mask, number in alike.items() if exists else ((place.others, 1),):
                    left = agreed & mask
                    if not left & place.decided:
                        longer[left & place.wanted, endless or (exists and codes is _NO_END)] += times * number
            found = longer
        endless = any(endless for _, endless in found)
        return None if endless else sum(found.values()), steps

    def combinations(self) -> Iterator[tuple[Code, ...]]:
        """Those that are allowed; for groups with a `number`, whose steps it takes again."""
        part: list[Code] = []
        agreed, untried = [ALL], [self._codes_at(0, ALL)]
        while untried:
            place = self.places[len(part)]
            code = next(untried[-1], _NO_MORE)
            if isinstance(code, _NoMore):
                untried.pop()
                agreed.pop()
                if part:
                    part.pop()
                continue
            left = place.after(agreed[-1], code)
            if left & place.decided:
                continue
            if len(part) + 1 == len(self.places):
                yield (*part, code)
            else:
                part.append(code)
                agreed.append(left)
                untried.append(self._codes_at(len(part), left))

    def _codes_at(self, place: int, agreed: int) -> Iterator[Code]:
        return iter(self.codes[place] if self.places[place].exists(agreed) else _NOTHING)


class _NoMore: ...


_NO_MORE = _NoMore()


def _alike(place: ClausePosition, codes: Sequence[Code]) -> Mapping[int, int]:
    """How many of the codes agree with the same clauses, by those."""
    alike: dict[int, int] = defaultdict(int)
    known = codes if isinstance(codes, range) else frozenset(codes)
    named = 0
    for code, mask in place.agreeing.items():
        if code in known:
            named += 1
            alike[mask] += 1
    if len(codes) > named:
        alike[place.others] += len(codes) - named
    return alike


class Combinations:
    """The combinations of the space of a valid spec."""

    def __init__(self, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition] = ()) -> None:
        self._specs = hyperparameters
        self._groups = [_group(*related, hyperparameters) for related in _related(hyperparameters, forbidden)]
        self._read = {name: reader(spec) for name, spec in hyperparameters.items()}
        self._names = [place.name for group in self._groups for place in group.places]

    def number(self) -> int | None:
        """How many there are; None where they have no end, as floats have none, or are too many to count.

        Takes a second at most.
        """
        if any(group.single and group.codes[0] is _NO_END for group in self._groups):
            return None
        number, most = 1, MOST_STEPS
        for group in self._groups:
            if group.single:
                number *= len(group.codes[0])
            elif (found := group.number(most)) is None or found[0] is None:
                return None
            else:
                number, most = number * found[0], most - found[1]
        return number

    @cached_property
    def length(self) -> int:
        """Characters of a combination as JSON, at most and about."""
        return sum(len(same(name)) + 4 + _longest(spec) for name, spec in self._specs.items())

    def in_order(self, seed: int) -> list[tuple[Code, ...]]:
        """All of them, for `hparams`, in the order in which draws without putting back would bring them: what is
        likelier comes earlier. It depends on `seed` and the combinations alone. For spaces with a `number`."""
        joined = (tuple(chain(*parts)) for parts in product(*(group.combinations() for group in self._groups)))
        likelihood = cache(lambda name, code: log_likelihood(self._specs[name], code))
        keyed = [(self._key(combination, seed, likelihood), combination) for combination in joined]
        return [combination for _, combination in sorted(keyed, key=itemgetter(0))]

    def hparams(self, combination: Sequence[Code]) -> dict[str, Any]:
        """A combination as training code gets it, in the spec's order, as values that are the caller's own."""
        codes = dict(zip(self._names, combination, strict=True))
        return {name: read(code) for name, read in self._read.items() if (code := codes[name]) is not None}

    def _key(
        self, combination: Sequence[Code], seed: int, likelihood: Callable[[str, float], float]
    ) -> tuple[float, bytes]:
        """The logarithm of the time at which it comes, were each to come by chance as often as it is likely.

        The first to come are distributed as draws without putting back are.
        """
        digest = sha256(f"{seed} {same(self.hparams(combination))}".encode()).digest()
        chance = ((int.from_bytes(digest[:8]) >> 12) + 0.5) / 2**52
        codes = zip(self._names, combination, strict=True)
        often = math.fsum(likelihood(name, code) for name, code in codes if code is not None)
        return math.log(-math.log(chance)) - often, digest


def _related(
    hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]
) -> list[tuple[list[str], list[Condition]]]:
    """The names of each group, and what is forbidden of it; neither their order nor that of the groups is that of the
    document."""
    group = {name: [name] for name in hyperparameters}
    for names in [*({name, *spec.when} for name, spec in hyperparameters.items()), *forbidden]:
        first, *others = names
        for other in others:
            # The smaller one into the larger one: no name is moved more often than the logarithm of their number.
            smaller, larger = sorted((group[first], group[other]), key=len)
            if smaller is not larger:
                larger += smaller
                group |= dict.fromkeys(smaller, larger)
    found = {id(names): (sorted(names), list[Condition]()) for names in group.values()}
    for condition in forbidden:
        found[id(group[next(iter(condition))])][1].append(condition)
    return sorted(found.values(), key=itemgetter(0))


def _group(
    names: Sequence[str], forbidden: Sequence[Condition], hyperparameters: Mapping[str, Hyperparameter]
) -> Group:
    order = [*TopologicalSorter({name: sorted(hyperparameters[name].when) for name in names}).static_order()]
    places = places_of(order, hyperparameters, forbidden)
    return Group(
        places,
        tuple(_codes(hyperparameters[name]) for name in order),
        single=len(order) == 1 and not forbidden,
    )


def _longest(spec: Hyperparameter) -> int:
    """Characters of its longest value as JSON, or about as many."""
    return LONGEST_NUMBER if isinstance(spec, FloatSpec | IntSpec) else max(len(same(each)) for each in spec.values)


def _codes(spec: Hyperparameter) -> Sequence[Code]:
    """Those that can be drawn."""
    if isinstance(spec, FloatSpec):
        return _NO_END
    if isinstance(spec, IntSpec):
        return range(spec.low, spec.high + 1)
    weights = spec.weights if isinstance(spec, CategoricalSpec) else None
    return [code for code in range(len(spec.values)) if weights is None or weights[code]]


def log_likelihood(spec: Hyperparameter, code: float) -> float:
    """The logarithm of the probability with which it is drawn."""
    if isinstance(spec, FloatSpec):
        return 0.0
    if isinstance(spec, IntSpec):
        # What is rounded to a whole number comes from half a unit to both sides, within the bounds.
        part = _mass(spec, max(spec.low, code - 0.5), min(spec.high, code + 0.5)) if _uneven(spec) else 1.0
        whole = _mass(spec, spec.low, spec.high) if _uneven(spec) else spec.high - spec.low + 1.0
        return math.log(max(part / whole, _LEAST))
    weights = spec.weights if isinstance(spec, CategoricalSpec) else None
    return math.log(weights[int(code)] / sum(weights) if weights else 1 / len(spec.values))


def _uneven(spec: IntSpec) -> bool:
    return spec.log or spec.prior is not None


def _mass(spec: IntSpec, low: float, high: float) -> float:
    if spec.prior is None:
        return math.log(high / low)
    normal = NormalDist(spec.prior.mean, spec.prior.std)
    return normal.cdf(high) - normal.cdf(low)
