"""A trial that starts from another's checkpoint: what it is given, and how long that is kept for it.

The harness compares the master with one that is restored from the rows after each of its commands.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.lineage_searcher import RelaySpec, build_relay
from unit.master_harness import LEASE_TTL, Master, RowStore, Worker, make_spec

from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.maintenance.check import check_database
from rungmaster.master.search.registry import BUILDERS
from rungmaster.shared.errors import Unavailable
from rungmaster.shared.spec.searchers import SEARCHERS
from rungmaster.shared.spec.spec import Spec, spec_from_json, spec_to_json
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import Assignment, DecisionKind, ExitOutcome, Measurement


class BesideLedger(RowStore):
    """Rows in memory, and the same in a database."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._ledger = LedgerStore(Ledger.open(str(path), holder="test"))

    def commit(self, changes: Changes) -> None:
        super().commit(changes)
        self._ledger.commit(changes)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEARCHERS, "relay", RelaySpec)
    monkeypatch.setitem(BUILDERS, "relay", build_relay)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "relay.db"


@pytest.fixture
def master(database: Path) -> Master:
    return Master(BesideLedger(database))


def relay(lines: int = 2, steps: int = 4, keep: str = "promotable", **fields: object) -> Spec:
    searcher = {"name": "relay", "lines": lines, "steps": steps}
    space = {name: {"type": "int", "low": 0, "high": 99} for name in ("trial", "after")}
    changed = {"searcher": searcher, "hyperparameters": space, "checkpoints": {"keep": keep}, **fields}
    return spec_from_json(spec_to_json(make_spec()) | changed)


class Race:
    """Trial 0 is the good one, trained to 10 and saved there; trial 1 is the bad one. Each has a worker of its own."""

    def __init__(self, master: Master, spec: Spec | None = None, *, saved: bool = True) -> None:
        self.master = master
        master.submit(spec or relay())
        self.good_worker, self.worker = master.worker("good"), master.worker("bad")
        self.good = self.good_worker.work()
        self.bad = self.worker.work()
        decision = self.good_worker.report(self.good, 10, 0.5)
        assert decision is not None
        assert decision.target == 20
        self.saved = self.good_worker.save(self.good, 10) if saved else ""

    def lose(self) -> Assignment:
        """The bad one is replaced: the assignment of the child."""
        assignment = self.lose_and_ask()
        assert assignment is not None, "there is no work"
        return assignment

    def lose_and_ask(self) -> Assignment | None:
        """The bad one is replaced: the assignment of the child, or None where there is none yet."""
        decision = self.worker.report(self.bad, 10, 5.0)
        assert decision is not None
        assert decision.kind is DecisionKind.STOP
        self.worker.exit(self.bad)
        return self.worker.ask()

    def save_newer(self, *resources: int) -> list[str]:
        """The good one trains on and saves."""
        uris = []
        for resource in resources:
            self.good_worker.report(self.good, resource, 0.5)
            uris.append(self.good_worker.save(self.good, resource))
        return uris

    def kept(self) -> set[str]:
        """The checkpoints that are not given up."""
        return {row.uri for row in self.master.store.rows.checkpoints.values() if row.delete_time is None}


def uris(assignment: Assignment) -> list[str]:
    return [ref.uri for ref in assignment.checkpoints]


def tell_broken(worker: Worker, assignment: Assignment, broken: list[str], started_from: str, resource: int) -> None:
    """The worker's first report under a lease, whose training could not start where it should."""
    event = worker.event(assignment.lease, Measurement(resource, {"error": 0.4}))
    worker.send(event._replace(broken_checkpoints="cut short", broken_uris=tuple(broken), started_from=started_from))


def test_a_child_starts_from_its_parents_latest_checkpoint_with_hyperparameters_made_from_its(
    master: Master, database: Path
) -> None:
    race = Race(master)
    assignment = race.lose()
    assert assignment.lease.trial_id == 2
    assert (uris(assignment), assignment.checkpoints[0].resource, assignment.target) == ([race.saved], 10, 20)
    assert assignment.hparams == {"trial": 2, "after": 0}
    child = master.trial(2)
    assert (child.parent, child.start_resource, child.resource, child.origin) == (0, 10, 10, "trial 0")
    assert master.lease(assignment.lease).from_resource == 10
    assert master.experiment().resource_spent == 20
    race.worker.report(assignment, 20, 0.1)
    assert master.experiment().resource_spent == 30
    created = [event.data for event in master.store.rows.events if event.kind == "trial_created"]
    assert created[2] == {"bracket": 0, "target": 20, "parent": 0, "from": 10}
    assert check_database(str(database)).violations == []


def test_what_a_child_starts_from_is_kept_until_it_has_a_checkpoint_of_its_own(master: Master) -> None:
    race = Race(master)
    child = race.lose()
    newer = race.save_newer(12, 14, 16)
    assert race.kept() == {race.saved, *newer[1:]}, "what was given to the child, and the last two"
    race.worker.report(child, 20, 0.1)
    own = race.worker.save(child, 20)
    assert race.kept() == {own, *newer[1:]}
    assert master.trial(2).start_uri == ""
    assert master.trial(2).start_resource == 10


def test_what_two_children_start_from_is_kept_until_both_have_one_of_their_own(master: Master, database: Path) -> None:
    race = Race(master, relay(lines=3))
    third = master.worker("third")
    other = third.work()
    first = race.lose()
    third.report(other, 10, 6.0)
    third.exit(other)
    second = third.work()
    assert uris(first) == uris(second) == [race.saved]
    newer = race.save_newer(12, 14)
    race.worker.report(first, 20, 0.1)
    race.worker.save(first, 20)
    assert race.saved in race.kept()
    assert check_database(str(database)).violations == []
    third.report(second, 20, 0.2)
    third.save(second, 20)
    assert race.saved not in race.kept()
    assert {*newer} < race.kept()


@pytest.mark.parametrize("outcome", [ExitOutcome.FAILED, ExitOutcome.INVALID_HPARAMS])
def test_it_is_kept_when_the_parent_fails_and_goes_with_the_child(master: Master, outcome: ExitOutcome) -> None:
    race = Race(master, relay(max_restarts=0))
    child = race.lose()
    newer = race.save_newer(12)
    race.good_worker.exit(race.good, outcome, "boom")
    assert master.trial(0).state == TrialState.FAILED if outcome is ExitOutcome.FAILED else TrialState.DISCARDED
    assert race.kept() == {race.saved}
    assert newer[0] not in race.kept()
    race.worker.exit(child, ExitOutcome.FAILED, "boom")
    assert master.trial(2).state == TrialState.FAILED
    assert race.kept() == set()


def test_a_child_that_is_lost_starts_there_again(master: Master) -> None:
    race = Race(master)
    race.lose()
    race.save_newer(12, 14)
    master.advance(LEASE_TTL + 2, alive=[race.good_worker])
    other = master.worker("other")
    again = other.work()
    assert (again.lease.trial_id, again.lease.token) == (2, 2)
    assert uris(again)[0] == race.saved
    other.report(again, 20, 0.1)
    own = other.save(again, 20)
    master.advance(LEASE_TTL + 2, alive=[race.good_worker])
    assert uris(master.worker("third").work()) == [own]


def test_a_master_that_is_killed_between_the_exploit_and_the_childs_start_goes_on_the_same(master: Master) -> None:
    race = Race(master)
    race.worker.report(race.bad, 10, 5.0)
    race.worker.exit(race.bad)
    master.restart()
    race.good_worker.connect(race.good.lease)
    race.worker.connect()
    child = race.worker.work()
    assert (child.lease.trial_id, uris(child), child.hparams["after"]) == (2, [race.saved], 0)
    master.restart()
    race.worker.connect()
    (again,) = race.worker.received().assignments or race.worker.request(request_id=child.request_id).assignments
    assert (again.lease, uris(again)) == (child.lease, [race.saved])
    race.good_worker.connect(race.good.lease)
    newer = race.save_newer(12, 14, 16)
    master.restart()
    assert race.kept() == {race.saved, *newer[1:]}


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_commit_that_fails_changes_nothing_of_it(master: Master, fault: str) -> None:
    race = Race(master)
    race.worker.report(race.bad, 10, 5.0)
    race.worker.exit(race.bad)
    master.commit_faults = [fault]
    with pytest.raises(Unavailable):
        race.worker.request(request_id="work")
    race.good_worker.connect(race.good.lease)
    race.worker.connect()
    (child,) = race.worker.request(request_id="work").assignments
    assert (child.lease.trial_id, child.lease.token, uris(child)) == (2, 1, [race.saved])


def test_a_child_waits_for_the_checkpoint_that_its_parent_was_asked_for(master: Master) -> None:
    race = Race(master, saved=False)
    assert race.lose_and_ask() is None
    assert master.trial(2).state == TrialState.PENDING
    master.restart()
    race.good_worker.connect(race.good.lease)
    race.worker.connect()
    assert race.worker.ask() is None
    saved = race.good_worker.save(race.good, 10)
    (child,) = race.worker.received().assignments
    assert (uris(child), master.trial(2).start_resource, child.target) == ([saved], 10, 20)


def test_it_waits_no_longer_than_to_its_parents_next_report_or_its_end(master: Master) -> None:
    race = Race(master, saved=False)
    assert race.lose_and_ask() is None
    race.good_worker.exit(race.good, ExitOutcome.GIVEN_BACK)
    (child,) = race.worker.received().assignments
    assert (child.lease.trial_id, uris(child)) == (0, []), "its parent, which is given back, goes first"
    child = master.worker("third").work()
    assert (child.lease.trial_id, uris(child)) == (2, [])


def test_a_trial_that_goes_on_is_asked_for_a_checkpoint_also_where_the_answer_is_given_again(master: Master) -> None:
    race = Race(master, saved=False)
    report = race.good_worker.event(race.good.lease, Measurement(20, {"error": 0.5}))
    (decision,) = race.good_worker.send(report).decisions
    assert (decision.kind, decision.save_checkpoint) == (DecisionKind.CONTINUE, True)
    master.restart()
    race.good_worker.connect(race.good.lease)
    (again,) = race.good_worker.send(report).decisions
    assert again.save_checkpoint


def test_a_parent_without_a_checkpoint_gives_its_hyperparameters_alone(master: Master, database: Path) -> None:
    race = Race(master, saved=False)
    race.good_worker.report(race.good, 11, 0.5)
    child = race.lose()
    assert (uris(child), child.target, child.hparams) == ([], 20, {"trial": 2, "after": 0})
    assert master.trial(2).start_resource == 0
    race.worker.report(child, 20, 0.1)
    assert master.experiment().resource_spent == 41
    assert check_database(str(database)).violations == []


def test_a_child_of_one_that_has_saved_nothing_yet_starts_where_that_one_did(master: Master, database: Path) -> None:
    race = Race(master, relay(lines=3))
    third = master.worker("third")
    other = third.work()
    child = race.lose()
    race.worker.report(child, 20, 0.1)
    race.worker.report(child, 21, 0.1)
    third.report(other, 10, 6.0)
    third.exit(other)
    grandchild = third.work()
    assert (master.trial(4).parent, master.trial(4).start_resource, uris(grandchild)) == (3, 10, [race.saved])
    assert grandchild.hparams == {"trial": 4, "after": 3}
    race.worker.save(child, 20)
    race.save_newer(12, 14)
    assert race.saved in race.kept()
    assert check_database(str(database)).violations == []


def test_where_it_is_broken_the_worker_says_from_which_other_it_starts(master: Master, database: Path) -> None:
    race = Race(master)
    newer = race.save_newer(12)
    child = race.lose()
    assert uris(child) == [newer[0], race.saved], "the other one is for when the first is broken"
    tell_broken(race.worker, child, newer, race.saved, 11)
    assert (master.trial(2).start_resource, master.trial(2).start_uri) == (10, race.saved)
    assert race.kept() == {race.saved}, "the parent is not offered the broken one either"
    assert master.experiment().resource_spent == 12 + 10 + 1
    race.save_newer(14, 16)
    assert race.saved in race.kept()
    assert check_database(str(database)).violations == []


def test_where_all_are_broken_it_trains_from_nothing(master: Master, database: Path) -> None:
    race = Race(master)
    child = race.lose()
    tell_broken(race.worker, child, [race.saved], "", 1)
    assert (master.trial(2).start_resource, master.trial(2).start_uri, master.trial(2).resource) == (0, "", 1)
    assert race.kept() == set()
    race.worker.report(child, 20, 0.1)
    assert master.experiment().resource_spent == 40
    assert check_database(str(database)).violations == []


def test_what_a_child_had_trained_counts_from_where_it_starts_in_the_end(master: Master, database: Path) -> None:
    race = Race(master)
    child = race.lose()
    race.worker.report(child, 15, 0.4)
    master.advance(LEASE_TTL + 2, alive=[race.good_worker])
    other = master.worker("other")
    again = other.work()
    tell_broken(other, again, [race.saved], "", 1)
    assert check_database(str(database)).violations == []
    other.report(again, 20, 0.1)
    assert master.experiment().resource_spent == 40
    assert check_database(str(database)).violations == []


def test_one_that_lost_its_own_checkpoint_starts_below_what_it_had_trained(master: Master, database: Path) -> None:
    """Its child finds that broken. What the parent has further on is not for it: its own training would not count."""
    race = Race(master, relay(lines=3))
    third = master.worker("third")
    loser = third.work()
    child = race.lose()
    race.worker.report(child, 15, 0.1)
    own = race.worker.save(child, 15)
    for resource in (20, 21):
        race.worker.report(child, resource, 0.1)
    earlier, _ = race.save_newer(16, 25)
    third.report(loser, 10, 6.0)
    third.exit(loser)
    grandchild = third.work()
    assert uris(grandchild)[0] == own
    tell_broken(third, grandchild, [own], "", 1)
    master.advance(LEASE_TTL + 2, alive=[race.good_worker, third])
    other = master.worker("other")
    again = other.work()
    assert (again.lease.trial_id, uris(again)) == (child.lease.trial_id, [earlier])
    assert check_database(str(database)).violations == []
    tell_broken(other, again, [earlier], "", 1)
    trial = master.trial(child.lease.trial_id)
    assert (trial.start_resource, trial.resource) == (0, 21)
    assert master.experiment().resource_spent == 25 + 10 + 10 + 21 + 1
    assert check_database(str(database)).violations == []


def test_one_that_waits_for_a_worker_is_given_another_where_its_own_was_found_broken(
    master: Master, database: Path
) -> None:
    race = Race(master, relay(lines=3))
    third = master.worker("third")
    other = third.work()
    newer = race.save_newer(12)
    first = race.lose()
    third.report(other, 10, 6.0)
    third.exit(other)
    second = third.work()
    assert uris(first)[0] == uris(second)[0] == newer[0]
    third.exit(second, ExitOutcome.GIVEN_BACK)
    tell_broken(race.worker, first, newer, race.saved, 11)
    waits = second.lease.trial_id
    assert (master.trial(waits).start_resource, master.trial(waits).start_uri) == (12, "")
    assert check_database(str(database)).violations == []
    again = third.work()
    assert (again.lease.trial_id, uris(again)) == (waits, [race.saved])
    assert (master.trial(waits).start_resource, master.trial(waits).start_uri) == (10, race.saved)
    assert check_database(str(database)).violations == []


def test_an_assignment_that_was_lost_on_its_way_names_another_where_its_start_was_found_broken(master: Master) -> None:
    race = Race(master, relay(lines=3))
    third = master.worker("third")
    other = third.work()
    newer = race.save_newer(12)
    first = race.lose()
    third.report(other, 10, 6.0)
    third.exit(other)
    second = third.work()
    third.disconnect()
    tell_broken(race.worker, first, newer, race.saved, 11)
    (again,) = third.connect().assignments
    assert (again.lease, uris(again)) == (second.lease, [race.saved])
    assert (master.trial(second.lease.trial_id).start_resource) == 10


def test_hyperparameters_are_inherited_from_trials_of_before_a_restart(master: Master) -> None:
    race = Race(master)
    race.lose()
    master.restart()
    assert {trial_id: row.hparams for trial_id, row in master.core.experiments[1].records.trials.items()} == {
        0: {"trial": 0},
        2: {"trial": 2, "after": 0},
    }


@pytest.mark.parametrize("keep", ["promotable", "best", "all"])
def test_nothing_is_kept_for_a_child_once_its_experiment_has_ended(master: Master, database: Path, keep: str) -> None:
    race = Race(master, relay(lines=3, keep=keep))
    third = master.worker("third")
    best = third.work()
    race.lose()
    newer = race.save_newer(12, 14)
    third.report(best, 10, 0.1)
    bests = third.save(best, 10)
    master.do(lambda core: core.cancel(1))
    assert master.trial(2 if best.lease.trial_id == 3 else 3).state == TrialState.CANCELLED
    assert race.kept() == ({bests, *newer} if keep == "all" else {bests})
    assert all(trial.start_uri == "" for trial in master.store.rows.trials.values())
    assert check_database(str(database)).violations == []


def test_a_search_of_children_ends_and_its_journal_is_replayed(master: Master, database: Path) -> None:
    master.submit(relay(lines=3, steps=3))
    held: dict[Worker, tuple[Assignment, int]] = {}
    workers = [master.worker(f"w{n}") for n in range(2)]
    turn = 0
    while master.experiment().state == ExperimentState.ACTIVE:
        worker, turn = workers[turn % 2], turn + 1
        if worker not in held:
            if (assignment := worker.ask()) is not None:
                held[worker] = assignment, assignment.target
            continue
        assignment, resource = held[worker]
        decision = worker.report(assignment, resource, 0.5 + turn % 3)
        assert decision is not None
        worker.save(assignment, resource)
        if decision.kind is DecisionKind.CONTINUE:
            held[worker] = assignment, decision.target
        else:
            worker.exit(assignment)
            del held[worker]
    assert any(trial.parent is not None for trial in master.store.rows.trials.values())
    assert check_database(str(database)).violations == []
