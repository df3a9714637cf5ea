"""A searcher that the product has never seen: one file, its spec's fields and a line in each registry are enough for
all that is done with a search."""

from __future__ import annotations

import json
import math
import sqlite3
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest
from click.testing import CliRunner
from unit.beside_ledger import BesideLedger
from unit.master_harness import Master, make_spec

from rungmaster.master.cli import plan, simulate
from rungmaster.master.maintenance.check import check_database
from rungmaster.master.search.arithmetic import expected_resource, full_resource, within
from rungmaster.master.search.interface import (
    Action,
    BracketPlan,
    Done,
    Effect,
    Entered,
    ExpectedCost,
    Goal,
    NotExtendable,
    Promoted,
    RungRecord,
    SearchContext,
    SearchDecision,
    Standing,
    Step,
    Train,
    TrialRecord,
    UnknownTrial,
    Wait,
)
from rungmaster.master.search.registry import BUILDERS
from rungmaster.shared.errors import FailedPrecondition, InvalidSpec
from rungmaster.shared.spec.fields import one_of, whole
from rungmaster.shared.spec.searchers import SEARCHERS, SearcherSpec
from rungmaster.shared.spec.spec import Spec, spec_from_json, spec_to_json
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import ExitOutcome


class DuelSpec(SearcherSpec):
    """`entrants` train for one unit; once all are in, the best trains on to `length`, and the others stop."""

    name: Annotated[str, one_of("duel")] = "duel"
    entrants: Annotated[int, whole(2, 100)]
    length: Annotated[int, whole(2)]

    @property
    def trials(self) -> int:
        return self.entrants


def build_duel(spec: DuelSpec, context: SearchContext) -> Duel:
    return Duel(spec, 1.0 if context.goal is Goal.MINIMIZE else -1.0)


@dataclass
class DuelPromotions:
    """Only the best of all entrants goes on."""

    entrants: int
    sign: float
    results: list[tuple[float, int]] = field(default_factory=list)

    def entered(self, result: Entered) -> None:
        if result.rung == 0 and result.metric is not None:
            insort(self.results, (self.sign * result.metric, result.trial))

    def promoted(self, promotion: Promoted) -> str:
        return "" if self.results[0][1] == promotion.trial else "it is not the best"

    def extended(self, plan: Sequence[BracketPlan], kept: Callable[[int], bool] | None) -> None:
        pass


@dataclass
class Duel:
    """A searcher with a barrier: its last event decides about all who wait."""

    spec: DuelSpec
    sign: float
    at_once: int | None = None
    number: int = 0
    made: int = 0
    running: dict[int, int] = field(default_factory=dict)
    results: list[tuple[float, int]] = field(default_factory=list)
    winner: int | None = None

    @property
    def plan(self) -> tuple[BracketPlan, ...]:
        return (BracketPlan((1, self.spec.length), self.spec.entrants, self.at_once),)

    @property
    def draws(self) -> bool:
        return False

    @property
    def creates(self) -> bool:
        has_room = self.at_once is None or len(self.running) < self.at_once
        return has_room and self.winner is None and self.made < self.spec.entrants

    @property
    def startable(self) -> int:
        waiting = self.spec.entrants - self.made + (self.winner is not None)
        return within(self.at_once, len(self.running), waiting)

    def expected_cost(self) -> ExpectedCost:
        entries = (self.spec.entrants, 1)
        cost = expected_resource(self.plan[0], entries)
        return ExpectedCost((entries,), cost, full_resource(self.plan), "one wins", f"best of {self.spec.entrants}")

    def promotion_rule(self) -> DuelPromotions:
        return DuelPromotions(self.spec.entrants, self.sign)

    @property
    def done(self) -> bool:
        return not self.running and self.winner is None and self.made == self.spec.entrants

    def next(self) -> Step:
        if self.at_once is not None and len(self.running) >= self.at_once:
            return Step(Wait())
        if self.winner is not None:
            trial, self.winner = self.winner, None
            self.running[trial] = 1
            return Step(Train(trial, 0, 1, start=1, target=self.spec.length, new=False))
        if self.made < self.spec.entrants:
            trial, self.number, self.made = self.number, self.number + 1, self.made + 1
            self.running[trial] = 0
            return Step(Train(trial, 0, 0, start=0, target=1, new=True, hparams={"entrant": trial}))
        return Step(Wait() if self.running else Done())

    def report(self, trial: int, resource: int, metric: float) -> Step:
        target = self.plan[0].rungs[self._rung(trial)]
        if resource < target:
            return Step(SearchDecision(trial, Action.CONTINUE, target))
        return self._in(trial, resource, metric if math.isfinite(metric) else None)

    def fail(self, trial: int) -> Step:
        step = self._in(trial, self._rung(trial), None)
        return Step(None, step.effects, step.decisions)

    def discard(self, trial: int) -> Step:
        if self._rung(trial):
            return self.fail(trial)
        del self.running[trial]
        self.made -= 1
        return Step(None)

    def _rung(self, trial: int) -> int:
        if trial not in self.running:
            raise UnknownTrial(f"trial {trial} is not running")
        return self.running[trial]

    def _in(self, trial: int, resource: int, metric: float | None) -> Step:
        rung = self.running.pop(trial)
        effects: list[Effect] = [Entered(0, rung, trial, resource, metric)]
        if rung:
            return Step(SearchDecision(trial, Action.STOP, completed=True), tuple(effects))
        insort(self.results, (math.inf if metric is None else self.sign * metric, trial))
        if len(self.results) < self.spec.entrants:
            return Step(SearchDecision(trial, Action.PAUSE, reason="waits for the others"), tuple(effects))
        verdicts = {t: self._verdict(t, rank, key, effects) for rank, (key, t) in enumerate(self.results)}
        first = self.results[0][1]
        if verdicts[first].action is Action.CONTINUE and first != trial:
            self.winner = first
            verdicts[first] = SearchDecision(first, Action.PAUSE, reason="won, waits for a slot")
        elif verdicts[first].action is Action.CONTINUE:
            self.running[first] = 1
        own = verdicts.pop(trial)
        failed = {t for key, t in self.results if key == math.inf}
        return Step(own, tuple(effects), tuple(verdict for t, verdict in verdicts.items() if t not in failed))

    def _verdict(self, trial: int, rank: int, key: float, effects: list[Effect]) -> SearchDecision:
        standing = Standing(rank + 1, len(self.results), quota=1)
        if rank or key == math.inf:
            return SearchDecision(trial, Action.STOP, reason="lost", standing=standing)
        effects.append(Promoted(0, 0, trial))
        return SearchDecision(trial, Action.CONTINUE, self.spec.length, reason="won", standing=standing)

    def restore(self, trials: Iterable[TrialRecord], results: Iterable[RungRecord]) -> None:
        waiting: set[int] = set()
        for trial in trials:
            self.number = max(self.number, trial.trial + 1)
            self.made += not trial.discarded
            if trial.running:
                self.running[trial.trial] = trial.rung
            elif not trial.ended:
                waiting.add(trial.trial)
        for result in results:
            if result.rung == 0:
                insort(self.results, (math.inf if result.metric is None else self.sign * result.metric, result.trial))
            if result.promoted and result.trial in waiting:
                self.winner = result.trial

    def follow(self, rules: int) -> None:
        pass

    def limit(self, max_concurrent_trials: int | None) -> None:
        self.at_once = max_concurrent_trials

    def extend(self, max_trials: int) -> None:
        raise NotExtendable("a duel is over")

    def keep_waiting(self, kept: Callable[[int], bool]) -> None:
        pass

    def check(self) -> None:
        assert self.made <= self.spec.entrants


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line in each registry."""
    monkeypatch.setitem(SEARCHERS, "duel", DuelSpec)
    monkeypatch.setitem(BUILDERS, "duel", build_duel)


def duel(entrants: int = 4) -> Spec:
    searcher = {"name": "duel", "entrants": entrants, "length": 9}
    space = {"entrant": {"type": "int", "low": 0, "high": 99}}
    return spec_from_json(spec_to_json(make_spec()) | {"searcher": searcher, "hyperparameters": space})


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "duel.db"


@pytest.fixture
def master(database: Path) -> Master:
    return Master(BesideLedger(database))


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "duel.json"
    path.write_text(json.dumps({"searcher": {"name": "duel", "entrants": 4, "length": 9}}))
    return path


def test_its_fields_are_checked_like_those_of_any_other() -> None:
    with pytest.raises(InvalidSpec) as refused:
        duel(entrants=1)
    assert str(refused.value) == "searcher.entrants: must be at least 2, got 1"


def test_plan_shows_its_brackets_and_what_it_expects_them_to_cost(spec: Path) -> None:
    shown = CliRunner().invoke(plan.command, [str(spec)])
    assert shown.exit_code == 0, shown.output
    assert "duel, 4 trials in 1 bracket, best of 4" in shown.output
    assert "expected resource 12 of 36" in shown.output
    assert "(where one wins)" in shown.output


def test_simulate_runs_it_to_its_end(spec: Path) -> None:
    shown = CliRunner().invoke(simulate.command, [str(spec), "--workers", "3", "--json"])
    assert shown.exit_code == 0, shown.output
    (bracket,) = json.loads(shown.output)["brackets"]
    assert [(rung["entered"], rung["promoted"]) for rung in bracket["rungs"]] == [(4, 1), (1, 0)]


def test_a_master_searches_with_it_and_its_journal_is_replayed(master: Master, database: Path) -> None:
    """The harness compares the search with one that is restored from the rows after each of its commands."""
    master.submit(duel())
    worker = master.worker()
    while master.experiment().state == ExperimentState.ACTIVE:
        worker.train(lambda trial: (0.3, 0.1, 0.2, 0.4)[trial])
    assert [master.trial(trial).state for trial in range(4)] == [
        TrialState.STOPPED,
        TrialState.COMPLETED,
        TrialState.STOPPED,
        TrialState.STOPPED,
    ]
    assert master.store.hparams({(1, 2)}) == {(1, 2): {"entrant": 2}}
    assert (master.experiment().resource_spent, master.experiment().resource_full) == (12, 36)
    assert check_database(str(database)).violations == []


@pytest.mark.parametrize("ended", [False, True])
def test_one_that_makes_no_more_trials_refuses_with_its_reason(master: Master, ended: bool) -> None:
    master.submit(duel(2))
    worker = master.worker()
    while ended and master.experiment().state == ExperimentState.ACTIVE:
        worker.train(0.5)
    with pytest.raises(FailedPrecondition, match="experiment 1 cannot be extended: a duel is over"):
        master.extend(10)


def test_a_failure_decides_about_all_who_wait(master: Master, database: Path) -> None:
    master.submit(duel(3).model_copy(update={"max_restarts": 0}))
    worker = master.worker()
    worker.train(0.2)
    worker.train(0.1)
    worker.exit(worker.work(), ExitOutcome.FAILED, "boom")
    states = [master.trial(trial).state for trial in range(3)]
    assert states == [TrialState.STOPPED, TrialState.PAUSED, TrialState.FAILED]
    assert check_database(str(database)).violations == []
    assert worker.work().target == 9
    assert check_database(str(database)).violations == []


def test_a_decision_about_another_trial_that_the_journal_tells_otherwise_is_found(
    master: Master, database: Path
) -> None:
    master.submit(duel(2))
    worker = master.worker()
    worker.train(0.2)
    worker.train(0.1)
    with closing(sqlite3.connect(database)) as connection:
        changed = "UPDATE events SET data = replace(data, '\"rank\":2', '\"rank\":1') WHERE kind = 'passed'"
        assert connection.execute(changed).rowcount == 1
        connection.commit()
    (violation,) = check_database(str(database)).violations
    assert "(passed of trial 0): the searcher decides SearchDecision(trial=0, action=<Action.STOP" in violation
