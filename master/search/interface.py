"""What every searcher is: events in, answers out, with no clock, no I/O and no randomness.

A searcher decides which trial trains next, how far, and what becomes of it when it got there. It knows trials by
number only; hyperparameters, workers, leases and checkpoints are not its business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

#: The rules that searches go by. By rules 1 a bracket whose last rung no quota filled ended with no trial trained in
#: full; since rules 2 its winner trains to the end. A journal says from where on which rules held.
RULES = 2


class Goal(StrEnum):
    """What the metric should become."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Action(StrEnum):
    """What a trial does after a report."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Train:
    """Train `trial` from resource `start` to resource `target`; `new` when no trial of this number existed before."""

    trial: int
    bracket: int
    rung: int
    start: int
    target: int
    new: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to train now; something may come of the trials that run."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing runs and nothing can start: the search has ended."""


@dataclass(frozen=True, slots=True)
class SearchDecision:
    """What a trial does now. `target` is set for CONTINUE; `completed` tells a STOP at the last rung from a loss."""

    trial: int
    action: Action
    target: int | None = None
    completed: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """A trial entered a rung. `metric` is as reported, or None where it failed or was not finite (the worst place)."""

    bracket: int
    rung: int
    trial: int
    resource: int
    metric: float | None


@dataclass(frozen=True, slots=True)
class Promoted:
    """A trial was promoted from this rung: it may train on to the next one."""

    bracket: int
    rung: int
    trial: int


Effect = Entered | Promoted


@dataclass(frozen=True, slots=True)
class Step:
    """What one event led to.

    `effects` are the changes of rungs in the order in which they happened (what a ledger must store);
    `decisions` are those of trials other than the one asked about: a paused trial that was promoted past rungs
    which it had already reached may pause again, or be finished, without training.
    """

    answer: Train | Wait | Done | SearchDecision | None
    effects: tuple[Effect, ...] = ()
    decisions: tuple[SearchDecision, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as the ledger has it, for a restart.

    `rung` is the one it heads for while it trains, or the last that it entered; `resource` the furthest at which it
    entered a rung (0 before that); `running` whether the searcher waits for its report; `ended` whether it stopped,
    completed or failed. Discarded trials are given with `discarded`, since their numbers are not used again.
    """

    trial: int
    bracket: int
    rung: int
    resource: int
    running: bool
    ended: bool
    discarded: bool = False


@dataclass(frozen=True, slots=True)
class RungRecord:
    """A rung result as the ledger has it, for a restart."""

    bracket: int
    rung: int
    trial: int
    metric: float | None
    promoted: bool


@dataclass(frozen=True, slots=True)
class BracketPlan:
    """One bracket before it runs: its rungs' resources, and how many trials it makes and trains at once."""

    rungs: tuple[int, ...]
    max_trials: int
    max_concurrent_trials: int | None


class Searcher(Protocol):
    """A searcher's whole interface. Every call costs O(log n) in the number of trials."""

    @property
    def plan(self) -> tuple[BracketPlan, ...]:
        """The brackets, in order."""
        ...

    def next(self) -> Step:
        """A worker asks for work: Train, Wait or Done.

        The trial of a Train is running from now on, until a report pauses or stops it, or it fails.
        """
        ...

    def report(self, trial: int, resource: int, metric: float) -> Step:
        """A running trial reached `resource`: a Decision. Below its target that is CONTINUE to the same target.

        Raises UnknownTrial where `trial` is not running.
        """
        ...

    def fail(self, trial: int) -> Step:
        """A running trial failed for good: it takes the worst place in the rung it was heading for. No answer."""
        ...

    def discard(self, trial: int) -> Step:
        """A running trial's hyperparameters are invalid: it does not count, and another is made in its place.

        A trial that has entered a rung already fails instead. No answer.
        """
        ...

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing can start."""
        ...

    def restore(self, trials: Iterable[TrialRecord], results: Iterable[RungRecord]) -> None:
        """Takes up, on a fresh searcher, the state that the ledger recorded: trials by number, results in any order."""
        ...

    def follow(self, rules: int) -> None:
        """From now on it goes by the rules of this number, and not by RULES; for replays of older journals."""
        ...

    def limit(self, max_concurrent_trials: int | None) -> None:
        """From now on no more trials than these are started beside others; those that train go on. None: no limit."""
        ...

    def check(self) -> None:
        """Raises AssertionError where an invariant does not hold; for tests and `rungmaster db check`."""
        ...


class UnknownTrial(LookupError):
    """The trial is not running in this search: it never was, or a decision has already ended its assignment."""
