"""The sampler `bohb`: the model of BOHB (Falkner, Klein and Hutter, "BOHB: Robust and Efficient Hyperparameter
Optimization at Scale", ICML 2018, section 4), for any searcher.

The trials at the highest rung with enough results are split into the best 15 % and the rest, and a density is fitted to
each. Of 64 candidates from the density of the good ones, made wider, the one is suggested that is likeliest among the
good and unlikeliest among the bad. Every third suggestion, about, is drawn without the model; where hyperparameters
have priors, as PriorBand has it (`prior.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.random import Generator

from ..shared.sampling.protocol import Pending, Start, TrialResult
from .density import Density
from .history import History
from .prior import EVEN, Incumbent
from .serve import Suggested, main
from .spaces.columns import Codes
from .spaces.space import NeutralSpace, name_of

GOOD = 0.15
"""The best part of the trials at a rung."""

CANDIDATES = 64
"""Draws from the density of the good, of which the best is suggested."""

AT_RANDOM = 1 / 3
"""The part of the suggestions that no model makes."""

FACTOR = 3.0
"""How much wider than the density of the good the one is from which candidates are drawn."""

MOST_FITTED = 2_000
"""The most rows of the bad that are fitted; of more, some are taken by chance."""

ATTEMPTS = 100
"""How often something that was not tried yet is drawn, before something is tried again."""


class Bohb:
    """Suggests hyperparameters by two densities."""

    name = "bohb"

    def start(self, start: Start) -> None:
        """What is searched."""
        self._space = NeutralSpace(start.space)
        self._history = History(start, self._space)
        rungs = sorted(start.resources)
        self._eta = rungs[-1] / rungs[-2] if len(rungs) > 1 else 3.0

    def tell(self, result: TrialResult) -> None:
        """A result."""
        self._history.tell(result)

    def suggest(self, count: int, pending: Sequence[Pending]) -> Iterator[Suggested]:
        """So many suggestions."""
        random = self._history.random(pending)
        tried = self._history.tried(pending)
        model = self._model(random)
        incumbent = Incumbent(self._history, self._space, self._eta) if self._space.has_prior else None
        for _ in range(count):
            hyperparameters, note = self._suggestion(random, model, incumbent, tried)
            tried.add(name_of(hyperparameters))
            yield hyperparameters, note

    def _suggestion(
        self, random: Generator, model: _Model | None, incumbent: Incumbent | None, tried: set[str]
    ) -> Suggested:
        if model is not None and random.random() >= AT_RANDOM:
            for row in model.candidates(random):
                if name_of(found := self._space.decoded(row)) not in tried:
                    return found, model.note
        drawn = self._draw(random, incumbent)
        for _ in range(ATTEMPTS):
            if name_of(drawn[0]) not in tried:
                break
            drawn = self._draw(random, incumbent)
        return drawn

    def _draw(self, random: Generator, incumbent: Incumbent | None) -> Suggested:
        """Hyperparameters without the model."""
        if incumbent is None or random.random() < EVEN:
            [row] = self._space.drawn(random, 1, by_prior=False)
            return self._space.decoded(row), "random"
        if random.random() >= incumbent.prior_share:
            rows = self._space.existing(incumbent.neighbour(random)[None, :])
            if self._space.allowed(rows)[0]:
                return self._space.decoded(rows[0]), "near the best trial"
        [row] = self._space.drawn(random, 1)
        return self._space.decoded(row), "prior"

    def _model(self, random: Generator) -> _Model | None:
        """Of the highest rung with enough results; None where no rung has."""
        least = len(self._space.varying) + 1
        for resource in self._history.resources:
            finite = self._history.finite(resource)
            if self._space.varying and finite >= least + 2:
                observed = self._history.at(resource)
                number = len(observed.rows)
                good = min(max(least, int(GOOD * number)), finite)
                # Those that did not come so far were chosen from, and are worse than what was chosen: the others at
                # this rung alone are all good, and tell nothing of where bad ones lie.
                rows = np.concatenate([observed.rows, self._history.behind(resource)])
                bad = max(least, len(rows) - good)
                note = f"the best {good} of {number} trials at {resource}"
                return _Model(self._space, rows[:good], rows[len(rows) - bad :], note, random)
        return None


class _Model:
    """Densities of the good and the bad rows."""

    def __init__(self, space: NeutralSpace, good: Codes, bad: Codes, note: str, random: Generator) -> None:
        self.note = note
        self._space = space
        columns = [space.columns[place] for place in space.varying]
        if len(bad) > MOST_FITTED:
            bad = bad[random.choice(len(bad), MOST_FITTED, replace=False)]
        self._good, self._bad = (Density(_imputed(rows, space, random), columns) for rows in (good, bad))

    def candidates(self, random: Generator) -> Iterator[Codes]:
        """Rows that are allowed, the most promising first."""
        drawn = self._good.drawn(random, CANDIDATES, FACTOR)
        rows = self._space.everything(random, CANDIDATES)
        rows[:, self._space.varying] = drawn
        promising = self._good.logs(drawn) - self._bad.logs(drawn)
        rows = self._space.existing(rows)
        allowed = self._space.allowed(rows)
        return (rows[place] for place in np.argsort(-promising, kind="stable") if allowed[place])


def _imputed(rows: Codes, space: NeutralSpace, random: Generator) -> Codes:
    """The varying columns, where what is lacking is another row's by chance, or drawn where all lack it."""
    full = rows[:, space.varying].copy()
    drawn = space.everything(random, len(rows))[:, space.varying]
    for place, codes in enumerate(full.T):
        lacking = np.isnan(codes)
        if lacking.any():
            there = codes[~lacking]
            codes[lacking] = random.choice(there, lacking.sum()) if len(there) else drawn[lacking, place]
    return full


if __name__ == "__main__":
    main(Bohb)
