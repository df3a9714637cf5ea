"""What people and programs read: whole values, in pages that fit together, through indexes, beside the writer."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.event import listen

from rungmaster.master.experiment.changes import BracketRow, Changes, RungRow
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.errors import InvalidInput, NotFound
from rungmaster.shared.wire.model import Bracket, ExperimentState, Rung, TrialOrder, TrialState, Trouble

from .ledger_rows import START, checkpoint, created, event, experiment, lease, report, trial
from .query_plans import sqlite_steps


def all_pages(read: Callable[[str], tuple[list[Any], str]]) -> list[Any]:
    """Every row of a list, page after page."""
    rows, token = read("")
    while token:
        more, token = read(token)
        assert more
        rows = rows + more
    return rows


def test_an_experiment_is_shown_with_its_brackets_rungs_and_best_trial(ledger: Ledger, reader: Reader) -> None:
    batch = created(trials=3)
    batch.trials = {
        (1, 0): trial(0, state="paused", metric=0.5, metric_resource=3),
        (1, 1): trial(1, state="running", metric=0.25, metric_resource=3),
    }
    batch.brackets = {(1, 0): BracketRow(1, 0, 9, 4, 3)}
    batch.rungs = {(1, 0, 0): RungRow(1, 0, 0, 3, 2, 1, 0, 0.25)}
    batch.experiments = {1: experiment(counts={"paused": 1, "running": 1, "pending": 1}, resource_spent=6)}
    ledger.commit(batch)
    found = reader.get_experiment(1)
    assert found.name == "digits"
    assert found.state is ExperimentState.ACTIVE
    assert (found.metric, found.goal, found.unit) == ("loss", "minimize", "epochs")
    assert found.create_time == datetime.fromtimestamp(START + 1, UTC)
    assert found.end_time is None
    assert found.trial_counts == {TrialState.PAUSED: 1, TrialState.RUNNING: 1, TrialState.PENDING: 1}
    assert found.planned_trials == 9
    assert (found.resource_spent, found.resource_full) == (6, 270)
    assert found.spec == batch.new_experiments[0].spec
    assert found.brackets == (Bracket(0, 9, 4, 3, (Rung(0, 3, 2, 1, 0, 0.25), Rung(1, 9))),)
    assert found.best_trial is not None
    assert found.best_trial.trial_id == 1
    assert found.best_trial.hparams == {"width": 17, "solver": "sgd"}


@pytest.mark.parametrize(("goal", "best"), [("minimize", 5), ("maximize", 1)])
def test_the_best_trial_by_any_of_its_results_is_the_first_by_goal_and_number(
    ledger: Ledger, reader: Reader, goal: str, best: int
) -> None:
    batch = created(trials=0, goal=goal, best_by="any")
    results = {0: None, 1: 8.0, 2: -3.0, 3: -3.0, 4: 8.0, 5: -4.0}
    states = {1: "failed", 2: "running", 5: "failed"}
    batch.new_trials = [
        trial(n, metric=0.0, best_metric=result, best_resource=n, state=states.get(n, "paused"))
        for n, result in results.items()
    ]
    ledger.commit(batch)
    found = reader.get_experiment(1)
    assert found.best_trial is not None
    assert (found.best_trial.trial_id, found.best_trial.best_resource) == (best, best)
    assert found.leading_trial == found.best_trial == reader.list_experiments()[0][0].best_trial
    assert reader.list_trials(1, order=TrialOrder.BEST)[0][0] == found.best_trial


@pytest.mark.parametrize(("goal", "best"), [("minimize", 2), ("maximize", 1)])
def test_the_best_trial_is_the_first_by_goal_and_number_of_those_that_count(
    ledger: Ledger, reader: Reader, goal: str, best: int
) -> None:
    batch = created(trials=0, goal=goal)
    metrics = {0: None, 1: 8.0, 2: -3.0, 3: -3.0, 4: 8.0, 5: 1.0}
    states = {1: "completed", 4: "running", 2: "paused", 3: "completed"}
    batch.new_trials = [trial(n, metric=metric, state=states.get(n, "paused")) for n, metric in metrics.items()]
    batch.new_trials += [trial(6, metric=-99.0, state="failed"), trial(7, metric=99.0, state="discarded")]
    ledger.commit(batch)
    shown = reader.get_experiment(1).best_trial
    assert shown is not None
    assert shown.trial_id == best
    assert shown == reader.list_experiments()[0][0].best_trial


def test_a_trial_is_shown_with_its_worker_leases_and_checkpoints(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    assert reader.get_trial(1, 0)[0].worker == ""
    ledger.commit(
        Changes(
            trials={(1, 0): trial(0, state="running", token=2, resource=4)},
            new_leases=[lease(0, end_time=START + 9, outcome="expired"), lease(0, token=2, worker="host-2")],
            new_reports=[report(0, n) for n in (1, 2, 3, 4)] + [report(0, n, token=2) for n in (1, 2, 3)],
            new_checkpoints=[checkpoint(0, 3, token=2), checkpoint(0, 2, delete_time=START, deleted=True)],
        )
    )
    found, leases, checkpoints, _ = reader.get_trial(1, 0)
    assert found.state is TrialState.RUNNING
    assert found.worker == "host-2"
    assert found.resource == 4
    assert [(one.token, one.outcome) for one in leases] == [(1, "expired"), (2, "")]
    assert leases[0].end_time == datetime.fromtimestamp(START + 9, UTC)
    assert [(one.token, one.resource) for one in checkpoints] == [(1, 2), (2, 3)]
    assert checkpoints[0].delete_time == datetime.fromtimestamp(START, UTC)
    ledger.commit(Changes(new_reports=[report(0, 6, token=2)]))
    assert reader.get_trial(1, 0)[0].resource == 6


def test_a_trial_is_shown_with_its_children_and_the_schedule_of_its_model(ledger: Ledger, reader: Reader) -> None:
    batch = created(trials=0)
    batch.new_trials = [
        trial(0, resource=30),
        trial(1, parent=0, start_resource=10, resource=20),
        trial(2, parent=1, start_resource=10, resource=10),
        trial(3, parent=2, start_resource=10, resource=25),
        trial(4, parent=3, start_resource=0, resource=7),
    ]
    ledger.commit(batch)
    shown = {number: reader.get_trial(1, number) for number in range(5)}
    assert [(found[0].parent, found[3]) for found in shown.values()] == [(None, 1), (0, 1), (1, 1), (2, 1), (3, 0)]
    parts = {n: [(p.trial_id, p.from_resource, p.to_resource) for p in found[0].schedule] for n, found in shown.items()}
    assert parts == {
        0: [],
        1: [(0, 0, 10), (1, 10, 20)],
        2: [(0, 0, 10)],
        3: [(0, 0, 10), (3, 10, 25)],
        4: [(4, 0, 7)],
    }
    assert shown[3][0].schedule[1].hparams == {"width": 19, "solver": "sgd"}
    assert reader.list_trials(1)[0][3].schedule == (), "only where one is asked for"


def test_a_trial_is_shown_with_the_origin_of_its_hyperparameters(ledger: Ledger, reader: Reader) -> None:
    batch = created(trials=0)
    batch.new_trials = [trial(0), trial(1, origin="initial")]
    ledger.commit(batch)
    assert [found.origin for found in reader.list_trials(1)[0]] == ["random", "initial"]


def test_reports_come_in_the_order_of_their_acceptance(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    rows = [report(0, n, token) for token in (1, 2) for n in range(1, 8)]
    ledger.commit(Changes(new_reports=[*rows[::-1], report(1, 1)]))
    found = all_pages(lambda token: reader.list_reports(1, 0, 3, token))
    assert [(one.token, one.sequence) for one in found] == [(row.token, row.sequence) for row in rows]
    assert found[0].receive_time == datetime.fromtimestamp(START + 1, UTC)


def test_metrics_that_are_not_finite_read_back_as_they_were(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    odd = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "tiny": 5e-324, "third": 1 / 3, "zero": -0.0, "int": 3}
    ledger.commit(Changes(new_reports=[report(0, 1, metrics=odd)]))
    [found] = reader.list_reports(1, 0)[0]
    assert {name: repr(value) for name, value in found.metrics.items()} == {k: repr(float(v)) for k, v in odd.items()}


def test_experiments_come_newest_first_and_by_filter(ledger: Ledger, reader: Reader) -> None:
    for number, (name, state) in enumerate(
        [("digits", "active"), ("100%_digits", "paused"), ("words", "failed"), ("Digits", "active")], start=1
    ):
        batch = created(number)
        batch.new_experiments = [experiment(number, name=name, state=state)]
        ledger.commit(batch)

    def ids(**filters: Any) -> list[int]:
        found = all_pages(lambda token: reader.list_experiments(page_size=1, page_token=token, **filters))
        return [one.experiment_id for one in found]

    assert ids() == [4, 3, 2, 1]
    assert ids(name_contains="digits") == [2, 1]
    assert ids(name_contains="%_d") == [2]
    assert ids(name_contains="d%t") == []
    assert ids(states=[ExperimentState.ACTIVE, ExperimentState.FAILED]) == [4, 3, 1]
    assert ids(states=[ExperimentState.ACTIVE], name_contains="dig") == [1]
    listed = reader.list_experiments()[0][0]
    assert listed.spec == {}
    assert listed.brackets == ()


_metrics = st.one_of(st.none(), st.sampled_from([0.0, 1.0, -1.0]), st.floats(allow_nan=False, allow_infinity=False))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.sampled_from(TrialState), _metrics), max_size=30),
    goal=st.sampled_from(["minimize", "maximize"]),
    best_by=st.sampled_from(["any", "last"]),
    states=st.lists(st.sampled_from(TrialState), max_size=3),
    size=st.integers(1, 7),
)
def test_pages_hold_every_trial_once_and_in_order(
    ledger: Ledger,
    reader: Reader,
    rows: list[tuple[TrialState, float | None]],
    goal: str,
    best_by: str,
    states: list[TrialState],
    size: int,
) -> None:
    number = ledger.load().last_experiment_id + 1
    batch = created(number, trials=0, goal=goal, best_by=best_by)
    column = {"any": "best_metric", "last": "metric"}[best_by]
    batch.new_trials = [
        trial(n, number, state=state.value, **{column: metric}) for n, (state, metric) in enumerate(rows)
    ]
    ledger.commit(batch)
    wanted = [(n, metric) for n, (state, metric) in enumerate(rows) if state in states or not states]
    sign = -1 if goal == "maximize" else 1
    best = sorted(((sign * metric, n) for n, metric in wanted if metric is not None))

    def ids(order: TrialOrder) -> list[int]:
        return [one.trial_id for one in all_pages(lambda token: reader.list_trials(number, states, order, size, token))]

    assert ids(TrialOrder.ID) == [n for n, _ in wanted]
    assert ids(TrialOrder.BEST) == [n for _, n in best]


def test_a_page_that_is_exactly_full_is_the_last_one(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(trials=4))
    assert reader.list_trials(1, page_size=4)[1] == ""
    assert reader.list_trials(1, page_size=3)[1] != ""


@pytest.mark.parametrize(
    "read",
    [
        lambda reader, size: reader.list_experiments(page_size=size),
        lambda reader, size: reader.list_trials(1, page_size=size),
        lambda reader, size: reader.list_reports(1, 0, page_size=size),
        lambda reader, size: reader.events_after(1, 0, size),
    ],
    ids=["experiments", "trials", "reports", "events"],
)
@pytest.mark.parametrize("size", [-1, 10_001])
def test_a_page_size_out_of_bounds_is_refused(
    ledger: Ledger, reader: Reader, read: Callable[[Reader, int], Any], size: int
) -> None:
    ledger.commit(created())
    with pytest.raises(InvalidInput, match="must be 1 to"):
        read(reader, size)


def test_a_token_of_another_list_is_refused(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(trials=4))
    token = reader.list_trials(1, page_size=1)[1]
    for other in (
        lambda: reader.list_trials(1, [TrialState.PENDING], page_token=token),
        lambda: reader.list_trials(1, order=TrialOrder.BEST, page_token=token),
        lambda: reader.list_reports(1, 0, page_token=token),
        lambda: reader.list_experiments(page_token=token),
    ):
        with pytest.raises(InvalidInput, match="page_token: this token is of another list"):
            other()


@pytest.mark.parametrize("token", ["x", "AAAA", "é", "W10=", "e30=", "bnVsbA==", "WyJ4Il0=", "W" * 5000])
def test_a_token_that_no_list_gave_is_refused(ledger: Ledger, reader: Reader, token: str) -> None:
    ledger.commit(created())
    with pytest.raises(InvalidInput, match="page_token"):
        reader.list_trials(1, page_token=token)


def test_what_does_not_exist_is_not_found(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    for read in (
        lambda: reader.get_experiment(2),
        lambda: reader.list_trials(2),
        lambda: reader.get_trial(1, 2),
        lambda: reader.get_trial(2, 0),
        lambda: reader.list_reports(1, 2),
    ):
        with pytest.raises(NotFound, match="no"):
            read()
    assert reader.events_after(2, 0, 10) == []


def test_events_go_on_from_any_point(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    ledger.commit(created(2))
    ledger.commit(Changes(new_events=[event("decision", 1, 0, reason="rank 1 of 3"), event("tick", 2)]))
    first, second = reader.events_after(1, 0, 10)
    assert (first.trial_id, second.trial_id) == (None, 0)
    assert second.data == {"reason": "rank 1 of 3"}
    assert reader.events_after(1, first.event_id, 10) == [second]
    assert reader.events_after(1, 0, 1) == [first]
    assert reader.events_after(1, second.event_id, 10) == []
    assert reader.get_experiment(1).last_event_id == second.event_id


def test_a_look_for_news_of_an_experiment_is_two_statements(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    listen(reader._engine, "before_cursor_execute", note)
    events, status = reader.news(1, 0, 10)
    assert [entry.kind for entry in events] == ["experiment_created"]
    assert (status.state, status.ending) == (ExperimentState.ACTIVE, False)
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 2
    with pytest.raises(NotFound):
        reader.news(2, 0, 10)


def test_what_is_read_while_the_writer_writes_was_true_at_one_moment(ledger: Ledger, reader: Reader) -> None:
    """Each batch adds a trial to the trials, the bracket and the counts; no reader ever sees them disagree."""
    ledger.commit(created(trials=0))
    ledger.commit(Changes(experiments={1: experiment(counts={})}))
    last = 40
    stopped = threading.Event()

    def watch(_: int) -> int:
        seen = 0
        while seen < last and not stopped.is_set():
            found = reader.get_experiment(1)
            trials = sum(found.trial_counts.values())
            assert trials == found.brackets[0].trials_created
            assert trials >= seen
            seen = trials
        return seen

    def write(n: int) -> None:
        batch = Changes(new_trials=[trial(n)], brackets={(1, 0): BracketRow(1, 0, 99, None, n)})
        batch.experiments = {1: experiment(counts={"pending": n})}
        ledger.commit(batch)

    with ThreadPoolExecutor(3) as threads:
        watchers = [threads.submit(watch, n) for n in range(3)]
        try:
            for n in range(1, last + 1):
                write(n)
        except BaseException:
            stopped.set()
            raise
        assert [watcher.result(60) for watcher in watchers] == [last] * 3


def test_no_query_of_trials_reports_or_events_scans_its_table(sqlite_url: str) -> None:
    """SQLite's own plans, without statistics: each table that grows is searched through an index."""
    ledger, reader = Ledger.open(sqlite_url, holder="me"), Reader(sqlite_url)
    for number, goal in ((1, "minimize"), (2, "maximize")):
        batch = created(number, trials=0, goal=goal)
        batch.new_trials = [trial(n, number, metric=float(n % 3), state="paused") for n in range(9)]
        batch.new_reports = [report(0, n, experiment_id=number) for n in range(1, 9)]
        ledger.commit(batch)
    steps = sqlite_steps(reader._engine, ledger._engine)
    for number in (1, 2):
        for states in ([], [TrialState.PAUSED], [TrialState.PAUSED, TrialState.RUNNING]):
            for order in TrialOrder:
                _, token = reader.list_trials(number, states, order, 2)
                reader.list_trials(number, states, order, 2, token)
        reader.get_experiment(number)
        reader.list_experiments()
        reader.get_trial(number, 0)
        reader.list_reports(number, 0, 2, reader.list_reports(number, 0, 2)[1])
        reader.events_after(number, 0, 5)
    ledger.hparams([(1, 2), (2, 3)])
    ledger.load()
    scans = [step for step in steps if step.startswith("SCAN") and "CONSTANT" not in step]
    growing = {"trials", "reports", "events", "leases", "rung_results", "checkpoints"}
    assert not [step for step in scans if step.split()[1] in growing]
    ledger.close()
    reader.close()


def test_a_trial_keeps_its_worker_name_only_while_the_lease_is_held(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    held = lease(0)
    ledger.commit(Changes(trials={(1, 0): trial(0, state="running", token=1)}, new_leases=[held]))
    assert reader.list_trials(1)[0][0].worker == "host-1"
    ended = replace(held, end_time=START + 1, outcome="released")
    ledger.commit(Changes(leases={(1, 0, 1): ended}))
    assert reader.list_trials(1)[0][0].worker == ""


def test_what_went_wrong_is_counted_by_cause(ledger: Ledger, reader: Reader) -> None:
    batch = created(trials=0)
    states = ["failed", "failed", "failed", "completed", "completed", "stopped"]
    reasons = ["failed once with: boom 1", "failed once with: boom 2", "failed once with: bang", "", "", ""]
    batch.new_trials = [
        trial(n, state=state, state_reason=reason)
        for n, (state, reason) in enumerate(zip(states, reasons, strict=True))
    ]
    over: dict[str, Any] = {"end_time": START + 1}
    batch.new_leases = [
        lease(0, outcome="failed", error="boom 1", **over),
        lease(3, outcome="failed", error="flaky at 0x1\nTraceback", **over),
        lease(5, outcome="failed", error="flaky at 0x2\nother output", **over),
        lease(3, 2, outcome="expired", **over),
        lease(3, 3, outcome="cannot_start", error="no torch", **over),
        lease(3, 4, outcome="given_back", **over),
        lease(3, 5, outcome="released", **over),
    ]
    batch.new_checkpoints = [checkpoint(4, 1, delete_time=START)]
    ledger.commit(batch)
    assert reader.troubles(1) == [
        Trouble("trial_failed", 2, "failed once with: boom 1", 0),
        Trouble("trial_failed", 1, "failed once with: bang", 2),
        Trouble("failed", 2, "flaky at 0x1", 3),
        Trouble("expired", 1, "", 3),
        Trouble("cannot_start", 1, "no torch", 3),
        Trouble("no_checkpoint", 1, "", 3),
    ]
    assert reader.troubles(2) == []
