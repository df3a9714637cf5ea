"""The searchers that a spec can name, and the exact arithmetic of what fits."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    BeforeValidator,
    Discriminator,
    PlainValidator,
    SerializeAsAny,
    Tag,
    TypeAdapter,
    model_validator,
)

from ..errors import Problem
from ..limits import MAX_TRIALS
from ..space.grid import MAX_COMBINATIONS, grid_problems
from ..space.hyperparameters import Condition, Hyperparameter
from .fields import FieldProblems, Model, flag, limits_hold, listed, number, one_of, whole
from .settings import Concurrency

MAX_RUNGS = 100
"""The most rungs that a bracket may be asked to have."""

MAX_BRACKETS = 100
"""The most brackets of a search, which looks through all their rungs at each assignment."""

MAX_POPULATION = 10_000
"""The most trials of a PBT population."""

MAX_INTERVALS = 10_000
"""The most intervals of a PBT search, each of which is a rung."""

Divisor = Annotated[int | float, number(above=1, maximum=1e6)]
"""One in this many goes on from a rung."""

Goal = Literal["minimize", "maximize"]
Mode = Literal["aggressive", "standard", "conservative", "learned"]


def max_rungs_that_fit(eta: Fraction, value: int, limit: int = 10 * MAX_RUNGS) -> int:
    """How many rungs fit below `value` (a resource, or a number of trials): floor(log_eta(value)) + 1, exactly.

    Counted in integers, never with rounded logarithms: 243 is 3**5, so it takes six rungs. Counting ends at `limit`,
    more than any bracket can have, because a divisor close to 1 would fit millions.
    """
    rungs, power, scale = 1, eta.numerator, value * eta.denominator
    while power <= scale and rungs < limit:
        rungs, power, scale = rungs + 1, power * eta.numerator, scale * eta.denominator
    return rungs


def hyperband_trials(eta: Fraction, max_resource: int) -> tuple[int, ...]:
    """How many trials each bracket of Hyperband's grid makes: ⌈(s_max+1)/(s+1)·η^s⌉ for s = s_max … 0 (Li et al. 2018,
    algorithm 1)."""
    most = max_rungs_that_fit(eta, max_resource)
    return tuple(math.ceil(most * eta ** (rungs - 1) / rungs) for rungs in range(most, 0, -1))


def exact_divisor(divisor: float) -> Fraction:
    """A divisor, exactly as it was written: 2.5 is 5/2."""
    return Fraction(str(divisor))


class SearcherSpec(Model):
    """What the fields of every searcher have in common. What only one has is read by that searcher in `master/search`.

    `max_concurrent_trials`: the most trials at once; none: every free slot.
    """

    #: Whether new trials may take after others: start from their checkpoints, with hyperparameters made from theirs.
    inherits: ClassVar[bool] = False

    name: str
    max_concurrent_trials: Concurrency | None = None

    @property
    @abstractmethod
    def trials(self) -> int | None:
        """How many trials the search makes with hyperparameters that are drawn; None: it draws none."""

    @property
    def most_initial(self) -> int | None:
        """How many of its trials a spec may give itself; None: any number, for the others come after them."""
        return self.trials

    @property
    def resampled(self) -> float:
        """The probability that a hyperparameter of a trial that takes after another is drawn anew."""
        return 0.0

    def space_problems(
        self,
        hyperparameters: Mapping[str, Hyperparameter],  # noqa: ARG002 - most searchers take any space
        forbidden: Sequence[Condition],  # noqa: ARG002
    ) -> list[Problem]:
        """What it cannot do with this search space, by the paths of the spec."""
        return []


class RungSearcher(SearcherSpec):
    """What `sha`, `asha` and `adaptive_asha` share.

    `max_trials`: trials to make, at least 1. `max_resource`: how far a trial trains at most, in the spec's unit.
    `divisor`: one in this many is promoted from each rung; more than 1, may be fractional.
    `max_rungs`: the most rungs in a bracket.
    """

    max_trials: Annotated[int, whole(1, MAX_TRIALS)]
    max_resource: Annotated[int, whole(1)]
    divisor: Divisor = 4
    max_rungs: Annotated[int, whole(1, MAX_RUNGS)] = 5

    @property
    def trials(self) -> int:
        """How many trials the search makes."""
        return self.max_trials

    @property
    def eta(self) -> Fraction:
        """The divisor, exactly."""
        return exact_divisor(self.divisor)

    @property
    def rungs_that_fit(self) -> int:
        """The most rungs that a bracket can have with this resource, this number of trials and this divisor."""
        return min(max_rungs_that_fit(self.eta, self.max_resource), max_rungs_that_fit(self.eta, self.max_trials))


class RandomSpec(SearcherSpec):
    """Every trial trains to `max_resource`; `max_trials`: trials to make, at least 1."""

    name: Annotated[str, one_of("random")] = "random"
    max_trials: Annotated[int, whole(1, MAX_TRIALS)]
    max_resource: Annotated[int, whole(1)]

    @property
    def trials(self) -> int:
        """How many trials the search makes."""
        return self.max_trials


class GridSpec(SearcherSpec):
    """Every combination of the search space trains to `max_resource`, once; at most `max_trials` of them, if given."""

    name: Annotated[str, one_of("grid")] = "grid"
    max_trials: Annotated[int, whole(1, MAX_COMBINATIONS)] | None = None
    max_resource: Annotated[int, whole(1)]

    @property
    def trials(self) -> None:
        """Nothing is drawn."""
        return None

    @property
    def most_initial(self) -> int | None:
        """How many of its trials a spec may give itself: they come before the grid."""
        return self.max_trials

    def space_problems(
        self, hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]
    ) -> list[Problem]:
        """Where there is no end of values, or there are too many combinations, or none."""
        return grid_problems(hyperparameters, forbidden)


class AsynchronousSearcher(RungSearcher):
    """What `asha` and `adaptive_asha` share.

    `stop_once`: stop trials at rungs for good instead of pausing them.
    """

    stop_once: Annotated[bool, flag()] = False


class AshaSpec(AsynchronousSearcher):
    """One bracket with as many rungs as fit, up to `max_rungs`."""

    name: Annotated[str, one_of("asha")] = "asha"


class AdaptiveAshaSpec(AsynchronousSearcher):
    """Several brackets at once, from cautious to bold.

    `mode` chooses their sizes; `bracket_rungs` names the number of rungs of each outright.
    """

    name: Annotated[str, one_of("adaptive_asha")] = "adaptive_asha"
    mode: Annotated[Mode, one_of("aggressive", "standard", "conservative", "learned")] = "standard"
    bracket_rungs: Annotated[tuple[Annotated[int, whole(1, MAX_RUNGS)], ...], BeforeValidator(listed)] | None = None

    @model_validator(mode="after")
    def _brackets_fit(self) -> AdaptiveAshaSpec:
        problems = [*_rungs_do_not_fit(self), *_brackets_without_trials(self)]
        if problems:
            raise FieldProblems(problems)
        return self

    @property
    def brackets(self) -> int:
        """How many brackets this makes."""
        if self.bracket_rungs is not None:
            return len(self.bracket_rungs)
        rungs = min(self.max_rungs, self.rungs_that_fit)
        return {"aggressive": 1, "standard": rungs - (rungs - 1) // 2}.get(self.mode, rungs)


def _rungs_do_not_fit(spec: AdaptiveAshaSpec) -> list[Problem]:
    if spec.bracket_rungs is None:
        return []
    if not spec.bracket_rungs:
        return [Problem("bracket_rungs", "must name at least one bracket")]
    if len(spec.bracket_rungs) > MAX_BRACKETS and limits_hold():
        what = f"must name at most {MAX_BRACKETS} brackets, got {len(spec.bracket_rungs):,}"
        return [Problem("bracket_rungs", what)]
    fit = spec.rungs_that_fit
    why = f"max_resource {spec.max_resource}, max_trials {spec.max_trials} and divisor {spec.divisor}"
    return [
        Problem(f"bracket_rungs[{index}]", f"must be at most {fit} with {why}, got {rungs}")
        for index, rungs in enumerate(spec.bracket_rungs)
        if rungs > fit
    ]


def _brackets_without_trials(spec: AdaptiveAshaSpec) -> list[Problem]:
    """Each bracket needs a trial; only long `bracket_rungs` and divisors below 2 can make more brackets than trials."""
    if spec.brackets <= spec.max_trials:
        return []
    return [Problem("max_trials", f"must be at least {spec.brackets}, one for each bracket, got {spec.max_trials}")]


class PbtSpec(SearcherSpec):
    """Population based training: `population` trials side by side, each compared with the others at each `interval`.

    `max_resource`: how far a trial trains, in the spec's unit. `truncation`: the part of the population that counts as
    its worst, and as its best. `resample`: the probability that a hyperparameter of a new trial is drawn anew, and not
    changed from its parent's. `max_trials`: the most trials, those included that replace others; none: what replacing
    every trial at every interval takes.
    """

    inherits: ClassVar[bool] = True

    name: Annotated[str, one_of("pbt")] = "pbt"
    population: Annotated[int, whole(2, MAX_POPULATION)]
    interval: Annotated[int, whole(1)]
    max_resource: Annotated[int, whole(1)]
    truncation: Annotated[int | float, number(above=0, maximum=0.5)] = 0.25
    resample: Annotated[int | float, number(minimum=0, maximum=1)] = 0.25
    max_trials: Annotated[int, whole(1, MAX_TRIALS)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> PbtSpec:
        if problems := _pbt_problems(self):
            raise FieldProblems(problems)
        return self

    @property
    def trials(self) -> int:
        """How many trials the search makes with hyperparameters that are drawn."""
        return self.population

    @property
    def resampled(self) -> float:
        """The probability that a hyperparameter of a new trial is drawn anew."""
        return self.resample

    @property
    def intervals(self) -> int:
        """How many intervals there are up to `max_resource`; the last may be a shorter one."""
        return -(-self.max_resource // self.interval)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Where trials are compared, and in the end `max_resource`."""
        return (*range(self.interval, self.max_resource, self.interval), self.max_resource)

    @property
    def most_trials(self) -> int:
        """The most trials that the search makes."""
        return self.population * self.intervals if self.max_trials is None else self.max_trials


def _pbt_problems(spec: PbtSpec) -> list[Problem]:
    problems: list[Problem] = []
    if spec.interval > spec.max_resource:
        what = f"must be at most max_resource, which is {spec.max_resource}; got {spec.interval}"
        problems.append(Problem("interval", what))
    if spec.intervals > MAX_INTERVALS and limits_hold():
        what = f"makes {spec.intervals:,} intervals up to max_resource; there may be {MAX_INTERVALS:,}"
        problems.append(Problem("interval", what))
    if spec.max_trials is not None and spec.max_trials < spec.population:
        what = f"must be at least the population, which is {spec.population}; got {spec.max_trials}"
        problems.append(Problem("max_trials", what))
    return problems


class ShaSpec(RungSearcher):
    """One bracket with a barrier at each rung, and as many rungs as fit, up to `max_rungs`."""

    name: Annotated[str, one_of("sha")] = "sha"


class HyperbandSpec(SearcherSpec):
    """A grid of brackets with barriers, from one with most trials and rungs to one that trains all of its in full.

    `max_resource`: how far a trial trains at most, in the spec's unit. `divisor`: one in this many is promoted from
    each rung; more than 1, may be fractional. `iterations`: how often the whole grid is run.
    """

    name: Annotated[str, one_of("hyperband")] = "hyperband"
    max_resource: Annotated[int, whole(1)]
    divisor: Divisor = 4
    iterations: Annotated[int, whole(1, MAX_BRACKETS)] = 1

    @model_validator(mode="after")
    def _grid_is_bounded(self) -> HyperbandSpec:
        if limits_hold() and (problem := self._too_large()):
            raise FieldProblems([problem])
        return self

    def _too_large(self) -> Problem | None:
        brackets = max_rungs_that_fit(self.eta, self.max_resource, limit=MAX_BRACKETS + 1)
        why = f"max_resource {self.max_resource} and divisor {self.divisor}"
        if brackets > MAX_BRACKETS:
            what = f"must be larger: max_resource {self.max_resource} makes more than {MAX_BRACKETS} brackets with it"
            return Problem("divisor", f"{what}, got {self.divisor}")
        if brackets * self.iterations > MAX_BRACKETS:
            most = MAX_BRACKETS // brackets
            what = f"must be at most {most} with {why}, which make {brackets} brackets each time"
            return Problem("iterations", f"{what}, got {self.iterations}")
        if self.trials > MAX_TRIALS:
            what = f"make {self.trials:,} trials with iterations {self.iterations}, at most {MAX_TRIALS:,} are possible"
            return Problem("max_resource", f"must be smaller: {why} {what}")
        return None

    @property
    def trials(self) -> int:
        """How many trials all its brackets make."""
        return self.iterations * sum(hyperband_trials(self.eta, self.max_resource))

    @property
    def eta(self) -> Fraction:
        """The divisor, exactly."""
        return exact_divisor(self.divisor)


SEARCHERS: dict[str, type[SearcherSpec]] = {
    "asha": AshaSpec,
    "adaptive_asha": AdaptiveAshaSpec,
    "random": RandomSpec,
    "grid": GridSpec,
    "pbt": PbtSpec,
    "sha": ShaSpec,
    "hyperband": HyperbandSpec,
}
"""Every searcher by the name that a spec gives it."""


def _named(value: object) -> str | None:
    name = value.get("name") if isinstance(value, Mapping) else getattr(value, "name", None)
    return name if isinstance(name, str) and name in SEARCHERS else None


def _read(value: object) -> SearcherSpec:
    return _reader(tuple(SEARCHERS.items())).validate_python(value)


@cache
def _reader(searchers: tuple[tuple[str, type[SearcherSpec]], ...]) -> TypeAdapter[Any]:
    annotated = cast(Any, Annotated)
    any_of: Any = reduce(or_, (annotated[model, Tag(name)] for name, model in searchers))
    return TypeAdapter(annotated[any_of, Discriminator(_named)])


AnySearcher = Annotated[SerializeAsAny[SearcherSpec], PlainValidator(_read)]
"""The searcher of a spec: one of SEARCHERS by its name, with all its fields."""
