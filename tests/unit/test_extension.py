"""A search is given more trials, while it runs or once it has ended, and goes on where it stood.

Memory and rows are compared after each command, and the journal is replayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.master.dispatcher.core import Core
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.experiment.checking.replay import Entry, Replay, same_future
from rungmaster.master.experiment.life.ending import begin
from rungmaster.master.search.interface import planned_trials
from rungmaster.master.search.registry import searcher_of
from rungmaster.shared.errors import FailedPrecondition, NotFound, Unavailable
from rungmaster.shared.spec.spec import Spec, spec_from_json, spec_to_json
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import ExitOutcome

from .master_harness import Master, Worker, make_spec

KEEP_ALL = {"checkpoints": {"keep": "all"}}


def better_later(trial: int) -> float:
    """Each trial is better than all before it."""
    return -float(trial)


def worse_later(trial: int) -> float:
    """Each trial is worse than all before it."""
    return float(trial)


def search_to_its_end(master: Master, worker: Worker, error: Callable[[int], float] = worse_later) -> None:
    while master.experiment().state == ExperimentState.ACTIVE:
        worker.train(error)
    assert master.experiment().state == ExperimentState.COMPLETED


def completed(searcher: dict[str, object] | None = None, **fields: object) -> tuple[Master, Worker]:
    """ASHA with rungs at 1, 3 and 9 and nine trials, or another search, each trial worse than those before it, to its
    end."""
    return searched(make_spec(searcher, **(KEEP_ALL | fields)))


def searched(spec: Spec) -> tuple[Master, Worker]:
    master = Master()
    master.submit(spec)
    worker = master.worker()
    search_to_its_end(master, worker)
    return master, worker


def states(master: Master) -> dict[int, str]:
    return {key[1]: row.state for key, row in sorted(master.store.rows.trials.items())}


def journal(master: Master, kind: str) -> list[object]:
    return [event.data for event in master.store.rows.events if event.kind == kind]


def replayed(master: Master, experiment_id: int = 1) -> list[str]:
    """What a replay of its journal finds wrong."""
    rows = master.store.rows
    spec = spec_from_json(rows.experiments[experiment_id].spec)
    entries = [
        Entry(n, e.kind, e.trial_id, e.data) for n, e in enumerate(rows.events) if e.experiment_id == experiment_id
    ]
    results = [row for key, row in rows.results.items() if key[0] == experiment_id]
    searcher = searcher_of(spec)
    found = list(Replay(searcher).run(entries, results))
    live = master.core.experiments.get(experiment_id)
    if not found and live is not None:
        master.restart()
        difference = same_future(searcher, master.core.experiments[experiment_id].searcher)
        master.restart()
        found += [difference] if difference else []
    return found


def test_a_running_search_makes_the_further_trials() -> None:
    master = Master()
    master.submit(make_spec())
    worker = master.worker()
    for _ in range(4):
        worker.train(worse_later)
    master.extend(12)
    assert (master.experiment().max_trials, master.experiment().resource_full) == (12, 12 * 9)
    search_to_its_end(master, worker)
    assert len(states(master)) == 12
    assert journal(master, "experiment_extended") == [{"max_trials": 12}]
    assert replayed(master) == []


def test_a_worker_that_waits_is_served_as_soon_as_there_are_more_trials() -> None:
    master = Master()
    master.submit(make_spec({"max_trials": 1}))
    worker = master.worker(slots=2)
    worker.work()
    assert worker.ask() is None
    master.extend(2)
    (assignment,) = worker.received().assignments
    assert assignment.lease.trial_id == 1


def test_the_paused_trials_of_a_search_that_has_ended_are_promoted_again() -> None:
    """Nine trials: 0 to 2 went on from the first rung, and 0 from the second. With eighteen the quota is six."""
    master, worker = completed()
    climbed = {key[3] for key, row in master.store.rows.results.items() if key[2] == 0 and row.promoted}
    assert climbed == {0, 1, 2}
    master.extend(18)
    assert master.experiment().state == ExperimentState.ACTIVE
    assert master.experiment().end_time is None
    search_to_its_end(master, worker)
    climbed = {key[3] for key, row in master.store.rows.results.items() if key[2] == 0 and row.promoted}
    assert climbed == {0, 1, 2, 3, 4, 5}
    assert len(states(master)) == 18
    assert replayed(master) == []


def test_a_promoted_trial_goes_on_from_its_checkpoint() -> None:
    master, worker = completed()
    master.extend(12)
    for _ in range(3):
        worker.train(worse_later)
    assignment = worker.work()
    assert assignment.lease.trial_id == 3
    assert [checkpoint.resource for checkpoint in assignment.checkpoints] == [1]
    assert assignment.target == 3


def test_trials_whose_checkpoints_went_are_no_candidates_and_still_count() -> None:
    """By default only the best trial's checkpoint is kept, and it was trained in full."""
    master, worker = completed(checkpoints={"keep": "promotable"})
    master.extend(18)
    search_to_its_end(master, worker)
    climbed = {key[3] for key, row in master.store.rows.results.items() if key[2] == 0 and row.promoted}
    assert climbed == {0, 1, 2}, "those of the first half are better than all others, and cannot go on"
    assert replayed(master) == []


def test_better_trials_climb_past_those_that_were_left_behind() -> None:
    master, worker = completed(checkpoints={"keep": "promotable"})
    master.extend(18)
    search_to_its_end(master, worker, better_later)
    assert {trial for trial, state in states(master).items() if state == TrialState.COMPLETED} & set(range(9, 18))
    assert replayed(master) == []


@pytest.mark.parametrize("keep", ["all", "promotable", "best"])
@pytest.mark.parametrize("stop_once", [False, True])
def test_it_may_be_extended_and_end_again_and_again(keep: str, stop_once: bool) -> None:
    master, worker = completed({"stop_once": stop_once}, checkpoints={"keep": keep})
    for more in (10, 18, 40):
        master.extend(more)
        search_to_its_end(master, worker, better_later if more == 18 else worse_later)
        assert len(states(master)) == more
    assert replayed(master) == []


def test_extending_takes_the_same_few_rows_however_many_trials_there_are() -> None:
    master = Master()
    master.submit(make_spec({"max_trials": 60}, **KEEP_ALL))
    worker = master.worker()
    search_to_its_end(master, worker)
    written: list[Changes] = []
    commit = master.store.commit
    master.store.commit = lambda changes: (written.append(changes), commit(changes))[1]
    master.extend(61)
    assert sum(changes.rows for changes in written) < 5
    (entry,) = journal(master, "experiment_extended")
    assert entry == {"max_trials": 61, "rules": 2, "left": []}


def test_what_stopped_goes_back_to_rest_when_the_search_ends_again() -> None:
    master, worker = completed()
    master.extend(10)
    search_to_its_end(master, worker)
    before = states(master)
    assert Counter(before.values())[TrialState.STOPPED] > 0
    master.restart()
    assert states(master) == before
    assert master.core.experiments == {}


def test_an_extended_search_that_is_cancelled_ends_all_its_trials() -> None:
    master, worker = completed()
    master.extend(18)
    worker.work()
    master.do(lambda core: core.cancel(1))
    assert all(TrialState(state).ended for state in states(master).values())
    with pytest.raises(FailedPrecondition, match="was cancelled, and cannot be extended"):
        master.extend(20)


def test_as_many_trials_as_before_change_nothing() -> None:
    master, _ = completed()
    master.extend(9)
    assert master.experiment().state == ExperimentState.COMPLETED
    master.extend(12)
    events = len(master.store.rows.events)
    master.extend(12)
    assert len(master.store.rows.events) == events


@pytest.mark.parametrize("ended", [False, True])
def test_fewer_trials_are_refused(ended: bool) -> None:
    if ended:
        master, _ = completed()
    else:
        master = Master()
        master.submit(make_spec())
    with pytest.raises(FailedPrecondition, match="experiment 1 makes 9 trials, and cannot be cut to 8"):
        master.extend(8)


def test_a_failed_search_is_refused_with_its_reason() -> None:
    master = Master()
    master.submit(make_spec({"max_trials": 1}, max_restarts=0))
    worker = master.worker()
    worker.exit(worker.work(), ExitOutcome.FAILED, "boom")
    assert master.experiment().state == ExperimentState.FAILED
    with pytest.raises(FailedPrecondition, match=r"failed, and cannot be extended .*boom"):
        master.extend(20)


def test_one_whose_trials_are_still_being_ended_is_asked_for_again() -> None:
    master = Master(portion=0)
    master.submit(make_spec(**KEEP_ALL))
    search_to_its_end(master, master.worker())
    assert master.store.rows.endings == {1}
    with pytest.raises(Unavailable, match="still being ended"):
        master.extend(18)
    master.portion = 100
    master.restart()
    while master.do(lambda core: core.endings.take_turn()):
        pass
    master.extend(18)
    assert master.experiment().state == ExperimentState.ACTIVE


def test_what_was_read_before_another_change_does_not_count() -> None:
    master, _ = completed()
    first = master.do(lambda core: core.extend(1, 12))
    assert first is not None
    master.extend(14)
    with pytest.raises(Unavailable, match="changed by another meanwhile"):
        master.do(lambda core: core._archive.end_extension(first))
    assert master.experiment().max_trials == 14


def test_a_deleted_one_does_not_exist() -> None:
    master, _ = completed()
    asked = master.do(lambda core: core.extend(1, 12))
    assert asked is not None
    master.oracle.forget_experiment(1)
    master.do(lambda core: core.delete(1))
    with pytest.raises(Unavailable):
        master.do(lambda core: core._archive.end_extension(asked))
    with pytest.raises(NotFound):
        master.do(lambda core: core.extend(1, 12))


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_commit_that_fails_leaves_it_ended_or_extended_as_a_whole(fault: str) -> None:
    master, worker = completed()
    master.commit_faults = ["", fault]
    with pytest.raises(Unavailable):
        master.extend(18)
    expected = ExperimentState.COMPLETED if fault == "before" else ExperimentState.ACTIVE
    assert master.experiment().state == expected
    master.extend(18)
    worker.connect()
    search_to_its_end(master, worker)
    assert len(states(master)) == 18
    assert replayed(master) == []


def test_a_search_that_learns_makes_as_many_trials_as_it_was_extended_to_and_is_replayed() -> None:
    master, worker = completed({"name": "adaptive_asha", "mode": "learned", "max_trials": 30, "divisor": 2})
    created = [bracket.trials_created for bracket in master.store.rows.brackets.values()]
    assert sum(created) == 30
    assert created != [bracket.max_trials for bracket in master.store.rows.brackets.values()]
    assert replayed(master) == []
    master.extend(60)
    worker.connect()
    search_to_its_end(master, worker)
    assert sum(bracket.trials_created for bracket in master.store.rows.brackets.values()) == 60
    assert replayed(master) == []


@pytest.mark.parametrize("mode", ["standard", "learned"])
def test_brackets_never_get_fewer_trials_and_one_step_is_as_good_as_several(mode: str) -> None:
    spec = make_spec({"name": "adaptive_asha", "mode": mode, "max_trials": 20, "max_resource": 81})
    once, twice = (searcher_of(spec) for _ in range(2))
    once.extend(100)
    before = twice.plan
    for number in range(21, 101):
        twice.extend(number)
        assert planned_trials(twice.plan) == number
        assert all(b.max_trials >= a.max_trials for a, b in zip(before, twice.plan, strict=True))
        before = twice.plan
    assert once.plan == twice.plan


def full_spec(searcher: dict[str, object]) -> Spec:
    space = {"choice": {"type": "categorical", "choices": ["a", "b", "c"]}}
    return spec_from_json(spec_to_json(make_spec()) | {"searcher": searcher, "hyperparameters": space})


def test_a_random_search_trains_more() -> None:
    master, worker = searched(full_spec({"name": "random", "max_trials": 2, "max_resource": 9}))
    master.extend(5)
    search_to_its_end(master, worker)
    assert list(states(master).values()) == [TrialState.COMPLETED] * 5
    assert replayed(master) == []


def test_a_grid_that_was_cut_trains_the_rest_of_its_combinations_and_no_more() -> None:
    master, worker = searched(full_spec({"name": "grid", "max_trials": 2, "max_resource": 9}))
    with pytest.raises(FailedPrecondition, match="its grid has 3 combinations in all, and no more"):
        master.extend(5)
    assert master.experiment().state == ExperimentState.COMPLETED
    master.extend(3)
    search_to_its_end(master, worker)
    assert [row.hparams for _, row in sorted(master.store.rows.trials.items())] == [{"choice": c} for c in "abc"]
    assert replayed(master) == []


def stopped_short(master: Master, *workers: Worker) -> None:
    """The search ends while trials train, as by a criterion of its spec."""

    def end(core: Core) -> None:
        experiment = core.experiments[1]
        core.isolation.do(experiment, begin, experiment, ExperimentState.COMPLETED, "enough")
        core.wake(1)

    master.do(end)
    for worker in workers:
        worker.received()


@pytest.mark.parametrize("keep", ["all", "promotable"])
def test_trials_that_were_stopped_on_their_way_go_on(keep: str) -> None:
    """Trials 0 and 1 were promoted, of which by default only the better one's checkpoint is kept; trial 6 was new."""
    master = Master()
    master.submit(make_spec(checkpoints={"keep": keep}))
    worker = master.worker(slots=3)
    for _ in range(3):
        worker.train(worse_later)
    held = [worker.work()]
    for _ in range(3):
        worker.train(worse_later)
    held += [worker.work(), worker.work()]
    assert [assignment.lease.trial_id for assignment in held] == [0, 1, 6]
    stopped_short(master, worker)
    assert set(states(master).values()) == {TrialState.STOPPED}
    master.extend(12)
    assert {t for t, state in states(master).items() if state == TrialState.PENDING} == {0, 1, 6}
    assert len(journal(master, "trial_reopened")) == 3
    again = [worker.work() for _ in range(3)]
    assert sorted(assignment.lease.trial_id for assignment in again) == [0, 1, 6]
    for assignment in again:
        kept = {0: 1, 1: keep == "all", 6: 0}[assignment.lease.trial_id]
        assert len(assignment.checkpoints) == kept
        decision = worker.report(assignment, assignment.target, 9.0)
        assert decision is not None
        worker.exit(assignment)
    assert replayed(master) == []
    worker.connect()
    search_to_its_end(master, worker)
    assert replayed(master) == []


@dataclass
class Play:
    """A search that one worker trains, and people extend."""

    spec: Spec
    random: Random
    trials: int
    master: Master = field(default_factory=Master)

    def __post_init__(self) -> None:
        self.master.submit(self.spec)
        self.worker = self.master.worker()

    @property
    def active(self) -> bool:
        return self.master.experiment().state == ExperimentState.ACTIVE

    def train(self) -> None:
        if self.active:
            self.worker.train(lambda _: float(self.random.randint(0, 9)))

    def end(self) -> None:
        while self.active:
            self.train()

    def stop_short(self) -> None:
        if self.active:
            self.worker.work()
            stopped_short(self.master, self.worker)

    def extend(self) -> None:
        if self.master.experiment().state != ExperimentState.FAILED:
            self.trials += self.random.randint(1, 5)
            self.master.extend(self.trials)

    def pause(self) -> None:
        if self.active:
            self.master.do(lambda core: core.pause(1))
            self.master.do(lambda core: core.resume(1))

    def fail(self) -> None:
        if self.active:
            self.worker.exit(self.worker.work(), ExitOutcome.FAILED, "boom")

    def restart(self) -> None:
        self.master.restart()
        self.worker.connect()


STEPS = (Play.train,) * 3 + (Play.end, Play.stop_short, Play.extend, Play.extend, Play.pause, Play.fail, Play.restart)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(STEPS), min_size=5, max_size=25),
    st.sampled_from(["all", "promotable", "best"]),
    st.sampled_from(["asha", "adaptive_asha"]),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_whenever_it_is_extended_nothing_is_lost_and_it_ends(
    steps: list[Callable[[Play], None]], keep: str, name: str, stop_once: bool, random: Random
) -> None:
    """The harness looks after each command that nothing is lost, and that a restarted master goes on the same."""
    searcher = {"name": name, "max_trials": 5, "stop_once": stop_once}
    play = Play(make_spec(searcher, checkpoints={"keep": keep}, max_restarts=1), random, trials=5)
    for step in steps:
        step(play)
        assert replayed(play.master) == []
        play.worker.connect()
    play.extend()
    play.end()
    assert replayed(play.master) == []
    assert play.master.experiment().state == ExperimentState.FAILED or len(states(play.master)) == play.trials
