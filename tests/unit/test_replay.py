"""A journal told to a fresh searcher: by the rules of its time, and no promotion that nobody deserved."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from unit.master_harness import make_spec

from rungmaster.master.experiment.changes import RungResultRow
from rungmaster.master.experiment.checking.replay import Entry, Replay
from rungmaster.master.search.interface import (
    RULES,
    Done,
    Entered,
    Goal,
    Promoted,
    SearchContext,
    SearchDecision,
    Searcher,
    Standing,
    Step,
    Train,
)
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.spec.spec import Spec

#: Two brackets with rungs at 4 and 9, one with a rung at 9; each has one trial, of whom half may go on: none.
SPEC = make_spec({"name": "adaptive_asha", "max_trials": 3, "divisor": 2, "bracket_rungs": (2, 2, 1)})
Results = dict[tuple[int, int, int], RungResultRow]


@dataclass
class History:
    """What a master writes down of a search with one worker: its journal, and the results in its rungs."""

    spec: Spec = SPEC
    searcher: Searcher = field(init=False)
    entries: list[Entry] = field(default_factory=list)
    results: Results = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.searcher = self.fresh()

    def fresh(self) -> Searcher:
        return build_searcher(self.spec.searcher, SearchContext(Goal.MINIMIZE))

    def note(self, kind: str, trial: int | None, data: Mapping[str, Any]) -> None:
        self.entries.append(Entry(len(self.entries), kind, trial, data))

    def take(self, step: Step) -> Step:
        for effect in step.effects:
            key = (effect.bracket, effect.rung, effect.trial)
            if isinstance(effect, Entered):
                self.results[key] = RungResultRow(1, *key, effect.resource, effect.metric, False, enter_time=0.0)
            elif isinstance(effect, Promoted):
                self.results[key] = replace(self.results[key], promoted=True)
        return step

    def train(self) -> bool:
        """Trains the next trial to its target; False where there is none."""
        answer = self.take(self.searcher.next()).answer
        if isinstance(answer, Done):
            return False
        assert isinstance(answer, Train)
        if answer.new:
            self.note("trial_created", answer.trial, {"bracket": answer.bracket, "target": answer.target})
        else:
            self.note("promoted", answer.trial, {"rung": answer.rung, "target": answer.target})
        decided = self.take(self.searcher.report(answer.trial, answer.target, 0.5)).answer
        assert isinstance(decided, SearchDecision)
        data = {"action": decided.action.value, "target": decided.target, "reason": decided.reason}
        assert decided.standing is not None
        data |= decided.standing._asdict()
        self.note("decision", answer.trial, data | {"resource": answer.target, "metric": 0.5})
        return True

    def rewrite(self, kind: str, without: Container[str] = (), **changes: Any) -> None:
        """Changes what the journal's entries of a kind say."""
        for i, entry in enumerate(self.entries):
            if entry.kind == kind:
                data = {name: value for name, value in {**entry.data, **changes}.items() if name not in without}
                self.entries[i] = replace(entry, data=data)

    def replayed(self) -> tuple[list[str], Replay]:
        replay = Replay(self.fresh())
        return list(replay.run(self.entries, self.results.values())), replay


def begun(data: Mapping[str, Any], spec: Spec = SPEC) -> History:
    history = History(spec)
    history.note("experiment_created", None, data)
    history.searcher.follow(data.get("rules", 1))
    return history


@pytest.fixture
def old() -> History:
    """A search that ended before winners trained to the end: in two of three brackets no trial was trained in full."""
    history = begun({"name": "toy"})
    while history.train():
        pass
    return history


def test_a_search_is_replayed_by_the_rules_that_its_journal_names() -> None:
    history = begun({"name": "toy", "rules": RULES})
    while history.train():
        pass
    differences, replay = history.replayed()
    assert differences == []
    assert replay.searcher.done
    assert sorted(history.results) == [(0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1), (2, 0, 2)]


def test_a_search_that_ended_by_the_rules_of_old_is_not_called_wrong(old: History) -> None:
    differences, replay = old.replayed()
    assert differences == []
    assert replay.searcher.done
    assert sorted(old.results) == [(0, 0, 0), (1, 0, 1), (2, 0, 2)]


def test_a_search_that_was_begun_by_the_rules_of_old_goes_on_by_the_new_ones() -> None:
    history = begun({"name": "toy"})
    assert history.train()
    assert history.train()
    history.note("rules_changed", None, {"rules": RULES})
    history.searcher.follow(RULES)
    while history.train():
        pass
    differences, replay = history.replayed()
    assert differences == []
    assert replay.searcher.done
    assert {(0, 1, 0), (1, 1, 1)} < history.results.keys()


def test_a_search_by_the_rules_of_old_is_wrong_where_its_journal_names_the_new_ones(old: History) -> None:
    old.entries[0] = replace(old.entries[0], data={"rules": RULES})
    (difference,), _ = old.replayed()
    assert "(trial_created of trial 1): the searcher wants Train(trial=0" in difference


@pytest.fixture
def ended() -> History:
    """A search of nine trials, with pauses, promotions and a winner."""
    history = begun({"name": "toy", "rules": RULES}, make_spec())
    while history.train():
        pass
    return history


def test_whatever_the_journal_says_to_people_it_is_replayed(ended: History) -> None:
    ended.rewrite("decision", reason="said in other words")
    assert ended.replayed()[0] == []


def test_a_journal_without_ranks_as_older_masters_wrote_it_is_replayed(ended: History) -> None:
    ended.rewrite("decision", without=Standing._fields)
    assert not any("rank" in entry.data for entry in ended.entries)
    assert ended.replayed()[0] == []


@pytest.mark.parametrize("wrong", [{"rank": 7}, {"entered": 7}, {"quota": 7}, {"action": "stop"}, {"target": 7}])
def test_a_decision_that_the_journal_tells_otherwise_is_found_whatever_it_says_to_people(
    ended: History, wrong: dict[str, Any]
) -> None:
    ended.rewrite("decision", reason="said in other words", **wrong)
    (difference,), _ = ended.replayed()
    assert "(decision of trial 0): the searcher decides SearchDecision(trial=0, action=<Action.PAUSE" in difference


def test_a_promotion_to_another_target_than_the_journal_tells_is_found(ended: History) -> None:
    ended.rewrite("promoted", target=7)
    (difference,), _ = ended.replayed()
    assert "(promoted of trial 0): the searcher wants Train(trial=0" in difference


def test_a_promotion_that_nobody_deserved_is_found_whatever_the_searcher_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it crowns the first trial of a rung, though its bracket would go on to make others."""
    monkeypatch.setattr("rungmaster.master.search.asha.AshaBracket._winner_goes_on", property(lambda bracket: True))
    history = begun({"rules": RULES}, make_spec())
    assert history.train()
    assert history.train()
    (difference,), _ = history.replayed()
    assert "it is promoted at place 1 of 1, of which 0 may go on" in difference
