"""Hyperparameters made from others: a combination that is given in part is completed, and one is explored (PBT).

Nothing here needs ConfigSpace. What comes out is decided by a hash of the seed, the trial, the attempt and the
hyperparameter's name alone: it is the same on every machine and in every version.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidSpec, Problem
from ..spec.fields import did_you_mean, shown
from .chances import chance, drawn, drawn_among, part
from .clauses import parents_first
from .dimensions import coder, rounder
from .hyperparameters import Condition, ConstantSpec, FloatSpec, Hyperparameter, IntSpec, OrdinalSpec, same
from .values import value_problem
from .walk import Walk, code_of, value_of

#: How often a combination is drawn before all are taken to be forbidden; fewer times where there are very many
#: hyperparameters, so that so many values are drawn.
MOST_ATTEMPTS, MOST_VALUES = 10_000, 1_000_000
#: How often the hyperparameters of a child are explored before it gets its parent's own.
EXPLORATIONS = 100


def completed(
    hyperparameters: Mapping[str, Hyperparameter],
    forbidden: Sequence[Condition],
    given: Mapping[str, Any],
    seed: int,
    trial: int,
) -> dict[str, Any]:
    """A combination that has the values given, and else is drawn as the space has it; in the spec's order.

    Constants are in, and so is what the values given need to exist; what is forbidden is drawn again. Raises
    InvalidSpec with each problem at the name of a hyperparameter: one that is unknown, a value that it cannot have, or
    that does not exist beside the others; and without a path, where all is forbidden that can be drawn.
    """
    problems = [
        Problem(name, f"there is no such hyperparameter{did_you_mean(name, [*hyperparameters])}")
        for name in given
        if name not in hyperparameters
    ]
    known = {name: value for name, value in given.items() if name in hyperparameters}
    wrong = {name: problem for name, value in known.items() if (problem := value_problem(hyperparameters[name], value))}
    problems += [Problem(name, problem) for name, problem in wrong.items()]
    codes = {name: code_of(hyperparameters[name], value) for name, value in known.items() if name not in wrong}
    possible, impossible = _needed(hyperparameters, codes)
    if problems := [*problems, *impossible, *_ruled_out(hyperparameters, forbidden, codes)]:
        raise InvalidSpec(problems)
    space, attempts = Walk(hyperparameters, forbidden), _attempts(hyperparameters)
    for attempt in range(attempts):

        def choose(name: str, attempt: int = attempt) -> float:
            if name in codes:
                return codes[name]
            bits = chance("complete", seed, trial, attempt, name)
            spec = hyperparameters[name]
            return drawn_among(spec, possible[name], bits) if name in possible else drawn(spec, bits)

        if (found := space.combination(choose)) is not None:
            return found
    what = f"of {attempts:,} combinations with these values that were drawn, every one is forbidden"
    raise InvalidSpec([Problem("", f"{what}; give more of them")])


def explored(
    hyperparameters: Mapping[str, Hyperparameter],
    forbidden: Sequence[Condition],
    parent: Mapping[str, Any],
    seed: int,
    trial: int,
    resample: float,
) -> dict[str, Any]:
    """The hyperparameters of a trial that goes on from its parent's checkpoint, in the spec's order (Jaderberg et al.,
    "Population Based Training of Neural Networks", 2017, section 3: explore, by perturbing or resampling each).

    Each is drawn anew with the probability `resample`. Else a float or an int becomes 0.8 or 1.2 times what it was, cut
    off at its bounds: an int moves by one at least, and a float of 0, which no factor moves, is drawn anew. An ordinal
    moves one step down or up, cut off at its ends; categoricals and constants stay. What then exists and did not for
    the parent is drawn, and what does not is left out. What is forbidden is explored again; after EXPLORATIONS attempts
    the parent's own are kept. The parent's are values of this space.
    """
    codes = {name: code_of(spec, parent[name]) for name, spec in hyperparameters.items() if name in parent}
    space = Walk(hyperparameters, forbidden)
    for attempt in range(EXPLORATIONS):

        def choose(name: str, attempt: int = attempt) -> float:
            def bits(what: str) -> int:
                return chance("explore", what, seed, trial, attempt, name)

            spec = hyperparameters[name]
            anew = name not in codes or (not isinstance(spec, ConstantSpec) and part(bits("anew")) < resample)
            moved = None if anew else _moved(spec, codes[name], up=bool(bits("up") & 1))
            return drawn(spec, bits("value")) if moved is None else moved

        if (found := space.combination(choose)) is not None:
            return found
    return copy.deepcopy(dict(parent))


def _attempts(hyperparameters: Mapping[str, Hyperparameter]) -> int:
    return min(MOST_ATTEMPTS, MOST_VALUES // max(1, len(hyperparameters)))


def _moved(spec: Hyperparameter, code: float, *, up: bool) -> float | None:
    """A step away from a code; None where there is none to take."""
    if isinstance(spec, FloatSpec):
        moved = code * (1.2 if up else 0.8)
        return None if moved == code else rounder(spec)(moved)
    if isinstance(spec, IntSpec):
        return min(max(_moved_whole(int(code), up=up), spec.low), spec.high)
    if isinstance(spec, OrdinalSpec):
        return min(max(code + (1 if up else -1), 0), len(spec.values) - 1)
    return code


def _moved_whole(value: int, *, up: bool) -> int:
    size = abs(value)
    # In whole numbers, which no machine rounds in a way of its own.
    moved = max((size * 12 + 5) // 10, size + 1) if up else min((size * 8 + 5) // 10, size - 1)
    return -moved if value < 0 else moved


def _needed(
    hyperparameters: Mapping[str, Hyperparameter], codes: Mapping[str, float]
) -> tuple[dict[str, list[int]], list[Problem]]:
    """The codes that are left to what was not given, so that all that was given exists; and why that cannot be."""
    possible: dict[str, list[int]] = {}
    problems: list[Problem] = []
    #: Which of the given ones needs it.
    needs = {name: name for name in codes}
    for name in reversed(parents_first(hyperparameters)):
        if name not in needs:
            continue
        for parent, values in hyperparameters[name].when.items():
            wanted = [*dict.fromkeys(map(coder(hyperparameters[parent]), values))]
            left = [code for code in possible.get(parent, wanted) if code in wanted]
            only = f"exists only where {parent} is {' or '.join(map(shown, values[:8]))}"
            if parent in codes:
                if codes[parent] not in wanted:
                    is_now = shown(value_of(hyperparameters[parent], codes[parent]))
                    problems.append(Problem(needs[name], f"{only}, and it is {is_now}"))
            elif left:
                possible[parent] = left
                needs.setdefault(parent, needs[name])
            else:
                problems.append(Problem(needs[name], f"{only}, and {needs[parent]} needs another value of that"))
    return possible, problems


def _ruled_out(
    hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition], codes: Mapping[str, float]
) -> list[Problem]:
    """The forbidden combinations with which what was given agrees already."""
    always = {name: 0 for name, spec in hyperparameters.items() if isinstance(spec, ConstantSpec) and not spec.when}
    shape = {name: same(value_of(hyperparameters[name], code)) for name, code in {**always, **codes}.items()}
    agreeing = [
        index
        for index, combination in enumerate(forbidden)
        if all(name in shape and shape[name] in map(same, values) for name, values in combination.items())
    ]
    return [Problem("", f"is ruled out by forbidden[{index}]") for index in agreeing[:1]]
