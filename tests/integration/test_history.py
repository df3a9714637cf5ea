"""What figures are made of is fetched from a database as from a master, and kept up to date."""

from __future__ import annotations

from pathlib import Path

from rungmaster import DatabaseClient
from rungmaster.client.history import HistoryLoader, load
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.ledger import Ledger

from .ledger_rows import created, event, lease, report, trial


def test_a_history_has_all_that_was_reported_and_each_update_adds_what_is_new(tmp_path: Path) -> None:
    url = f"{tmp_path}/search.db"
    ledger = Ledger.open(url, holder="me")
    try:
        ledger.commit(created(trials=2))
        ledger.commit(
            Changes(
                new_leases=[lease(0)],
                new_reports=[report(0, 1), report(0, 2, metrics={"loss": float("nan"), "accuracy": 0.5})],
                new_events=[event("assigned", trial_id=0, token=1, worker="host-1")],
            )
        )
        with DatabaseClient(url) as client:
            loader = HistoryLoader(client, 1)
            first = loader.update()
            assert [trial.trial_id for trial in first.trials] == [0, 1]
            assert first.curves[0].resource.tolist() == [1, 2]
            assert [record.value for record in first.records] == [1.0]
            assert first.metrics == ("accuracy", "loss")
            assert first.workers is None
            assert [event.kind for event in first.events] == ["experiment_created", "assigned"]
            ledger.commit(
                Changes(
                    new_trials=[trial(2)],
                    new_reports=[report(0, 3)],
                    new_events=[event("trial_created", trial_id=2)],
                )
            )
            second = loader.update()
            assert [trial.trial_id for trial in second.trials] == [0, 1, 2]
            assert second.curves[0].resource.tolist() == [1, 2, 3]
            assert second.last_event_id == first.last_event_id + 1
            assert first.curves[0].resource.tolist() == [1, 2]
            accuracy = load(client, 1, metric="accuracy")
            assert accuracy.curves[0].value.tolist() == [0.5]
            assert accuracy.records == ()
    finally:
        ledger.close()
