"""Earlier experiments from whose results a search begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..errors import Problem
from .fields import FieldProblems, got, limits_hold, whole
from .samplers import SamplerSpec

MAX_EARLIER = 20
"""The most experiments that a spec may name."""

BEST: Literal["best"] = "best"
"""In place of a list of initial trials: the best of the earlier experiments, chosen when the spec is submitted."""


def earlier(value: object) -> object:
    """Experiments by their numbers, as a model keeps them."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of experiments, such as [3, 7]; got {got(value)}")
    if len(value) > MAX_EARLIER and limits_hold():
        raise ValueError(f"must be at most {MAX_EARLIER} experiments, got {len(value)}")
    again = [Problem(f"[{place}]", "is there already") for place, each in enumerate(value) if each in value[:place]]
    if again:
        raise FieldProblems(again)
    return tuple(value)


Earlier = whole(1)
"""The number of an experiment."""


def initial(value: object) -> object:
    """Initial trials as a model keeps them."""
    if value == BEST:
        return value
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of hyperparameters, or {BEST}; got {got(value)}")
    wrong = [
        Problem(f"[{place}]", f"must be a mapping from hyperparameters to values, got {got(each)}")
        for place, each in enumerate(value)
        if not isinstance(each, Mapping)
    ]
    if wrong:
        raise FieldProblems(wrong)
    return tuple(value)


def warm_start_problems(
    experiments: Sequence[int], sampler: SamplerSpec, initial_trials: Sequence[Any]
) -> list[Problem]:
    """What of it would serve nothing, by the paths of the spec."""
    if initial_trials == BEST and not experiments:
        return [Problem("initial_trials", f"{BEST} needs the experiments whose best they are, as warm_start: [3, 7]")]
    if experiments and not initial_trials and not sampler.is_program:
        learns = f"serves nothing with sampler {sampler.name}, which learns from no results"
        return [Problem("warm_start", f"{learns}; name another one, or add initial_trials: {BEST}")]
    return []
