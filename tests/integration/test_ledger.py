"""What the ledger keeps for the master, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rungmaster.master.experiment.changes import BracketRow, Changes, NotWritten, RungRow
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.ledger.write.retention import ErasurePosition
from rungmaster.shared.errors import NotFound

from .ledger_rows import START, checkpoint, created, event, experiment, lease, report, result, trial, worker


def test_an_empty_database_becomes_an_empty_ledger(ledger: Ledger) -> None:
    recovered = ledger.load()
    assert recovered.last_experiment_id == 0
    assert recovered.request_ids == {}
    assert recovered.experiments == []
    assert recovered.unneeded_checkpoints == []


def test_what_was_committed_is_there_after_a_restart(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    batch = created()
    ledger.commit(batch)
    [found] = open_ledger().load().experiments
    assert found.row == batch.new_experiments[0]
    assert found.brackets == batch.new_brackets
    assert found.rungs == batch.new_rungs
    assert found.trials == [replace(row, hparams=None) for row in batch.new_trials]
    assert found.results == []
    assert found.leases == []
    assert found.checkpoints == []


def test_changed_rows_have_their_last_state(ledger: Ledger) -> None:
    ledger.commit(created())
    changed_experiment = experiment(state="paused", state_reason="by hand", counts={"running": 2}, resource_spent=9)
    changed_trial = trial(1, state="paused", metric=0.5, metric_resource=3, token=1, resource=3, restarts=2)
    changed_lease = lease(1, target=9, decision="pause", decision_sequence=4)
    ledger.commit(Changes(new_leases=[lease(1)], new_results=[result(1, 0.5), result(0, None)]))
    ledger.commit(
        Changes(
            experiments={1: changed_experiment},
            brackets={(1, 0): BracketRow(1, 0, 9, None, 7)},
            rungs={(1, 0, 0): RungRow(1, 0, 0, 3, 2, 1, 1, 0.5)},
            trials={(1, 1): replace(changed_trial, hparams=None)},
            leases={(1, 1, 1): changed_lease},
            promoted=[(1, 0, 0, 1)],
        )
    )
    [found] = ledger.load().experiments
    assert found.row == changed_experiment
    assert found.brackets == [BracketRow(1, 0, 9, None, 7)]
    assert found.rungs[0] == RungRow(1, 0, 0, 3, 2, 1, 1, 0.5)
    assert found.trials[1] == replace(changed_trial, hparams=None)
    assert found.leases == [changed_lease]
    assert found.results == [result(0, None), replace(result(1, 0.5), promoted=True)]


def test_hyperparameters_are_read_only_where_they_are_asked_for(ledger: Ledger) -> None:
    ledger.commit(created(trials=3))
    ledger.commit(Changes(trials={(1, 1): trial(1, state="running", hparams=None)}))
    assert ledger.hparams({(1, 1), (1, 2), (1, 99)}) == {(1, n): trial(n).hparams for n in (1, 2)}
    assert ledger.hparams(set()) == {}


def test_rows_added_and_changed_in_one_batch_are_written_in_their_last_state(ledger: Ledger) -> None:
    batch = created()
    batch.trials = {(1, 0): trial(0, state="running", token=1, hparams=None)}
    batch.experiments = {1: experiment(resource_spent=5)}
    batch.new_leases = [lease(0)]
    batch.leases = {(1, 0, 1): lease(0, target=9)}
    batch.new_results = [result(0, 0.25)]
    batch.promoted = [(1, 0, 0, 0)]
    batch.new_checkpoints = [checkpoint(0, 1)]
    batch.unneeded_checkpoints = {checkpoint(0, 1).uri: START}
    ledger.commit(batch)
    recovered = ledger.load()
    [found] = recovered.experiments
    assert found.row.resource_spent == 5
    assert found.trials[0].state == "running"
    assert found.leases == [lease(0, target=9, last_sequence=1)]
    assert found.results[0].promoted
    assert recovered.unneeded_checkpoints == [checkpoint(0, 1).uri]
    assert ledger.hparams([(1, 0)]) == {(1, 0): trial(0).hparams}


def test_a_trial_may_change_leases_within_a_batch(ledger: Ledger) -> None:
    ledger.commit(created())
    ledger.commit(Changes(new_leases=[lease(0)]))
    ended = lease(0, end_time=START + 1, outcome="expired")
    ledger.commit(Changes(leases={(1, 0, 1): ended}, new_leases=[lease(0, token=2)]))
    [found] = ledger.load().experiments
    assert [held.token for held in found.leases] == [2]


def test_a_lease_and_its_trial_come_back_where_the_last_event_left_them(ledger: Ledger) -> None:
    ledger.commit(created())
    ledger.commit(Changes(trials={(1, 0): trial(0, state="running", token=2, resource=2)}, new_leases=[lease(0, 2)]))
    old, new = [report(0, n) for n in range(1, 9)], [report(0, n, token=2) for n in (1, 2, 4)]
    ledger.commit(Changes(new_reports=old + new, new_checkpoints=[checkpoint(0, 3, token=2)]))
    [found] = ledger.load().experiments
    assert [held.last_sequence for held in found.leases] == [4]
    assert found.trials[0].resource == 4
    ledger.commit(Changes(new_checkpoints=[checkpoint(0, 5, token=2)]))
    assert ledger.load().experiments[0].leases[0].last_sequence == 5


def test_an_ended_lease_keeps_what_was_written(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    ended = lease(0, end_time=START + 9, outcome="failed", error="boom", last_sequence=12)
    ledger.commit(Changes(new_leases=[ended], new_reports=[report(0, 1)]))
    assert ledger.load().experiments[0].leases == []
    _, [found], _, _ = reader.get_trial(1, 0)
    assert (found.outcome, found.error) == ("failed", "boom")


def test_only_experiments_that_go_on_are_loaded(ledger: Ledger) -> None:
    for number, state in enumerate(("active", "paused", "completed", "cancelled", "failed"), start=1):
        batch = created(number)
        batch.experiments = {number: experiment(number, state=state)}
        ledger.commit(batch)
    recovered = ledger.load()
    assert [found.row.experiment_id for found in recovered.experiments] == [1, 2]
    assert recovered.last_experiment_id == 5
    assert recovered.request_ids == {f"request-{n}": n for n in range(1, 6)}


def test_creation_requests_without_an_id_do_not_clash(ledger: Ledger) -> None:
    for number in (1, 2):
        batch = created(number)
        batch.new_experiments = [experiment(number, request_id="")]
        ledger.commit(batch)
    assert ledger.load().request_ids == {}


def test_checkpoints_are_needed_then_unneeded_then_gone(ledger: Ledger) -> None:
    ledger.commit(created())
    rows = [checkpoint(0, n) for n in (1, 2, 3)]
    ledger.commit(Changes(new_checkpoints=rows))
    ledger.commit(Changes(unneeded_checkpoints={rows[1].uri: START + 5, rows[0].uri: START + 6}))
    recovered = ledger.load()
    assert recovered.experiments[0].checkpoints == [rows[2]]
    assert recovered.unneeded_checkpoints == [rows[1].uri, rows[0].uri]
    ledger.commit(Changes(deleted_checkpoints=[rows[1].uri]))
    assert ledger.load().unneeded_checkpoints == ledger.unneeded_checkpoints() == [rows[0].uri]


def test_a_deleted_experiment_leaves_its_number_and_the_files_still_to_delete(ledger: Ledger, reader: Reader) -> None:
    for number in (1, 2):
        ledger.commit(created(number))
        ledger.commit(
            Changes(
                new_leases=[lease(0, experiment_id=number)],
                new_reports=[report(0, 1, experiment_id=number)],
                new_results=[result(0, 1.0, experiment_id=number)],
                new_checkpoints=[checkpoint(0, n, experiment_id=number) for n in (1, 2)],
                new_events=[event("assigned", number, 0)],
            )
        )
    ledger.commit(Changes(deleted_experiments=[2], new_events=[event("experiment_deleted", 2)]))
    recovered = ledger.load()
    assert [found.row.experiment_id for found in recovered.experiments] == [1]
    assert recovered.last_experiment_id == 2
    assert recovered.request_ids == {"request-1": 1}
    assert reader.open_deletions() == [2]
    for ask in (reader.get_experiment, reader.list_trials):
        with pytest.raises(NotFound, match="no experiment 2"):
            ask(2)
    for ask in (reader.get_trial, reader.list_reports):
        with pytest.raises(NotFound, match="no experiment 2"):
            ask(2, 0)
    left = reader.needed_checkpoints(2, 10)
    ledger.commit(Changes(unneeded_checkpoints=dict.fromkeys(left, START)))
    erase(ledger, 2)
    assert sorted(ledger.unneeded_checkpoints()) == left == [checkpoint(0, n, experiment_id=2).uri for n in (1, 2)]
    assert [entry.kind for entry in reader.events_after(2, 0, 10)] == ["experiment_created", "experiment_deleted"]
    ledger.commit(Changes(deleted_checkpoints=left))
    assert ledger.unneeded_checkpoints() == reader.needed_checkpoints(2, 10) == reader.open_deletions() == []
    assert reader.needed_checkpoints(1, 10) == [checkpoint(0, n).uri for n in (1, 2)]
    assert len(reader.list_reports(1, 0)[0]) == 1


def erase(ledger: Ledger, experiment_id: int, rows: int = 2) -> int:
    """Deletes the rows of a deleted experiment, some at a time; in how many steps."""
    place: ErasurePosition | None = ErasurePosition()
    steps = 0
    while place is not None:
        place = ledger.erase(experiment_id, place, rows)
        steps += 1
    return steps


def test_an_experiment_is_erased_in_steps_of_a_size_and_nothing_of_it_stays(ledger: Ledger, reader: Reader) -> None:
    for number in (1, 2):
        ledger.commit(created(number, trials=30))
        ledger.commit(
            Changes(
                new_leases=[lease(n, experiment_id=number) for n in range(30)],
                new_reports=[report(n, s, experiment_id=number) for n in range(30) for s in (1, 2, 3)],
                new_checkpoints=[checkpoint(n, 4, experiment_id=number) for n in range(30)],
                new_events=[event("assigned", number, n) for n in range(30)],
            )
        )
    ledger.commit(Changes(unneeded_checkpoints={checkpoint(n, 4).uri: START for n in range(30)}))
    ledger.commit(Changes(deleted_checkpoints=[checkpoint(n, 4).uri for n in range(30)]))
    ledger.commit(Changes(deleted_experiments=[1]))
    assert 20 <= erase(ledger, 1, rows=10) <= 30
    assert erase(ledger, 1, rows=10) == 1
    assert reader.open_deletions() == []
    assert [entry.kind for entry in reader.events_after(1, 0, 10)] == ["experiment_created"]
    assert reader.measured(1, "loss", (0, -1, -1), 10) == ([], {})
    assert len(reader.list_reports(2, 29)[0]) == 3
    assert len(reader.get_trial(2, 29)[2]) == 1
    assert len(reader.events_after(2, 0, 100)) == 31


def test_events_are_numbered_in_the_order_in_which_they_were_given(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    for start in (0, 500):
        ledger.commit(Changes(new_events=[event("tick", 1, n, n=n) for n in range(start, start + 500)]))
    entries = reader.events_after(1, 0, 10_000)
    assert [entry.data["n"] for entry in entries if entry.kind == "tick"] == list(range(1000))
    ids = [entry.event_id for entry in entries]
    assert ids == sorted(set(ids))


def test_numbers_of_events_are_not_used_again(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created(1))
    ledger.commit(Changes(new_events=[event("tick")]))
    last = reader.events_after(1, 0, 10)[-1].event_id
    ledger.commit(Changes(deleted_experiments=[1]))
    ledger.commit(created(2))
    assert reader.events_after(2, 0, 10)[0].event_id > last


def test_a_worker_that_says_hello_again_has_one_row(ledger: Ledger) -> None:
    ledger.commit(Changes(workers={"session": worker(), "other": worker("other")}))
    ledger.commit(Changes(workers={"session": worker(state="disconnected", slots=2)}))


def test_who_is_to_leave_is_known_after_a_restart_whatever_it_says_of_itself_later(ledger: Ledger) -> None:
    ledger.commit(Changes(workers={"session": worker(), "other": worker("other")}, drained_workers={"session": 1.0}))
    ledger.commit(Changes(workers={"session": worker(state="disconnected"), "other": worker("other")}))
    assert ledger.load().drained_workers == ["session"]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"new_reports": [report(0, 2), report(0, 1)]}, id="a report that is there already"),
        pytest.param({"new_leases": [lease(0, token=2)]}, id="a second lease on a trial"),
        pytest.param({"trials": {(1, 7): trial(7)}}, id="a change of a trial that does not exist"),
        pytest.param({"new_experiments": [experiment(2, request_id="request-1")]}, id="a creation request once more"),
    ],
)
def test_a_batch_that_does_not_fit_writes_nothing(ledger: Ledger, reader: Reader, broken: dict) -> None:
    ledger.commit(created())
    ledger.commit(Changes(new_leases=[lease(0)], new_reports=[report(0, 1)]))
    before = ledger.load()
    batch = Changes(
        new_trials=[trial(2)], experiments={1: experiment(resource_spent=99)}, new_events=[event("lost")], **broken
    )
    with pytest.raises(NotWritten, match="bug in Rungmaster"):
        ledger.commit(batch)
    assert ledger.load() == before
    assert [entry.kind for entry in reader.events_after(1, 0, 10)] == ["experiment_created"]
    ledger.commit(Changes(new_trials=[trial(2)], new_reports=[report(0, 2)]))


@pytest.mark.parametrize("metric", [float("nan"), float("inf"), float("-inf")])
def test_a_metric_column_never_turns_a_non_finite_number_into_null(ledger: Ledger, metric: float) -> None:
    ledger.commit(created())
    before = ledger.load()
    for broken in (Changes(new_results=[result(0, metric)]), Changes(trials={(1, 0): trial(0, metric=metric)})):
        broken.new_events = [event("lost")]
        with pytest.raises(Exception, match="finite"):
            ledger.commit(broken)
    assert ledger.load() == before


def test_text_with_a_null_character_is_stored_all_the_same(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(created())
    ledger.commit(Changes(new_leases=[lease(0, error="a\0b")], new_reports=[report(0, 1, metrics={"x\0y": 1.0})]))
    assert reader.get_trial(1, 0)[1][0].error == "a\N{REPLACEMENT CHARACTER}b"
    assert reader.list_reports(1, 0)[0][0].metrics == {"x\0y": 1.0}
