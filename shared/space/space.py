"""The search space: draws the hyperparameters of any trial, in any order, always the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..errors import InvalidSpec, Problem
from .candidates import Candidates
from .combinations import Code, Combinations
from .hyperparameters import Condition, Hyperparameter

if TYPE_CHECKING:
    from ..spec.spec import Spec

#: The rules by which hyperparameters are drawn; an experiment goes by those under which it began. By rules 1 each trial
#: was drawn by itself; since rules 2 the combinations of a small space come each once before any comes again; since
#: rules 3 a space is not small where they are so long that putting them in order takes more than a second or so.
DRAW_RULES = 3
#: The most combinations of a small space, and the most characters of all of them as JSON.
SMALL, SMALL_LENGTH = 10_000, 10_000_000
#: How many candidates tell whether the forbidden combinations leave enough to draw, and what part of them is enough;
#: fewer where there are very many hyperparameters, so that so many values are drawn.
PROBES, ENOUGH = 10_000, 0.01
PROBED_VALUES = 2_000_000
_SEEDS = 5
NOTHING_LEFT = Problem("forbidden", "rules out too much: no combination is left")


class Space:
    """A search space, made from the hyperparameters and forbidden combinations of a valid spec."""

    def __init__(
        self,
        hyperparameters: Mapping[str, Hyperparameter],
        forbidden: Sequence[Condition] = (),
        rules: int = DRAW_RULES,
    ) -> None:
        """What takes long is made at the first draw."""
        self._parts = hyperparameters, forbidden
        self._probes = min(PROBES, PROBED_VALUES // max(1, len(hyperparameters)))
        self._rules = rules
        self._lock = Lock()
        self._order: tuple[int, Sequence[Sequence[Code]]] | None = None

    def draw(self, seed: int, trial: int) -> dict[str, Any]:
        """The hyperparameters of a trial, as `search` finds them, however long that takes."""
        return next(found for found in self.search(seed, trial) if found is not None)

    def search(self, seed: int, trial: int) -> Iterator[dict[str, Any] | None]:
        """The hyperparameters of a trial, in the spec's order, as plain Python values that are the caller's own; before
        them comes None after each portion of work without any, so that nobody else has to wait for all of it.

        They depend on `seed` and `trial` alone. Hyperparameters whose `when` does not hold are left out; constants are
        in. Of a small space trial i gets combination i of all of them, shuffled by the seed, and after the last come
        the first again. Safe to call from several threads. Raises InvalidSpec where nearly everything is forbidden.
        """
        with self._lock:
            order = self._in_order(seed) if self.is_small else None
        if order is not None:
            if not order:
                raise InvalidSpec([NOTHING_LEFT])
            yield self._combinations.hparams(order[trial % len(order)])
            return
        with self._lock:
            candidates = self._candidates
        # Where one in a hundred is allowed, the first rules' number is as good as no limit, and takes minutes.
        limit = 100 * PROBES if self._rules < 3 else self._probes
        found = None
        for found in candidates.search(seed, trial, limit):
            yield found
        if found is None:
            raise InvalidSpec([_ruled_out(limit, 0)])

    def problems(self) -> list[Problem]:
        """What is wrong with it that shows only when it is drawn from: next to nothing is left. Takes some seconds at
        most, where very much is forbidden; where not, as good as nothing."""
        if self.number == 0:
            return [NOTHING_LEFT]
        if self.is_small:
            return []
        enough, allowed = math.ceil(ENOUGH * self._probes), 0
        for seed in range(_SEEDS):
            allowed += self._candidates.number_allowed(seed, self._probes // _SEEDS, enough - allowed)
        return [] if allowed >= enough else [_ruled_out(self._probes, allowed)]

    @cached_property
    def number(self) -> int | None:
        """How many combinations it has; None where there is no end of them, or they are too many to count."""
        return self._combinations.number()

    @cached_property
    def _combinations(self) -> Combinations:
        return Combinations(*self._parts)

    @cached_property
    def _candidates(self) -> Candidates:
        return Candidates(*self._parts)

    @property
    def is_small(self) -> bool:
        """Whether no combination comes twice before each has come once."""
        if self._rules < 2 or self.number is None or self.number > SMALL:
            return False
        return self._rules < 3 or self.number * self._combinations.length <= SMALL_LENGTH

    def _in_order(self, seed: int) -> Sequence[Sequence[Code]]:
        if self._order is None or self._order[0] != seed:
            self._order = seed, self._combinations.in_order(seed)
        return self._order[1]


def repetition(spec: Spec, space: Space) -> str:
    """What is to be said where a spec's space has fewer combinations than its search makes trials; empty elsewhere."""
    number, trials = space.number, spec.searcher.trials
    if number is None or trials is None or number >= trials:
        return ""
    if number == 1:
        return f"hyperparameters: there is 1 combination for {trials:,} trials: all are the same"
    then = "each comes once, and then again" if space.is_small else "some come several times"
    return f"hyperparameters: there are {number:,} combinations for {trials:,} trials: {then}"


def _ruled_out(drawn: int, allowed: int) -> Problem:
    enough = f"{allowed:,} are allowed, and one in {round(1 / ENOUGH)} has to be"
    found = enough if allowed else "every one is forbidden"
    return Problem("forbidden", f"rules out too much: of {drawn:,} combinations that were drawn, {found}")
