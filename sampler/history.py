"""What a sampler was told of trials, as rows of codes and losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from ..shared.sampling.protocol import Pending, Start, TrialResult
from .spaces.columns import Codes
from .spaces.space import NeutralSpace, name_of

Trial = tuple[int | None, int]
"""An earlier experiment, or None for the one that is searched, and a trial of it."""


class Observed(NamedTuple):
    """Rows of trials and their losses: less is better, infinity for a trial that failed or has no finite result."""

    rows: Codes
    losses: NDArray[np.float64]


class History:
    """The results of a search, and of those by which it was warmed up."""

    def __init__(self, start: Start, space: NeutralSpace) -> None:
        self._start = start
        self._space = space
        self._rungs = sorted(start.resources)
        self._rows: dict[Trial, Codes] = {}
        #: By the resource of a rung, the loss of each trial that reached it.
        self._losses: dict[int, dict[Trial, float]] = {}
        self._failed: set[Trial] = set()
        self._last: dict[Trial, float] = {}
        #: The names of hyperparameters that were tried.
        self._tried: set[str] = set()
        self._told = 0
        self._asked: tuple[str, int] = ("", 0)

    def tell(self, result: TrialResult) -> None:
        """Takes in a result."""
        self._told += 1
        trial = result.experiment, result.trial
        if trial not in self._rows:
            self._rows[trial] = self._space.encoded(result.hyperparameters)
        if result.experiment is None:
            self._tried.add(name_of(result.hyperparameters))
        if result.failed:
            self._failed.add(trial)
            return
        sign = 1 if self._start.goal == "minimize" else -1
        loss = math.inf if result.metric is None else sign * result.metric
        self._losses.setdefault(self._rung(result.resource), {})[trial] = loss
        self._last[trial] = loss

    def _rung(self, resource: int) -> int:
        """The highest rung that was reached: coarse reports may pass some."""
        return max((rung for rung in self._rungs if rung <= resource), default=self._rungs[0])

    def random(self, pending: Sequence[Pending]) -> Generator:
        """Chance that depends on the seed, on how much was told and on what is pending alone, and is another one where
        the same is asked again."""
        waiting = sorted(f"{each.trial} {name_of(each.hyperparameters)}" for each in pending)
        asked = f"{self._start.seed} {self._told} {waiting}"
        self._asked = asked, self._asked[1] + 1 if self._asked[0] == asked else 0
        digest = sha256(f"{asked} {self._asked[1]}".encode()).digest()
        return Generator(PCG64(int.from_bytes(digest[:16])))

    def tried(self, pending: Sequence[Pending]) -> set[str]:
        """The names of all hyperparameters that were tried or are being tried."""
        return self._tried | {name_of(each.hyperparameters) for each in pending}

    def finite(self, resource: int) -> int:
        """How many trials have a finite result at a rung."""
        return sum(map(math.isfinite, self._losses.get(resource, {}).values()))

    @property
    def resources(self) -> list[int]:
        """Those of rungs with results, the highest first."""
        return sorted(self._losses, reverse=True)

    def at(self, resource: int) -> Observed:
        """The trials at a rung, best first. One that failed before it could come there is among them, as the worst."""
        losses = self._losses.get(resource, {})
        failed = {trial: math.inf for trial in self._failed if trial not in losses}
        ordered = sorted((losses | failed).items(), key=lambda pair: pair[1])
        return self._observed(ordered)

    def behind(self, resource: int) -> Codes:
        """The trials that have a result at a lower rung and none at this one."""
        ahead = {trial for rung, losses in self._losses.items() if rung >= resource for trial in losses}
        lower = {trial: None for rung, losses in self._losses.items() if rung < resource for trial in losses}
        return self._observed([(trial, math.inf) for trial in lower if trial not in ahead | self._failed]).rows

    def last(self) -> Observed:
        """Each trial with the loss of its last result, however far it had trained. One that failed, or whose result is
        no finite number, is as bad as the worst of all others."""
        losses = {trial: math.inf if trial in self._failed else self._last.get(trial, math.inf) for trial in self._rows}
        worst = max(filter(math.isfinite, losses.values()), default=0.0)
        return self._observed([(trial, min(loss, worst)) for trial, loss in losses.items()])

    def _observed(self, trials: Sequence[tuple[Trial, float]]) -> Observed:
        rows = [self._rows[trial] for trial, _ in trials]
        width = len(self._space.columns)
        return Observed(np.array(rows).reshape(len(rows), width), np.array([loss for _, loss in trials], dtype=float))
