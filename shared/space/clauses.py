"""What conditions and forbidden combinations say of a combination of codes, asked one hyperparameter after the other.

Every `when` and every forbidden combination is a clause: hyperparameters, and the codes that each may have there. Each
clause has a bit, and a combination that is gone through parents first keeps those with which it agrees so far. So a
step costs the same whatever clauses name: with a loop over what they name, a spec of a few kilobytes took minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .dimensions import coder
from .hyperparameters import Condition, Hyperparameter

ALL = -1
"""Before the first hyperparameter: nothing disagrees with any clause."""


@dataclass(frozen=True, slots=True)
class ClausePosition:
    """A hyperparameter among those before it. `agreed`, here, are the clauses that all before it agree with."""

    name: str
    #: The clause by which it exists; 0: it always does.
    condition: int
    #: The forbidden combinations that are decided here: it is the last that they name.
    decided: int
    #: The clauses that do not name it; those that do agree with neither its absence nor any other code.
    others: int
    #: By code, the clauses that agree with that, among them all that do not name it.
    agreeing: Mapping[float, int]
    #: The clauses about which anything after it asks.
    wanted: int

    def exists(self, agreed: int) -> bool:
        """Whether it exists there."""
        return not self.condition or bool(agreed & self.condition)

    def after(self, agreed: int, code: float | None) -> int:
        """The clauses that still agree once it has this code; None: it does not exist."""
        return agreed & (self.others if code is None else self.agreeing.get(code, self.others))


def parents_first(hyperparameters: Mapping[str, Hyperparameter]) -> list[str]:
    """The names of all in the spec's order, but each after those on which its condition depends."""
    names: dict[str, None] = {}
    opened: set[str] = set()
    waiting = [*hyperparameters][::-1]
    while waiting:
        name = waiting.pop()
        if name in opened:
            # What it depends on stood above it, and has its place by now.
            names[name] = None
            continue
        opened.add(name)
        waiting += [name, *(parent for parent in reversed(hyperparameters[name].when) if parent not in opened)]
    return [*names]


def places_of(
    names: Sequence[str], hyperparameters: Mapping[str, Hyperparameter], forbidden: Sequence[Condition]
) -> tuple[ClausePosition, ...]:
    """The places of some hyperparameters, parents first; `forbidden` names none but them."""
    position = {name: index for index, name in enumerate(names)}
    conditions = [name for name in names if hyperparameters[name].when]
    clauses = [*(hyperparameters[name].when for name in conditions), *forbidden]
    condition_of = {name: 1 << bit for bit, name in enumerate(conditions)}
    decided, naming = [0] * len(names), [0] * len(names)
    agreeing: list[dict[float, int]] = [{} for _ in names]
    code_of = {name: coder(hyperparameters[name]) for name in {name for clause in clauses for name in clause}}
    for bit, clause in enumerate(clauses):
        for name, values in clause.items():
            place = position[name]
            naming[place] |= 1 << bit
            codes = agreeing[place]
            for value in values:
                code = code_of[name](value)
                codes[code] = codes.get(code, 0) | 1 << bit
        if bit >= len(conditions):
            decided[max(position[name] for name in clause)] |= 1 << bit
    everything, wanted = (1 << len(clauses)) - 1, [0] * len(names)
    for place in range(len(names) - 1, 0, -1):
        wanted[place - 1] = wanted[place] | decided[place] | condition_of.get(names[place], 0)
    return tuple(
        ClausePosition(
            name,
            condition_of.get(name, 0),
            decided[place],
            others := everything & ~naming[place],
            {code: others | agree for code, agree in agreeing[place].items()},
            wanted[place],
        )
        for place, name in enumerate(names)
    )
