"""The combinations of a finite search space: how many there are, and all of them in an order that a seed decides.

Hyperparameters that have to do with each other, by conditions or forbidden combinations, are gone through together, and
all others by themselves. No candidates are drawn and rejected, so one combination that is left of a million is found.
What is written here decides what trials get: a change of it needs new DRAW_RULES (`space.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from hashlib import sha256
from itertools import chain, product
from operator import itemgetter
from statistics import NormalDist
from typing import Any

from .dimensions import code_of, reader
from .hyperparameters import CategoricalSpec, Condition, FloatSpec, Hyperparameter, IntSpec, same

MOST_STEPS = 2_000_000
"""Questions that are asked of parts of combinations before these are too many to count: about a second."""

Code = float | None
"""A code as in `dimensions.py`; infinity for a float, which has no end of them; None for what does not exist."""

_LEAST = 1e-300
"""What rounding leaves of a probability at least: what can be drawn comes some time."""

_NO_END: Sequence[Code] = (math.inf,)
_NOTHING: Sequence[Code] = (None,)

Clause = Sequence[tuple[int, frozenset[float]]]
"""Places of a group, and the codes there that it is about: all must agree."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Hyperparameters that have to do with each other, parents first.

    `conditions` has one clause for each, and `forbidden` the clauses by the last place that they name, where they are
    decided.
    """

    names: tuple[str, ...]
    codes: tuple[Sequence[Code], ...]
    conditions: tuple[Clause, ...]
    forbidden: Mapping[int, Sequence[Clause]]

    @property
    def single(self) -> bool:
        """Whether it is one hyperparameter with which nothing else has to do."""
        return len(self.names) == 1 and not self.forbidden

    def combinations(self, most: int) -> tuple[list[tuple[Code, ...]], int] | None:
        """Those that are allowed, and how many steps that took; None where it takes more than `most`."""
        found: list[tuple[Code, ...]] = [()]
        steps = 0
        for place in range(len(self.names)):
            codes = [self.codes[place] if _holds(self.conditions[place], each) else _NOTHING for each in found]
            forbidden = self.forbidden.get(place, ())
            steps += len(found) + sum(map(len, codes)) * (1 + len(forbidden))
            if steps > most:
                return None
            longer = ((*each, code) for each, some in zip(found, codes, strict=True) for code in some)
            found = [each for each in longer if not any(_holds(clause, each) for clause in forbidden)]
        return found, steps


def _holds(clause: Clause, combination: Sequence[Code]) -> bool:
    return all(combination[place] in codes for place, codes in clause)


class Combinations:
    """The combinations of the space of a valid spec."""

    def __init__(self, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition] = ()) -> None:
        self._specs = hyperparameters
        self._groups = [_group(names, hyperparameters, forbidden) for names in _related(hyperparameters, forbidden)]
        self._read = {name: reader(spec) for name, spec in hyperparameters.items()}
        self._names = [name for group in self._groups for name in group.names]

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
            elif (found := group.combinations(most)) is None or any(math.inf in each for each in found[0]):
                return None
            else:
                number, most = number * len(found[0]), most - found[1]
        return number

    def in_order(self, seed: int) -> list[tuple[Code, ...]]:
        """All of them, for `hparams`, in the order in which draws without putting back would bring them: what is
        likelier comes earlier. It depends on `seed` and the combinations alone. For spaces with a `number`."""
        found = [group.combinations(MOST_STEPS) for group in self._groups]
        joined = (tuple(chain(*parts)) for parts in product(*(group[0] for group in found if group)))
        likelihood = cache(lambda name, code: _log_likelihood(self._specs[name], code))
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


def _related(hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]) -> list[list[str]]:
    """The names of each group; neither their order nor that of the groups is that of the document."""
    group = {name: [name] for name in sorted(hyperparameters)}
    for names in [*({name, *spec.when} for name, spec in hyperparameters.items()), *forbidden]:
        first, *others = names
        for other in others:
            if group[first] is not group[other]:
                group[first] += group[other]
                group |= dict.fromkeys(group[other], group[first])
    return sorted(sorted(names) for name, names in group.items() if name == min(names))


def _group(
    names: Sequence[str], hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]
) -> _Group:
    order = tuple(TopologicalSorter({name: sorted(hyperparameters[name].when) for name in names}).static_order())
    places = {name: place for place, name in enumerate(order)}

    def clause(condition: Condition) -> Clause:
        return [
            (places[name], frozenset(code_of(hyperparameters[name], value) for value in values))
            for name, values in condition.items()
        ]

    decided: dict[int, list[Clause]] = {}
    for condition in forbidden:
        if places.keys() >= condition.keys():
            decided.setdefault(max(places[name] for name in condition), []).append(clause(condition))
    specs = [hyperparameters[name] for name in order]
    return _Group(order, tuple(map(_codes, specs)), tuple(clause(spec.when) for spec in specs), decided)


def _codes(spec: Hyperparameter) -> Sequence[Code]:
    """Those that can be drawn."""
    if isinstance(spec, FloatSpec):
        return _NO_END
    if isinstance(spec, IntSpec):
        return range(spec.low, spec.high + 1)
    weights = spec.weights if isinstance(spec, CategoricalSpec) else None
    return [code for code in range(len(spec.values)) if weights is None or weights[code]]


def _log_likelihood(spec: Hyperparameter, code: float) -> float:
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
