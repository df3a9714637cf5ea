"""Candidates for the hyperparameters of any trial, drawn by ConfigSpace, in any order, always the same.

ConfigSpace draws, and its conditions and forbidden clauses decide. Only the order in which conditions are looked at is
ours: ConfigSpace 1.2 keeps hyperparameters whose parent is inactive where conditions are nested (in one in ten small
random spaces), and needs time exponential in the depth (4 s for a chain of 14). It is imported when candidates are
made, and not before, since that takes a second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from hashlib import sha256
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any

from .dimensions import code_of, decoder, dimension, reader
from .hyperparameters import Condition, Hyperparameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ConfigSpace import ForbiddenAndConjunction, InCondition
    from numpy.random import RandomState


@dataclass(frozen=True, slots=True)
class _Column:
    """A hyperparameter's column in what ConfigSpace draws, and how to read it."""

    name: str
    index: int
    decode: Callable[[float], float]
    conditions: tuple[InCondition, ...]


class Candidates:
    """What ConfigSpace draws from the space of a valid spec. Safe to use from several threads."""

    def __init__(self, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition] = ()) -> None:
        from ConfigSpace import ConfigurationSpace
        from ConfigSpace.types import NotSet
        from numpy.random import RandomState

        self._inactive = NotSet
        self._space = ConfigurationSpace()
        self._space.add([dimension(name, spec) for name, spec in hyperparameters.items()])
        self._readers = {name: reader(spec) for name, spec in hyperparameters.items()}
        self._columns = [self._column(name, hyperparameters) for name in _parents_first(hyperparameters)]
        self._forbidden = [self._prohibition(each, hyperparameters) for each in forbidden]
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
                codes = next(filter(self._allowed, islice(self._sampled(size), limit)), None)
                state = self._space.random.get_state()
            if codes is not None:
                yield self._read(codes)
                return
            yield None
            limit -= size

    def number_allowed(self, seed: int, number: int) -> int:
        """How many of so many candidates are not forbidden."""
        with self._lock:
            _seed(self._space.random, seed, 0)
            candidates = chain.from_iterable(map(self._sampled, _sizes()))
            return sum(map(self._allowed, islice(candidates, number)))

    def _column(self, name: str, hyperparameters: Mapping[str, Hyperparameter]) -> _Column:
        from ConfigSpace import InCondition

        conditions = (
            InCondition(self._space[name], self._space[parent], [code_of(hyperparameters[parent], v) for v in values])
            for parent, values in hyperparameters[name].when.items()
        )
        return _Column(name, self._space.index_of[name], decoder(hyperparameters[name]), tuple(conditions))

    def _prohibition(
        self, combination: Condition, hyperparameters: Mapping[str, Hyperparameter]
    ) -> ForbiddenAndConjunction:
        from ConfigSpace import ForbiddenAndConjunction, ForbiddenInClause

        clauses = (
            ForbiddenInClause(self._space[name], [code_of(hyperparameters[name], value) for value in values])
            for name, values in combination.items()
        )
        return ForbiddenAndConjunction(*clauses)

    def _allowed(self, codes: dict[str, Any]) -> bool:
        return not any(each.is_forbidden_value(codes) for each in self._forbidden)

    def _read(self, codes: dict[str, Any]) -> dict[str, Any]:
        return {name: read(codes[name]) for name, read in self._readers.items() if codes[name] is not self._inactive}

    def _sampled(self, number: int) -> Iterator[dict[str, Any]]:
        """Codes of every hyperparameter for so many candidates, with conditions applied and prohibitions not."""
        for configuration in self._space.sample_configuration(number):
            yield self._active(configuration.get_array().tolist())

    def _active(self, places: Sequence[float]) -> dict[str, Any]:
        codes: dict[str, Any] = {}
        for column in self._columns:
            holds = all(condition.satisfied_by_value(codes) for condition in column.conditions)
            codes[column.name] = column.decode(places[column.index]) if holds else self._inactive
        return codes


def _sizes() -> Iterator[int]:
    """How many candidates are drawn at one go: few where one of the first will do."""
    return chain((2, 4, 8, 16, 32, 64), repeat(128))


def _parents_first(hyperparameters: Mapping[str, Hyperparameter]) -> Iterator[str]:
    return iter(TopologicalSorter({name: spec.when.keys() for name, spec in hyperparameters.items()}).static_order())


def _seed(random: RandomState, seed: int, trial: int) -> None:
    """NumPy's frozen generator, the same in every version of NumPy, from 256 bits of the seed and the trial.

    Seeding one again gives what a new one would, in an eighth of the time: a new one first asks the system for entropy.
    """
    from numpy import frombuffer

    random.seed(frombuffer(sha256(f"{seed} {trial}".encode()).digest(), dtype="<u4"))
