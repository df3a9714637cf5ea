"""The sampler `cqr`: conformalised quantile regression (Salinas, Golebiowski, Klein, Seeger and Archambeau, "Optimizing
Hyperparameters with Conformal Quantile Regression", ICML 2023, sections 3 and 4), for any searcher.

Each trial counts with its last result, however far it has trained: under ASHA the better ones have trained further.
Gradient-boosted trees predict some quantiles of it, which a part of the trials, held out, corrects. Then comes Thompson
sampling: of many random candidates each has a quantile by chance, and the one whose quantile is least is suggested.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..shared.sampling.protocol import Pending, Start, TrialResult
from .history import History
from .serve import Suggested, main
from .spaces.columns import Codes
from .spaces.space import NeutralSpace, name_of

LEVELS = (1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6)
"""The quantiles that are predicted; the first with the last is one interval, the second with the last but one."""

CANDIDATES = 2_000
"""Random draws, of which one is suggested."""

LEAST = 6
"""With fewer results than these, suggestions are drawn at random."""

HELD_OUT, LEAST_CORRECTED = 0.1, 30
"""The part of the results that corrects the prediction of the others, once there are so many."""

MOST_FITTED = 1_000
"""The most results that are fitted; of more, some are taken by chance. They take about a second."""

TREES, DEPTH, LEAST_IN_LEAF, LEARNING_RATE = 25, 3, 3, 0.2

Numbers = NDArray[np.float64]


class Cqr:
    """Suggests hyperparameters by predicted quantiles."""

    name = "cqr"

    def start(self, start: Start) -> None:
        """What is searched."""
        # It takes a second or two, and is not to wait for the first results.
        import sklearn.ensemble  # noqa: F401 - it is used once there are results

        self._space = NeutralSpace(start.space)
        self._history = History(start, self._space)

    def tell(self, result: TrialResult) -> None:
        """A result."""
        self._history.tell(result)

    def suggest(self, count: int, pending: Sequence[Pending]) -> Iterator[Suggested]:
        """So many suggestions."""
        random = self._history.random(pending)
        tried = self._history.tried(pending)
        rows, losses = self._results(random)
        model = Quantiles(self._features(rows), losses, random) if len(losses) >= LEAST else None
        for _ in range(count):
            candidates = self._space.drawn(random, CANDIDATES if model else 100)
            order = range(len(candidates))
            if model is not None:
                order = np.argsort(model.sampled(self._features(candidates), random), kind="stable").tolist()
            ordered = (self._space.decoded(candidates[place]) for place in order)
            found = next((each for each in ordered if name_of(each) not in tried), None)
            if found is None:
                found = self._space.decoded(candidates[order[0]])
            tried.add(name_of(found))
            yield found, "random" if model is None else f"the model of {len(losses)} results"

    def _results(self, random: Generator) -> tuple[Codes, Numbers]:
        """The rows of trials, and how their last results rank."""
        observed = self._history.last()
        rows, losses = observed.rows, observed.losses
        if len(losses) > MOST_FITTED:
            some = random.choice(len(losses), MOST_FITTED, replace=False)
            rows, losses = rows[some], losses[some]
        return rows, _normal_scores(losses)

    def _features(self, rows: Codes) -> Codes:
        """What trees can split: a number as it is, a choice as one number for each; -1 for what does not exist."""
        features: list[Codes] = []
        for place in self._space.varying:
            column, codes = self._space.columns[place], rows[:, place]
            if column.is_categorical:
                features += [np.where(np.isnan(codes), -1.0, codes == choice) for choice in range(column.size)]
            else:
                features.append(np.nan_to_num(codes, nan=-1.0))
        return np.column_stack(features) if features else np.zeros((len(rows), 1))


def _normal_scores(losses: Numbers) -> Numbers:
    """Ranks, as places of a normal distribution: a loss that is far from all others must not outweigh them."""
    ordered = np.sort(losses)
    middles = (np.searchsorted(ordered, losses, side="left") + np.searchsorted(ordered, losses, side="right")) / 2
    distribution = NormalDist()
    return np.array([distribution.inv_cdf(middle / len(losses)) for middle in middles.tolist()])


class Quantiles:
    """Quantiles of losses by features."""

    def __init__(self, features: Codes, losses: Numbers, random: Generator) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor

        held_out = np.zeros(len(losses), dtype=bool)
        if len(losses) >= LEAST_CORRECTED:
            held_out[random.choice(len(losses), math.ceil(HELD_OUT * len(losses)), replace=False)] = True
        state = int(random.integers(2**31))
        self._models = [
            HistGradientBoostingRegressor(
                loss="quantile",
                quantile=level,
                max_iter=TREES,
                max_depth=DEPTH,
                min_samples_leaf=LEAST_IN_LEAF,
                learning_rate=LEARNING_RATE,
                random_state=state,
            ).fit(features[~held_out], losses[~held_out])
            for level in LEVELS
        ]
        self._corrections = np.zeros(len(LEVELS))
        if held_out.any():
            self._corrections = self._correction(features[held_out], losses[held_out])

    def _correction(self, features: Codes, losses: Numbers) -> Numbers:
        """What makes each interval hold as large a part of the held-out results as it should (section 3.2)."""
        predicted = self.predicted(features)
        corrections = np.zeros(len(LEVELS))
        for low, level in enumerate(LEVELS[: len(LEVELS) // 2]):
            high = len(LEVELS) - 1 - low
            outside = np.maximum(predicted[:, low] - losses, losses - predicted[:, high])
            part = min((1 - 2 * level) * (1 + 1 / len(losses)), 1.0)
            wider = np.quantile(outside, part, method="higher")
            corrections[low], corrections[high] = -wider, wider
        return corrections

    def predicted(self, features: Codes) -> Numbers:
        """The quantiles for each row, by LEVELS."""
        return np.column_stack([model.predict(features) for model in self._models]) + self._corrections

    def sampled(self, features: Codes, random: Generator) -> Numbers:
        """For each row one of its quantiles, by chance."""
        predicted = self.predicted(features)
        return predicted[np.arange(len(features)), random.integers(len(LEVELS), size=len(features))]


if __name__ == "__main__":
    main(Cqr)
