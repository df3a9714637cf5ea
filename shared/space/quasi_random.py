"""Hyperparameters that are spread over the search space more evenly than chance would: trial i gets point i of a
scrambled Sobol sequence (Owen, "Randomly permuted (t,m,s)-nets and (t,s)-sequences", 1995).

Each hyperparameter that is no constant is a dimension of a cube, whether it exists for a trial or not, and its place
there becomes a value as a chance does in `chances.py`. SciPy gives the plain sequence, which is the same in all of its
versions; the scrambling is written here, and decides what trials get: it must stay as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from .chances import BITS, chance, drawn
from .hyperparameters import Condition, ConstantSpec, Hyperparameter, same
from .space import Space
from .walk import Walk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.stats.qmc import Sobol

    Points = NDArray[np.uint64]

BLOCK_BITS = 16
"""Trials that share one sequence, as a power of two; the next as many have one that is scrambled by itself. So no point
is far from the beginning of its sequence, which SciPy goes through up to the point."""

ROUNDS = 16
"""Points that a trial may have of which all are forbidden. Then it is drawn at random: where so little is allowed, what
is even in the cube is not even in what is left of it."""

ORDERED, ORDERED_VALUES = 1 << 14, 1 << 17
"""The most points, and the most coordinates, that put the combinations of a small space in order."""


class QuasiRandom:
    """A search space from which trials are drawn evenly. Safe to use from several threads."""

    def __init__(
        self, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition], space: Space
    ) -> None:
        """`space` is that of the same hyperparameters and forbidden combinations. What takes long is made at the first
        draw."""
        self._specs = hyperparameters
        #: Neither the order in the document nor a constant changes what a trial gets.
        self._names = sorted(name for name, spec in hyperparameters.items() if not isinstance(spec, ConstantSpec))
        self._forbidden = forbidden
        self._space = space
        self._sequence = _Sequence(len(self._names))
        self._lock = Lock()
        self._order: tuple[int, Sequence[int]] | None = None

    def search(self, seed: int, trial: int) -> Iterator[dict[str, Any] | None]:
        """The hyperparameters of a trial, as `Space.search` gives them; None after each portion of work without any.

        They depend on `seed` and `trial` alone. Where point i is forbidden, trial i gets point i of another scrambling,
        and so on: no two trials have the same point of any. Of a small space each combination comes once before any
        comes again, in the order in which the points meet them first.
        """
        if self._names and not self._space.is_small:
            block, index = divmod(trial, 1 << BLOCK_BITS)
            with self._lock:
                plain = self._sequence.points(index, 1)
            for attempt in range(ROUNDS):
                [place] = _scrambled(plain, _keys(self._names, seed, block, attempt)).tolist()
                if (found := self._combination(place)) is not None:
                    yield found
                    return
        elif self._names and self._space.number:
            with self._lock:
                order = self._in_order(seed, self._space.number)
            trial = order[trial % len(order)]
        yield from self._space.search(seed, trial)

    @cached_property
    def _walk(self) -> Walk:
        return Walk(self._specs, self._forbidden)

    def _combination(self, place: Sequence[int]) -> dict[str, Any] | None:
        coordinates = dict(zip(self._names, place, strict=True))

        def choose(name: str) -> float:
            # A constant has no coordinate, and needs none.
            return drawn(self._specs[name], coordinates.get(name, 0) << BITS - 64)

        return self._walk.combination(choose)

    def _in_order(self, seed: int, number: int) -> Sequence[int]:
        """All combinations of a small space, by their numbers in its own order: as the points meet them, then those
        that they did not meet."""
        if self._order is None or self._order[0] != seed:
            places = {same(each): at for at in range(number) for each in self._space.search(seed, at)}
            points = min(ORDERED, 4 * number, ORDERED_VALUES // len(self._names))
            plain = self._sequence.points(0, 1 << max(0, points.bit_length() - 1))
            met = map(self._combination, _scrambled(plain, _keys(self._names, seed, 0, 0)).tolist())
            first = dict.fromkeys(places[same(each)] for each in met if each is not None)
            self._order = seed, [*dict.fromkeys((*first, *range(number)))]
        return self._order[1]


class _Sequence:
    """The first points of the plain Sobol sequence, in any order."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._engine: Sobol | None = None

    def points(self, first: int, number: int) -> Points:
        """So many, a power of two, as whole numbers of BLOCK_BITS bits: that is all that tells the points of a block
        apart."""
        import numpy as np

        if self._engine is None:
            from scipy.stats.qmc import Sobol

            self._engine = Sobol(self._dimensions, scramble=False)
        if first < self._engine.num_generated:
            self._engine.reset()
        if ahead := first - self._engine.num_generated:
            self._engine.fast_forward(ahead)
        return (self._engine.random(number) * (1 << BLOCK_BITS)).astype(np.uint64)


def _keys(names: Sequence[str], seed: int, block: int, attempt: int) -> Points:
    """What decides the scrambling of each dimension."""
    import numpy as np

    about = "quasi-random", seed, block, attempt
    return np.array([chance(*about, name) >> BITS - 64 for name in names], dtype=np.uint64)


def _scrambled(plain: Points, keys: Points) -> Points:
    """The points with 64 bits for each coordinate. Each bit is turned over or not by chance, depending on those above
    it (nested uniform scrambling): points that share a cell of any size still share one, and each cell is likely
    anywhere. So they stay as even as they were, and no point is at a bound."""
    import numpy as np

    scrambled = np.zeros_like(plain)
    for bit in range(BLOCK_BITS):
        above = plain >> np.uint64(BLOCK_BITS - bit) | np.uint64(1 << bit)
        turned = plain >> np.uint64(BLOCK_BITS - 1 - bit) ^ _mixed(above + keys)
        scrambled = scrambled << np.uint64(1) | turned & np.uint64(1)
    below = _mixed((plain | np.uint64(1 << BLOCK_BITS)) + keys)
    return scrambled << np.uint64(64 - BLOCK_BITS) | below >> np.uint64(BLOCK_BITS)


def _mixed(values: Points) -> Points:
    """Each as 64 bits that look like chance (the finaliser of SplitMix64: Steele, Lea and Flood 2014)."""
    import numpy as np

    mixed = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return mixed ^ mixed >> np.uint64(31)
