"""Candidates for the hyperparameters of any trial, drawn by ConfigSpace, in any order, always the same.

ConfigSpace draws, and `clauses.py` decides what of it exists and what is forbidden: ConfigSpace 1.2 keeps
hyperparameters whose parent is inactive where conditions are nested (in one in ten small random spaces), needs time
exponential in the depth (4 s for a chain of 14), and asks each value of each clause of each candidate. It is imported
when candidates are made, and not before, since that takes a second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, TypeVar

from .clauses import ALL, ClausePosition, parents_first, places_of
from .dimensions import decoder, dimension, reader
from .hyperparameters import Condition, Hyperparameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import RandomState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Column:
    """A hyperparameter's column in what ConfigSpace draws, and how to read it."""

    place: ClausePosition
    index: int
    decode: Callable[[float], float]


class Candidates:
    """What ConfigSpace draws from the space of a valid spec. Safe to use from several threads."""

    def __init__(self, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition] = ()) -> None:
        from ConfigSpace import ConfigurationSpace
        from numpy.random import RandomState

        self._space = ConfigurationSpace()
        self._space.add([dimension(name, spec) for name, spec in hyperparameters.items()])
        self._readers = {name: reader(spec) for name, spec in hyperparameters.items()}
        self._columns = [
            _Column(place, self._space.index_of[place.name], decoder(hyperparameters[place.name]))
            for place in places_of(parents_first(hyperparameters), hyperparameters, forbidden)
        ]
        self._lock = threading.Lock()
        self._space.random = RandomState()

    def search(self, seed: int, trial: int, limit: int) -> Iterator[dict[str, Any] | None]:
        """The hyperparameters of a trial, the first of its candidates that is not forbidden, and before them None for
        each portion of candidates that are; nothing more after `limit` candidates.

        They depend on `seed` and `trial` alone; anybody may draw between two steps. Costs about 0.2 ms, and as much for
        each portion.
        """
        state, sizes = None, _sizes()
        while limit > 0:
            with self._lock:
                if state is None:
                    _seed(self._space.random, seed, trial)
                else:
                    self._space.random.set_state(state)
                size = next(sizes)
                codes = next(_not_none(map(self._codes, islice(self._sampled(size), limit))), None)
                state = self._space.random.get_state()
            if codes is not None:
                yield {name: read(codes[name]) for name, read in self._readers.items() if name in codes}
                return
            yield None
            limit -= size

    def number_allowed(self, seed: int, number: int, enough: int) -> int:
        """How many of so many candidates are not forbidden; no more are drawn once they are `enough`."""
        with self._lock:
            _seed(self._space.random, seed, 0)
            candidates = chain.from_iterable(map(self._sampled, _sizes()))
            return sum(1 for _ in islice(_not_none(map(self._codes, islice(candidates, number))), enough))

    def _codes(self, drawn: Sequence[float]) -> dict[str, float] | None:
        """A candidate's codes, without what does not exist; None where it is forbidden."""
        codes: dict[str, float] = {}
        agreed = ALL
        for column in self._columns:
            place = column.place
            code = None
            if place.exists(agreed):
                code = codes[place.name] = column.decode(drawn[column.index])
            agreed = place.after(agreed, code)
            if agreed & place.decided:
                return None
        return codes

    def _sampled(self, number: int) -> Iterator[Sequence[float]]:
        """For so many candidates where each hyperparameter lies between its bounds; conditions do not count yet."""
        for configuration in self._space.sample_configuration(number):
            yield configuration.get_array().tolist()


def _not_none(found: Iterable[T | None]) -> Iterator[T]:
    return (each for each in found if each is not None)


def _sizes() -> Iterator[int]:
    """How many candidates are drawn at one go: few where one of the first will do."""
    return chain((2, 4, 8, 16, 32, 64), repeat(128))


def _seed(random: RandomState, seed: int, trial: int) -> None:
    """NumPy's frozen generator, the same in every version of NumPy, from 256 bits of the seed and the trial.

    Seeding one again gives what a new one would, in an eighth of the time: a new one first asks the system for entropy.
    """
    from numpy import frombuffer

    random.seed(frombuffer(sha256(f"{seed} {trial}".encode()).digest(), dtype="<u4"))
