"""What every searcher is: events in, answers out, with no clock, no I/O and no chance.

A searcher decides which trial trains next, how far, and what becomes of it when it got there. It knows trials by
number; workers, leases and checkpoints are not its business. What only one searcher's spec has is read in its own file:
whoever plans, prices, checks or replays a search asks the searcher.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, Self

from ...shared.space.hyperparameters import Condition, Hyperparameter

#: The rules that searches go by. By rules 1 a bracket whose last rung no quota filled ended with no trial trained in
#: full; since rules 2 its winner trains to the end. A journal says from where on which rules held.
RULES = 2


class Goal(StrEnum):
    """What the metric should become."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"

    @property
    def sign(self) -> float:
        """What a metric is multiplied by to be ranked: less is better then, whatever the goal."""
        return 1.0 if self is Goal.MINIMIZE else -1.0


@dataclass(frozen=True, slots=True)
class SearchContext:
    """What a searcher may need of a spec beside its own fields.

    `initial_trials` is how many trials have hyperparameters that the spec gives; they come first.
    """

    goal: Goal
    hyperparameters: Mapping[str, Hyperparameter] = field(default_factory=dict[str, Hyperparameter])
    forbidden: Sequence[Condition] = ()
    seed: int = 0
    initial_trials: int = 0


class Action(StrEnum):
    """What a trial does after a report."""

    CONTINUE = "continue"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Train:
    """Train `trial` from resource `start` to resource `target`; `new` when no trial of this number existed before.

    Of a new trial, `parent` is the trial from whose latest checkpoint it starts (None: from nothing), and `hparams` are
    the hyperparameters that the searcher chose, with `origin` for people to know how, if there is more to tell than
    that (None: they come from the search space or a sampler, and may come late: for the searcher the trial runs all the
    same).
    """

    trial: int
    bracket: int
    rung: int
    start: int
    target: int
    new: bool
    parent: int | None = None
    hparams: Mapping[str, Any] | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to train now; something may come of the trials that run, or where decisions came with it of asking again.

    So a searcher may decide about a large rung in portions."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing runs and nothing can start: the search has ended."""


class Standing(NamedTuple):
    """Where a result stood when it was decided about: `rank` 1 is the best of the `entered` results in its rung, of
    which the best `quota` go on (None: nobody does from there)."""

    rank: int
    entered: int
    quota: int | None


@dataclass(frozen=True, slots=True)
class SearchDecision:
    """What a trial does now. `target` is set for CONTINUE; `completed` tells a STOP at the last rung from a loss.

    `standing` is what was decided by, where it was a rank; `reason` says the same to people, and to nobody else.
    `save` tells a trial that continues to save a checkpoint first, from which others may start.
    """

    trial: int
    action: Action
    target: int | None = None
    completed: bool = False
    reason: str = ""
    standing: Standing | None = None
    save: bool = False

    @classmethod
    def below_target(cls, trial: int, target: int) -> Self:
        """A trial has not come to its target yet, and trains on to it."""
        return cls(trial, Action.CONTINUE, target, reason=f"below its target {target}")


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

    `effects` are the changes of rungs in the order in which they happened (what a ledger must store), of any trial:
    where a barrier opens, several are promoted, and each trains once `next` gives its Train.
    `decisions` are about paused trials other than the one asked about, each at most once: one that was promoted past
    rungs which it had already reached may pause again, or be finished, without training; those that a barrier does not
    let through stop. A trial that trains is decided about by its own report alone.
    """

    answer: Train | Wait | Done | SearchDecision | None
    effects: tuple[Effect, ...] = ()
    decisions: tuple[SearchDecision, ...] = ()

    def enters(self, trial: int) -> bool:
        """Whether this trial entered a rung. One that was discarded counts where it did, as a failure."""
        return any(isinstance(effect, Entered) and effect.trial == trial for effect in self.effects)


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as the ledger has it, for a restart.

    `rung` is the one it heads for while it trains, or the last that it entered; `resource` the furthest at which it
    entered a rung (0 before that); `running` whether the searcher waits for its report; `ended` whether it stopped,
    completed or failed; `kept` whether it ended with a search that was extended since, and a checkpoint of it is kept.
    Discarded trials are given with `discarded`, since their numbers are not used again. `parent` is that of the Train
    that made it.
    """

    trial: int
    bracket: int
    rung: int
    resource: int
    running: bool
    ended: bool
    discarded: bool = False
    parent: int | None = None
    kept: bool = False


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
    """One bracket before it runs: its rungs' resources, and how many trials it makes (those that its lowest rung waits
    for) and trains at once.

    The brackets of a search are all `pooled` or none is. Those that are make their trials together: one may make fewer
    than planned and another more, and `max_concurrent_trials` is how many all of them train at once.
    """

    rungs: tuple[int, ...]
    max_trials: int
    max_concurrent_trials: int | None
    pooled: bool = False


def planned_resources(plan: Sequence[BracketPlan]) -> tuple[int, ...]:
    """The resources of all rungs, each once, ascending."""
    return tuple(sorted({resource for bracket in plan for resource in bracket.rungs}))


def planned_trials(plan: Sequence[BracketPlan]) -> int:
    """How many trials all brackets make, those not counted that were discarded."""
    return sum(bracket.max_trials for bracket in plan)


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """What a search is expected to cost, in its spec's unit of resource, and why.

    `entries` has how many trials reach each rung, by bracket; `full` is the cost of training every trial to the end.
    `assumption` says what has to hold, and `traits` what tells this search from others of its name, both for people.
    """

    entries: tuple[tuple[int, ...], ...]
    resource: int
    full: int
    assumption: str
    traits: str = ""

    @property
    def saved(self) -> float:
        """The part of full training that is not spent: 0.9 is nine tenths."""
        return 1 - self.resource / self.full


class PromotionRule(Protocol):
    """Judges a search's promotions by the results that it is told, and not by what the searcher has made of them: a
    replay finds so what the searcher did wrong then and would do wrong again."""

    def entered(self, result: Entered) -> None:
        """A trial entered a rung."""
        ...

    def promoted(self, promotion: Promoted) -> str:
        """A trial that entered this rung was promoted from it: why it should not have been, or nothing."""
        ...

    def extended(self, plan: Sequence[BracketPlan], kept: Callable[[int], bool] | None) -> None:
        """The search got more trials, and has this plan now. Where it had ended, only those of the trials that waited
        wait again for which `kept` is true; None: it had not."""
        ...


class Searcher(Protocol):
    """A searcher's whole interface.

    Every event costs O(log n) in the number of trials, and as much for each effect and decision that comes of it.
    """

    @property
    def plan(self) -> tuple[BracketPlan, ...]:
        """The brackets, in order, by the limit in force. There is at least one; a ledger keeps a row for each bracket
        and each rung."""
        ...

    @property
    def draws(self) -> bool:
        """Whether the hyperparameters of the next new trial, if there is one, come from the search space."""
        ...

    @property
    def creates(self) -> bool:
        """Whether `next`, asked now, makes a new trial and decides nothing else: then who has no hyperparameters for it
        need not ask, and holds up no promotion by that."""
        ...

    @property
    def startable(self) -> int:
        """How many trials could be trained now beside those that run, if each found a worker: new ones, and those that
        wait and may go on. Where `next` has something to train it is more than 0; where it is more than 0, `next` has
        something to train or to decide. Decisions that are yet to be made may change it."""
        ...

    def expected_cost(self) -> ExpectedCost:
        """What the whole search is expected to cost."""
        ...

    def promotion_rule(self) -> PromotionRule:
        """A fresh judge of the promotions of a search like this one."""
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

    def extend(self, max_trials: int) -> None:
        """From now on it makes this many trials in all, at least as many as before, in the brackets and rungs that it
        has. However many steps it takes to a number, the plan is the same. Raises NotExtendable, and then nothing has
        changed."""
        ...

    def keep_waiting(self, kept: Callable[[int], bool]) -> None:
        """The search had ended, and goes on: of the trials that wait at rungs only those can still be promoted for
        which `kept` is true, which is asked once of each. The others count in their rungs as before. A restored
        searcher knows it from its records."""
        ...

    def check(self) -> None:
        """Raises AssertionError where an invariant does not hold; for tests and `rungmaster db check`."""
        ...


class UnknownTrial(LookupError):
    """The trial is not running in this search: it never was, or a decision has already ended its assignment."""

    @classmethod
    def of(cls, trial: int) -> Self:
        """What is raised about a trial of this number."""
        why = "it never was, or a decision or a failure has ended its assignment"
        return cls(f"trial {trial} is not running in this search: {why}")


class NotExtendable(Exception):
    """This search cannot be given more trials; its text says why."""
