"""In a notebook an experiment has a look, its trials and reports as frames, and its figures; the tutorial runs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rungmaster import DatabaseClient, run
from rungmaster.client import Result
from rungmaster.client.notebook.html import experiment_html
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.shared.errors import InvalidInput, RungmasterError
from rungmaster.shared.wire.model import TrialState

from .ledger_rows import created, event, lease, report, trial
from .small_master import experiment as small_experiment

TUTORIAL = Path(__file__).parents[2] / "examples" / "notebook" / "tutorial.ipynb"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of a database with two trials, three reports each, and a third trial that has none."""
    url = str(tmp_path_factory.mktemp("searched") / "rungmaster.db")
    ledger = Ledger.open(url, holder="me")
    ledger.commit(created())
    reports = [report(number, at) for number in (0, 1) for at in (1, 2)]
    reports.append(report(1, 3, metrics={"loss": 0.25, "accuracy": 0.75}))
    changes = Changes(new_leases=[lease(0), lease(1)], new_reports=reports)
    changes.new_trials.append(trial(2, hparams={"width": 3.5, "solver": ["a", "b"]}))
    changes.new_events.append(event("assigned", trial_id=0, token=1, worker="host"))
    ledger.commit(changes)
    ledger.close()
    with DatabaseClient(url) as client:
        yield client


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_trials_and_reports_are_frames(client: DatabaseClient, library: Any) -> None:
    pytest.importorskip(library)
    experiment = client.experiment(1)
    trials = experiment.trials_frame(library)
    assert list(trials["trial_id"]) == [0, 1, 2]
    assert list(trials["hparams.width"]) == [16.0, 17.0, 3.5]
    assert list(trials["hparams.solver"]) == ['"sgd"', '"sgd"', '["a", "b"]']
    assert list(trials["state"]) == ["pending"] * 3
    curves = experiment.curves_frame(library)
    assert list(curves["metrics.loss"]) == [1.0, 0.5, 1.0, 0.5, 0.25]
    assert [str(value) for value in curves["metrics.accuracy"]] == ["nan"] * 4 + ["0.75"]
    assert list(curves["resource"]) == [1, 2, 1, 2, 3]


def test_an_unknown_library_is_refused(client: DatabaseClient) -> None:
    with pytest.raises(InvalidInput, match="pandas or polars"):
        client.experiment(1).trials_frame("numpy")  # pyright: ignore[reportArgumentType]


def test_an_experiment_has_its_figures_and_a_look(client: DatabaseClient) -> None:
    experiment = client.experiment(1)
    assert len(experiment.plot.curves(theme="dark", title=False).data) > 0
    assert experiment.plot.curves(metric="accuracy").layout.yaxis.title.text == "accuracy"
    assert repr(experiment) == "<experiment 1 'digits' active, no result yet>"
    assert "digits" in experiment._repr_html_()


def test_a_result_has_the_same(client: DatabaseClient) -> None:
    result = Result.of(client.get(1), client.database)
    assert list(result.trials_frame("polars")["trial_id"]) == [0, 1, 2]
    assert len(result.plot.curves().data) > 0
    assert "digits" in result._repr_html_()
    assert result.wait() is result


def test_what_users_wrote_is_escaped_in_a_notebook() -> None:
    hostile = "<script>alert(1)</script>"
    shown = small_experiment(1)
    assert shown.best_trial is not None
    best = replace(shown.best_trial, hparams={hostile: hostile})
    hostile_one = replace(
        shown, name=hostile, metric=hostile, unit=hostile, state_reason=hostile, best_trial=best,
        trial_counts={TrialState.COMPLETED: 1},
    )  # fmt: skip
    html = experiment_html(hostile_one, datetime(2026, 11, 27, tzinfo=UTC))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 5


def test_a_function_comes_before_its_spec_or_in_it_and_not_in_both() -> None:
    with pytest.raises(InvalidInput, match="has an entrypoint already"):
        run(print, {"entrypoint": "training:train"})
    with pytest.raises(InvalidInput, match="must be a dict"):
        run(print, "name: x")  # pyright: ignore[reportArgumentType]


@pytest.mark.storm
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    notebook = nbformat.read(TUTORIAL, as_version=4)
    nbclient.NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert outputs.count("application/vnd.plotly") == 4
    assert "tutorial" in outputs
    assert RungmasterError.__name__ not in outputs
