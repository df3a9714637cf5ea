"""What happens to a searcher in tests of properties, and the ledger that a database would keep of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from rungmaster.master.search.interface import (
    Action,
    Done,
    Effect,
    Entered,
    RungRecord,
    SearchDecision,
    Searcher,
    Step,
    Train,
    TrialRecord,
)

Event = tuple[str, int, int, float]
"""What happens next: an operation, which of the running trials, how far past or short of its target, and the metric."""

metrics = st.one_of(
    st.integers(0, 8).map(float), st.sampled_from([math.nan, math.inf, -math.inf]), st.floats(-1e6, 1e6, width=32)
)
events = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "next", "report", "report", "report", "fail", "discard"]),
        st.integers(0, 9),
        st.sampled_from([-1, 0, 0, 0, 1, 5, 1000]),
        metrics,
    ),
    min_size=20,
    max_size=150,
)


@dataclass
class Ledger:
    """Keeps what a database would: trials and rung results; and notes every call, to be made again."""

    trials: dict[int, TrialRecord] = field(default_factory=dict)
    results: dict[tuple[int, int, int], RungRecord] = field(default_factory=dict)
    running: dict[int, int] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    calls: list[tuple[Callable[[Searcher], Step], Step]] = field(default_factory=list)

    def call(self, searcher: Searcher, event: Callable[[Searcher], Step]) -> Step:
        step = event(searcher)
        self.calls.append((event, step))
        searcher.check()
        if isinstance(step.answer, Train) and step.answer.new:
            trial = step.answer.trial
            assert trial == len(self.trials), "trial numbers are given in order, each once"
            self.trials[trial] = TrialRecord(
                trial,
                step.answer.bracket,
                step.answer.rung,
                0,
                running=True,
                ended=False,
                parent=step.answer.parent,
            )
            self.starts[trial] = step.answer.start
        for effect in step.effects:
            self.note(effect)
        for decision in step.decisions:
            self.decided(decision)
        if isinstance(step.answer, Train):
            self.started(step.answer)
        elif isinstance(step.answer, SearchDecision):
            self.decided(step.answer)
        return step

    def note(self, effect: Effect) -> None:
        place = (effect.bracket, effect.rung, effect.trial)
        trial = self.trials[effect.trial]
        if isinstance(effect, Entered):
            assert place not in self.results, "no trial enters a rung twice"
            self.results[place] = RungRecord(*place, metric=effect.metric, promoted=False)
            self.trials[effect.trial] = replace(trial, rung=effect.rung, resource=effect.resource)
        else:
            assert not self.results[place].promoted, "no trial is promoted twice from a rung"
            self.results[place] = replace(self.results[place], promoted=True)
            self.trials[effect.trial] = replace(trial, rung=effect.rung + 1)

    def started(self, work: Train) -> None:
        record = self.trials[work.trial]
        assert work.trial not in self.running, "no trial is trained twice at once"
        start = record.resource or self.starts[work.trial]
        assert (work.bracket, work.rung, work.start) == (record.bracket, record.rung, start)
        assert work.start < work.target
        self.running[work.trial] = work.target
        self.trials[work.trial] = replace(record, running=True)

    def decided(self, decision: SearchDecision) -> None:
        if decision.action is Action.CONTINUE:
            assert decision.target is not None
            self.running[decision.trial] = decision.target
        else:
            self.ended(decision.trial, ended=decision.action is Action.STOP)

    def ended(self, trial: int, ended: bool, discarded: bool = False) -> None:
        self.running.pop(trial, None)
        self.trials[trial] = replace(self.trials[trial], running=False, ended=ended, discarded=discarded)

    def restored(self, fresh: Searcher) -> Searcher:
        fresh.restore(self.trials.values(), reversed(self.results.values()))
        fresh.check()
        return fresh


def happen(searcher: Searcher, ledger: Ledger, event: Event) -> Step:
    """Makes one event happen, as far as it can."""
    operation, which, beyond, metric = event
    if operation == "next" or not ledger.running:
        creates, startable = searcher.creates, searcher.startable
        step = ledger.call(searcher, lambda s: s.next())
        nothing_else = isinstance(step.answer, Train) and step.answer.new and not (step.effects or step.decisions)
        assert creates == nothing_else, f"it said that it {'creates' if creates else 'does not create'}: {step}"
        trains = isinstance(step.answer, Train)
        assert bool(startable) == trains or (startable and step.decisions), f"{startable} could start: {step}"
        return step
    trial = sorted(ledger.running)[which % len(ledger.running)]
    if operation == "report":
        resource = max(0, ledger.running[trial] + beyond)
        return ledger.call(searcher, lambda s: s.report(trial, resource, metric))
    if operation == "fail":
        step = ledger.call(searcher, lambda s: s.fail(trial))
        ledger.ended(trial, ended=True)
        return step
    step = ledger.call(searcher, lambda s: s.discard(trial))
    ledger.ended(trial, ended=True, discarded=not step.effects)
    return step


def finish(searcher: Searcher, ledger: Ledger) -> None:
    """Reports every trial at its target until the search is done."""
    for i in range(1000):
        for trial in list(ledger.running):
            happen(searcher, ledger, ("report", sorted(ledger.running).index(trial), 0, float(i * 37 % 11)))
        if isinstance(happen(searcher, ledger, ("next", 0, 0, 0.0)).answer, Done):
            return
    raise AssertionError("the search does not end")
