"""What one experiment, or one command, brings about is its own trouble: the others and the master go on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from unit.master_harness import Line, Master, make_spec
from unit.master_store import RAISES, RAISING, UNDRAWABLE, MemoryStore, plain_blueprint
from unit.test_dispatcher_writer import FaultyStore, create, insist, run, until

from rungmaster.master.dispatcher import writer as writer_module
from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.isolation import Suspended
from rungmaster.master.dispatcher.recovered import RecoveredMemory
from rungmaster.master.dispatcher.scheduling.drawing import AHEAD, Drawer
from rungmaster.master.dispatcher.setup import ExperimentSetups, Refused
from rungmaster.master.dispatcher.writer import Writer
from rungmaster.master.experiment.changes import Changes, NotWritten
from rungmaster.master.experiment.experiment import LiveExperiment
from rungmaster.master.experiment.life import lifecycle
from rungmaster.master.experiment.life.ending import Ending
from rungmaster.master.experiment.records import Batch
from rungmaster.master.experiment.setup import ExperimentSetup
from rungmaster.shared.errors import DatabaseError, FailedPrecondition, InternalError, InvalidSpec, Problem
from rungmaster.shared.spec.spec import spec_to_json
from rungmaster.shared.wire.session import (
    Assignment,
    CheckpointSaved,
    Exit,
    ExitOutcome,
    Hello,
    LeaseEvent,
    SessionRequest,
    WorkRequest,
)


def both(name: str) -> Master:
    """A master with an experiment that has trouble of its own (1), and a healthy one (2)."""
    master = Master()
    master.submit(make_spec(name=name, priority=1))
    master.submit(make_spec())
    return master


def test_an_experiment_whose_hyperparameters_cannot_be_drawn_fails_with_the_reason_and_the_other_goes_on() -> None:
    master = both(UNDRAWABLE)
    worker = master.worker(slots=1)
    trained = [worker.work() for _ in range(1)]
    worker.report(trained[0], 1, 0.5)
    worker.exit(trained[0])
    while master.experiment(1).state == "active":
        worker.train(1.0)
    assert master.experiment(1).state == "failed"
    assert master.experiment(1).state_reason == (
        "no hyperparameters could be drawn for trial 3: forbidden: rules out too much"
    )
    assert worker.train(1.0).lease.experiment_id == 2
    assert master.experiment(2).state == "active"


def test_an_experiment_that_raises_is_paused_with_the_reason_and_its_leases_end() -> None:
    master = both(RAISING)
    worker, other = master.worker("one"), master.worker("other")
    raising, same = worker.work(), other.work()
    assert {raising.lease.experiment_id, same.lease.experiment_id} == {1}
    worker.report(raising, raising.target, RAISES)
    assert master.experiment(1).state == "paused"
    assert "KeyError: 'a bug met trial 0'" in master.experiment(1).state_reason
    assert [event.kind for event in master.store.rows.events if event.experiment_id == 1][-1] == "experiment_paused"
    assert [lost.lease for lost in other.received().lost_leases] == [same.lease]
    assert not master.store.rows.reports, "what it did in that batch does not count"
    assert worker.work().lease.experiment_id == 2


def test_an_experiment_that_raised_can_be_resumed() -> None:
    master = both(RAISING)
    worker = master.worker()
    first = worker.work()
    worker.report(first, first.target, RAISES)
    master.do(lambda core: core.resume(1))
    again = worker.work()
    assert again.lease.trial_id == first.lease.trial_id
    assert again.lease.token == 2
    assert worker.report(again, again.target, 1.0) is not None


def test_a_worker_whose_assignment_was_of_the_experiment_that_raised_gets_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Experiment 1 raises once it has given one worker something and is asked by the next, in the same batch."""
    master, assign, given = both("toy"), LiveExperiment.assign, list[int]()

    def assign_once(self: LiveExperiment, *arguments: Any) -> Any:
        lease = assign(self, *arguments)
        given.append(self.experiment_id)
        assert self.experiment_id != 1 or given.count(1) < 2, "a bug"
        return lease

    monkeypatch.setattr(LiveExperiment, "assign", assign_once)
    workers = [master.worker("one"), master.worker("other")]

    def ask(core: Core) -> None:
        for worker in workers:
            request = SessionRequest(work_request=WorkRequest(f"of {worker.name}", 1))
            core.receive(worker.session_id, worker.line, request, master.now)

    master.do(ask)
    assert given[:2] == [1, 1]
    assert master.experiment(1).state == "paused"
    for worker in workers:
        assert [each.lease.experiment_id for each in worker.received().assignments] == [2]
    assert {lease.experiment_id for lease in master.store.rows.leases.values()} == {2}


def test_who_steers_an_experiment_that_raises_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    master = both("toy")
    monkeypatch.setattr(lifecycle, "cancel", lambda experiment, batch: {}["gone"])
    with pytest.raises(InternalError, match="KeyError: 'gone'"):
        master.do(lambda core: core.cancel(1))
    master.do(lambda core: None)
    assert master.experiment(1).state == "paused"
    assert master.experiment(2).state == "active"


def refused(recovered: RecoveredMemory) -> RecoveredMemory:
    """The first experiment's spec breaks a rule that is newer than it."""
    error = InvalidSpec([Problem("searcher.max_trials", "must be at most 5")])
    recovered.experiments[0] = recovered.experiments[0][0], Refused(error)
    return recovered


MEMORY_RECOVER, MEMORY_EXPERIMENT = MemoryStore.recover, MemoryStore.experiment


def refused_one(store: MemoryStore, number: int) -> Any:
    found = MEMORY_EXPERIMENT(store, number)
    return refused(RecoveredMemory(experiments=[found])).experiments[0] if found and number == 1 else found


def refused_first(store: MemoryStore) -> RecoveredMemory:
    recovered = MEMORY_RECOVER(store)
    mine = recovered.experiments and recovered.experiments[0][0].row.experiment_id == 1
    return refused(recovered) if mine else recovered


def test_a_stored_spec_that_is_refused_pauses_its_experiment_and_the_master_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    master = both("toy")
    worker = master.worker()
    held = worker.work()
    rows = master.store.rows
    monkeypatch.setattr(MemoryStore, "recover", refused_first)
    monkeypatch.setattr(MemoryStore, "experiment", refused_one)
    master.restart()
    assert list(master.core.isolation.broken) == [1]
    master._suspend_what_is_broken()
    row = master.experiment(1)
    assert (row.state, row.state_reason) == (
        "paused",
        "this version refuses its spec: searcher.max_trials: must be at most 5",
    )
    assert rows.leases[1, 0, 1].outcome == "cancelled"
    assert worker.connect(held.lease).lost_leases
    assert worker.work().lease.experiment_id == 2
    events = len(rows.events)
    master.restart()
    assert not master.core.isolation.broken, "it is told once"
    assert len(rows.events) == events
    with pytest.raises(FailedPrecondition, match="refuses its spec"):
        master.do(lambda core: core.resume(1))
    master.do(lambda core: core.pause(1))
    master.do(lambda core: core.cancel(1))
    assert master.experiment(1).state == "cancelled"
    assert {trial.state for trial in rows.trials.values() if trial.experiment_id == 1} == {"cancelled"}
    master.do(lambda core: core.delete(1))
    assert 1 not in rows.experiments


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        (lambda spec: spec, {1}),
        (lambda spec: {}, {0, 1}),
        (lambda spec: spec | {"metric": {"name": "error", "goal": "most"}}, {0, 1}),
        (lambda spec: spec | {"checkpoints": {"keep": "some"}}, {0, 1}),
    ],
)
def test_the_best_model_stays_where_a_search_that_cannot_go_on_is_cancelled_and_all_where_the_best_is_not_known(
    damage: Callable[[dict[str, Any]], dict[str, Any]], kept: set[int]
) -> None:
    master = Master()
    master.submit(make_spec(metric={"name": "error", "goal": "maximize"}, checkpoints={"keep": "best"}))
    worker = master.worker()
    for result in (0.2, 0.9):
        worker.train(result)
    found = master.store.experiment(1)
    assert found is not None
    records = replace(found[0], row=replace(found[0].row, spec=damage(dict(found[0].row.spec))))
    suspended, batch = Suspended.of(records, "it is damaged"), Batch(Changes(), 0.0)
    assert suspended.records is not None
    suspended.pause(batch)
    suspended.cancel(batch)
    Ending(suspended.records).go_on(100, batch)
    assert {trial.state for trial in batch.changes.trials.values()} == {"cancelled"}
    gone = batch.changes.unneeded_checkpoints
    assert {row.trial_id for row in records.checkpoints if row.uri not in gone} == kept


def test_an_experiment_whose_rows_contradict_each_other_is_kept_out_and_can_be_cancelled() -> None:
    master = both("toy")
    worker = master.worker()
    worker.work()
    master.store.rows.trials[1, 0].state = "nonsense"
    core = Core(master.parameters, master.store.recover(), master.now)
    assert list(core.isolation.broken) == [1]
    assert list(core.experiments) == [2]
    core.suspend(1, master.store.experiment(1))
    turn = core.finish(master.now)
    assert turn.changes.experiments[1].state == "paused"
    assert not turn.changes.trials
    core.cancel(1)
    assert core.finish(master.now).changes.experiments[1].state == "cancelled"


def test_a_command_that_raises_is_answered_with_an_error_and_those_beside_it_go_on() -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        results = await asyncio.gather(
            writer.execute(create("a")),
            writer.execute(lambda core, _: {}["poison"]),
            writer.execute(create("b")),
            return_exceptions=True,
        )
        assert results[0] == 1
        assert isinstance(results[1], InternalError)
        assert results[2] == 2
        assert store.recoveries == 3, "at the start, for the batch, and for the one that raised"

    run(scenario)


def test_what_the_database_does_not_take_of_one_experiment_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = FaultyStore.commit

    def commit(self: FaultyStore, changes: Changes) -> None:
        if any(row.experiment_id == 1 and row.kind != "experiment_created" for row in changes.new_events):
            raise NotWritten from DatabaseError("a row does not fit")
        real(self, changes)

    monkeypatch.setattr(FaultyStore, "commit", commit)

    async def scenario(writer: Writer, store: FaultyStore) -> None:
        await writer.execute(create("a"))
        await writer.execute(create("b"))
        results = await asyncio.gather(
            writer.execute(lambda core, _: core.pause(1)),
            writer.execute(lambda core, _: core.pause(2)),
            return_exceptions=True,
        )
        assert isinstance(results[0], InternalError)
        assert results[1] is None
        assert store.experiments[2].state == "paused"
        assert store.recoveries == 1, "nothing was rebuilt"
        with pytest.raises(FailedPrecondition):
            await writer.execute(lambda core, _: core.resume(1))
        assert await insist(writer, create("c")) == 3

    run(scenario)


def test_checkpoints_that_were_given_up_in_what_the_database_did_not_take_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiment 1 fails a trial for good, and its part of that batch is not written."""
    real = FaultyStore.commit

    def commit(self: FaultyStore, changes: Changes) -> None:
        if any(row.kind == "trial_failed" for row in changes.new_events):
            raise NotWritten from DatabaseError("a row does not fit")
        real(self, changes)

    monkeypatch.setattr(FaultyStore, "commit", commit)

    async def scenario(writer: Writer, store: FaultyStore) -> None:
        line, setup = Line(), plain_blueprint(make_spec(max_restarts=0))

        async def send(*events: Any, **fields: Any) -> None:
            request = SessionRequest(events=events, **fields)
            await writer.execute(lambda core, now: core.receive("s", line, request, now))

        await writer.execute(lambda core, _: core.create(setup, ""))
        await writer.execute(lambda core, now: core.connect(Hello("s", "w", 1), line, now))
        await send(work_request=WorkRequest("first", 1))
        await until(lambda: bool(assignments(line)))
        lease = assignments(line)[0].lease
        await send(LeaseEvent(lease, 1, CheckpointSaved("1/0/1-1-a", 1, 10, "sum")))
        await send(LeaseEvent(lease, 2, Exit(ExitOutcome.FAILED, "an error")))
        await insist(writer, lambda core, _: core.resume(1))
        await send(work_request=WorkRequest("second", 1))
        await until(lambda: len(assignments(line)) == 2)
        assert [ref.uri for ref in assignments(line)[1].checkpoints] == ["checkpoints/1/0/1-1-a"]
        assert not [uri for response in line.inbox for uri in response.delete_checkpoints]
        asked = await writer.execute(lambda core, _: core.worker_tasks.deletions.ask(["other"], 1e9))
        assert not asked, "nor is it asked for later"

    run(scenario)


@pytest.mark.parametrize("damage", ["unreadable", "gone", "no mapping"])
def test_hyperparameters_that_cannot_be_read_pause_their_experiment_and_the_others_are_served(
    damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker comes back whose assignments of both experiments are to be told again."""
    real = FaultyStore.hparams

    def hparams(self: FaultyStore, trials: set[tuple[int, int]]) -> dict[tuple[int, int], Any]:
        if damage == "unreadable" and any(experiment == 1 for experiment, _ in trials):
            raise ValueError("this is no JSON")
        found: dict[tuple[int, int], Any] = real(self, trials)
        return {
            key: 7 if damage == "no mapping" and key[0] == 1 else value
            for key, value in found.items()
            if damage != "gone" or key[0] == 2
        }

    monkeypatch.setattr(FaultyStore, "hparams", hparams)

    async def scenario(writer: Writer, store: FaultyStore) -> None:
        line, hello = Line(), Hello("s", "w", 2)
        # Drawn ahead in threads, the first trial of one may be late: it gets its slot all the same.
        await writer.execute(create("a", max_concurrent_trials=1))
        await writer.execute(create("b", max_concurrent_trials=1))
        await writer.execute(lambda core, now: core.connect(hello, line, now))
        for number, name in enumerate(("first", "second"), start=1):
            asked = SessionRequest(work_request=WorkRequest(name, 1))
            await writer.execute(lambda core, now, asked=asked: core.receive("s", line, asked, now))
            await until(lambda number=number: len(assignments(line)) == number)
        again = Line()
        await writer.execute(lambda core, now: core.connect(hello, again, now))
        await until(lambda: store.experiments[1].state == "paused")
        assert "the hyperparameters of trial 0 cannot be read" in store.experiments[1].state_reason
        assert [assignment.lease.experiment_id for assignment in assignments(again)] == [2]
        assert store.experiments[2].state == "active"
        assert store.recoveries == 1, "nothing was rebuilt"

    run(scenario)


@pytest.mark.parametrize("damage", [{"weight": 0.0}, {"priority": "high"}])
def test_stored_settings_that_cannot_be_used_pause_their_experiment_and_the_others_are_served(
    damage: dict[str, Any],
) -> None:
    master = Master()
    master.submit(make_spec())
    master.submit(make_spec())
    store = master.store.rows
    store.experiments[1] = replace(store.experiments[1], **damage)
    master.restart()
    assert master.worker().work().lease.experiment_id == 2
    assert master.experiment(1).state == "paused"
    assert "Error" in master.experiment(1).state_reason


def test_an_experiment_is_woken_by_what_was_drawn_although_the_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(writer: Writer, store: FaultyStore) -> None:
        line = Line()
        await writer.execute(lambda core, now: core.connect(Hello("s", "w", 1), line, now))
        asked = SessionRequest(work_request=WorkRequest("first", 1))
        await writer.execute(lambda core, now: core.receive("s", line, asked, now))
        creation = writer.submit(create("a"))
        monkeypatch.setattr(writer_module, "QUEUE_LIMIT", 0)
        assert await creation == 1
        await until(lambda: bool(assignments(line)))

    run(scenario)


def assignments(line: Line) -> list[Assignment]:
    return [assignment for response in line.inbox for assignment in response.assignments]


def test_drawing_never_holds_the_event_loop_and_gives_what_the_space_gives() -> None:
    started: list[int] = []

    async def main() -> None:
        woken = asyncio.Event()
        drawer = Drawer(lambda number: woken.set())
        draw = drawer.ahead(7, lambda trial: started.append(trial) or {"trial": trial})
        assert draw(5) is None, "it is drawn in a thread"
        await asyncio.wait_for(woken.wait(), 30)
        assert [draw(trial) for trial in range(5, 5 + AHEAD // 2)] == [
            {"trial": trial} for trial in range(5, 5 + AHEAD // 2)
        ]
        drawer.close()

    asyncio.run(main())
    assert started[0] == 5


def test_a_draw_that_raises_raises_when_its_trial_is_asked_for() -> None:
    async def main() -> None:
        woken = asyncio.Event()
        drawer = Drawer(lambda number: woken.set())
        draw = drawer.ahead(7, lambda trial: {"trial": trial} if trial < 2 else {}["no such trial"])
        assert draw(0) is None
        await asyncio.wait_for(woken.wait(), 30)
        assert draw(0) == {"trial": 0}
        assert draw(1) == {"trial": 1}
        with pytest.raises(KeyError):
            draw(2)
        drawer.close()

    asyncio.run(main())


def test_an_experiment_that_is_drawn_with_difficulty_holds_up_no_other() -> None:
    async def main() -> None:
        woken = asyncio.Event()
        drawer = Drawer(lambda number: woken.set())
        difficult, easy = drawer.ahead(7, lambda trial: None), drawer.ahead(8, lambda trial: {"trial": trial})
        assert difficult(0) is None
        assert easy(0) is None
        await asyncio.wait_for(woken.wait(), 30)
        assert easy(0) == {"trial": 0}
        assert difficult(0) is None
        drawer.close()

    asyncio.run(main())


def test_a_search_that_is_under_way_ends_with_the_master() -> None:
    refusals: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: refusals.append(context))
        asked = threading.Event()
        # Those of other tests may still be at their last portion: nobody waits for a thread that is closed.
        others = {*threading.enumerate()}
        drawer = Drawer(lambda number: None)
        difficult = drawer.ahead(7, lambda trial: asked.set())
        assert difficult(0) is None
        drawing = {each for each in threading.enumerate() if each.name.startswith("drawing")}
        await asyncio.to_thread(asked.wait, 30)
        drawer.close()
        # The portion at hand comes to its end, and is told of.
        (thread,) = drawing - others
        await asyncio.to_thread(thread.join, 30)
        await asyncio.sleep(0)
        assert difficult(0) is None

    asyncio.run(main())
    assert refusals == []


@pytest.mark.parametrize("end", ["gone", "replaced"])
def test_what_nobody_asks_for_any_more_is_not_drawn(end: str) -> None:
    asked: list[int] = []

    async def main() -> None:
        woken = asyncio.Event()
        drawer = Drawer(lambda number: woken.set())
        difficult = drawer.ahead(7, asked.append)
        assert difficult(0) is None
        if end == "gone":
            del difficult
        else:
            drawer.ahead(7, lambda trial: {})
        # Each comes after what was waiting for the thread before it.
        counts = list[int]()
        for number in range(8, 12):
            woken.clear()
            easy = drawer.ahead(number, lambda trial: {"trial": trial})
            assert easy(0) is None
            await asyncio.wait_for(woken.wait(), 30)
            counts.append(len(asked))
        assert counts == counts[:1] * 4
        drawer.close()

    asyncio.run(main())


def test_a_stored_spec_is_read_once_however_often_the_memory_is_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    module = "rungmaster.master.dispatcher.setup.stored_spec"
    document = spec_to_json(make_spec())
    monkeypatch.setattr(module, lambda spec, rules: read.append(spec) or make_spec())
    setups = ExperimentSetups()
    first, second = (setups.of(1, document, 2) for _ in range(2))
    assert len(read) == 1
    assert not isinstance(first, Refused)
    assert not isinstance(second, Refused)
    assert first.searcher is not second.searcher


@pytest.mark.parametrize("rules", [1, 2])
def test_a_stored_experiment_draws_by_the_rules_under_which_it_began(rules: int) -> None:
    spec = make_spec(hyperparameters={"x": {"type": "int", "low": 1, "high": 6}})
    setup = ExperimentSetups().of(1, spec_to_json(spec), rules)
    assert isinstance(setup, ExperimentSetup)
    drawn = [(setup.draw(trial) or {})["x"] for trial in range(12)]
    assert (drawn[:6] == drawn[6:]) == (rules == 2)


def test_a_stored_document_of_any_kind_is_refused_and_not_raised() -> None:
    for document in ({}, {"name": "no spec"}, None, [], {"hyperparameters": 7}):
        assert isinstance(ExperimentSetups().of(1, document, 2), Refused)  # pyright: ignore[reportArgumentType]
