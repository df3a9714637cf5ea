"""The search space and the results as samplers take them: what exists beside what, and each trial by its last result.

Libraries that know neither conditions nor forbidden combinations get a flat space, in which every hyperparameter always
has a value: where it does not exist, its middle. Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...shared.sampling.protocol import TrialResult, same
from .parameters import Parameter

Condition = Mapping[str, Sequence[Any]]


class FlatParameter(Parameter):
    """A hyperparameter, and the flat values of its values: a number as it is, and for all others the index."""

    @property
    def is_fixed(self) -> bool:
        """Whether it has but one value."""
        return self.low == self.high

    @property
    def middle(self) -> float:
        """The flat value in the middle of its range; the first one of a categorical."""
        if self.is_categorical:
            return 0
        middle = math.sqrt(self.low) * math.sqrt(self.high) if self.log else self.low / 2 + self.high / 2
        return middle if self.kind == "float" else round(middle)

    def flat(self, value: Any) -> float:
        """A value as a number within its bounds."""
        if not self.values:
            return value
        return self.places[same(value)]

    def value(self, flat: float) -> Any:
        """The value of a number, which may be out of its bounds by what rounding does."""
        flat = min(max(float(flat), self.low), self.high)
        if self.kind == "float":
            return flat
        return self.values[round(flat)] if self.values else min(max(round(flat), round(self.low)), round(self.high))


class FlatSpace:
    """A search space of the neutral form."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.parameters = [FlatParameter.of(each) for each in document["parameters"]]
        self._forbidden: Sequence[Condition] = document.get("forbidden", [])

    @property
    def searched(self) -> list[FlatParameter]:
        """Those that have more than one value."""
        return [each for each in self.parameters if not each.is_fixed]

    def exists(self, parameter: FlatParameter, hyperparameters: Mapping[str, Any]) -> bool:
        """Whether it exists beside these, among which are all its parents that exist."""
        return agrees(parameter.when, hyperparameters)

    def is_forbidden(self, hyperparameters: Mapping[str, Any]) -> bool:
        """Whether a forbidden combination is in these."""
        return any(agrees(combination, hyperparameters) for combination in self._forbidden)

    def hyperparameters(self, flat: Mapping[str, float]) -> dict[str, Any]:
        """What a trial gets of a flat point: only what exists, constants among it."""
        found: dict[str, Any] = {}
        for each in self.parameters:
            if self.exists(each, found):
                found[each.name] = each.value(0 if each.is_fixed and each.values else flat[each.name])
        return found

    def flat(self, hyperparameters: Mapping[str, Any]) -> dict[str, float]:
        """A trial's hyperparameters as a flat point: of what does not exist the middle."""
        return {
            each.name: each.flat(hyperparameters[each.name]) if each.name in hyperparameters else each.middle
            for each in self.searched
        }


def agrees(condition: Condition, hyperparameters: Mapping[str, Any]) -> bool:
    """Whether all that a condition names exists and has a value that it allows."""
    return all(
        name in hyperparameters and same(hyperparameters[name]) in map(same, values)
        for name, values in condition.items()
    )


class FlatResults:
    """Each trial by its last result, of the highest resource; by losses, of which the smallest is the best."""

    def __init__(self, goal: str) -> None:
        self._sign = -1.0 if goal == "maximize" else 1.0
        self._last: dict[tuple[int | None, int], TrialResult] = {}

    def tell(self, result: TrialResult) -> None:
        """Takes a result in; the failure of a trial stands, whatever it had reached."""
        self._last[result.experiment, result.trial] = result

    def losses(self) -> Iterator[tuple[dict[str, Any], float | None]]:
        """The hyperparameters of each trial and its loss; None where it failed or reached no finite number."""
        for each in self._last.values():
            bad = each.failed or each.metric is None
            yield each.hyperparameters, None if bad or each.metric is None else self._sign * each.metric

    def bad_as_worst(self) -> tuple[list[dict[str, Any]], list[float]]:
        """The same in two lists, where the worst loss of all stands for each failure."""
        points = [*self.losses()]
        worst = max((loss for _, loss in points if loss is not None), default=0.0)
        return [point for point, _ in points], [worst if loss is None else loss for _, loss in points]

    def __len__(self) -> int:
        return len(self._last)
