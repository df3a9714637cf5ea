"""The search space: draws the hyperparameters of any trial, in any order, always the same.

ConfigSpace draws, and its conditions and forbidden clauses decide. Only the order in which conditions are looked at is
ours: ConfigSpace 1.2 keeps hyperparameters whose parent is inactive where conditions are nested (in one in ten small
random spaces), and needs time exponential in the depth (4 s for a chain of 14). It is imported when a space is made,
and not before, since that takes a second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

from .dimensions import code_of, decoder, dimension, reader
from .errors import InvalidSpec, Problem
from .hyperparameters import Condition, Hyperparameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ConfigSpace import ForbiddenAndConjunction, InCondition
    from numpy.random import RandomState

    from .spec import Spec

PROBES = 10_000
"""How many candidates decide whether the forbidden combinations leave anything to draw."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A hyperparameter's column in what ConfigSpace draws, and how to read it."""

    name: str
    index: int
    decode: Callable[[float], float]
    conditions: tuple[InCondition, ...]


class Space:
    """A search space, made from the hyperparameters and forbidden combinations of a valid spec.

    Raises InvalidSpec where the forbidden combinations leave next to nothing to draw.
    """

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
        if self._forbidden:
            self._first_allowed(0, 0, PROBES)

    def draw(self, seed: int, trial: int) -> dict[str, Any]:
        """The hyperparameters of a trial, in the spec's order, as plain Python values that are the caller's own.

        They depend on `seed` and `trial` alone. Hyperparameters whose `when` does not hold are left out; constants are
        in. Costs about 0.2 ms; safe to call from several threads.
        """
        codes = self._first_allowed(seed, trial, 100 * PROBES)
        return {name: read(codes[name]) for name, read in self._readers.items() if codes[name] is not self._inactive}

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

    def _first_allowed(self, seed: int, trial: int, limit: int) -> dict[str, Any]:
        with self._lock:
            _seed(self._space.random, seed, trial)
            for codes in islice(self._candidates(), limit):
                if not any(each.is_forbidden_value(codes) for each in self._forbidden):
                    return codes
        message = f"rules out too much: of {limit} combinations that were drawn, every one is forbidden"
        raise InvalidSpec([Problem("forbidden", message)])

    def _candidates(self) -> Iterator[dict[str, Any]]:
        """Codes of every hyperparameter, with conditions applied and prohibitions not, without end."""
        batch = 2
        while True:
            for configuration in self._space.sample_configuration(batch):
                yield self._active(configuration.get_array().tolist())
            batch = min(2 * batch, 128)

    def _active(self, places: Sequence[float]) -> dict[str, Any]:
        codes: dict[str, Any] = {}
        for column in self._columns:
            holds = all(condition.satisfied_by_value(codes) for condition in column.conditions)
            codes[column.name] = column.decode(places[column.index]) if holds else self._inactive
        return codes


def check_space(spec: Spec) -> list[Problem]:
    """What is wrong with a spec's space that shows only when it is drawn from. Imports ConfigSpace."""
    try:
        Space(spec.hyperparameters, spec.forbidden)
    except InvalidSpec as error:
        return [*error.problems]
    return []


def _parents_first(hyperparameters: Mapping[str, Hyperparameter]) -> Iterator[str]:
    return iter(TopologicalSorter({name: spec.when.keys() for name, spec in hyperparameters.items()}).static_order())


def _seed(random: RandomState, seed: int, trial: int) -> None:
    """NumPy's frozen generator, the same in every version of NumPy, from 256 bits of the seed and the trial.

    Seeding one again gives what a new one would, in an eighth of the time: a new one first asks the system for entropy.
    """
    from numpy import frombuffer

    random.seed(frombuffer(sha256(f"{seed} {trial}".encode()).digest(), dtype="<u4"))
