"""A spec that was accepted once is read without today's limits; what cannot run pauses its own experiment alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from unit.master_harness import Master, RowStore, make_spec

from rungmaster.master.dispatcher.setup import ExperimentSetups, Refused
from rungmaster.master.experiment.changes import ExperimentRow
from rungmaster.master.experiment.setup import ExperimentSetup
from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.space import hyperparameters
from rungmaster.shared.spec.searchers import SEARCHERS
from rungmaster.shared.spec.spec import SPEC_RULES, spec_from_json, spec_to_json, stored_spec

COLOURS = {"type": "categorical", "choices": ["red", "green", "blue"]}
FLOAT = {"type": "float", "low": 0, "high": 1}
ADAPTIVE = {"name": "adaptive_asha", "max_trials": 200, "max_resource": 9}


class ReadingStore(RowStore):
    """Rows whose specs are read as a master reads them."""

    def set_up(self, row: ExperimentRow) -> ExperimentSetup | Refused:
        return ExperimentSetups().of(row.experiment_id, row.spec, row.draw_rules, row.spec_rules)


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """A valid document with another value at a place."""
    document = spec_to_json(make_spec({"name": "adaptive_asha"}))
    at = document
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = to
    return document


WIDER = {
    "a longer name": changed("name", to="n" * 101),
    "a name with a character that hides": changed("name", to="n\u202ed"),
    "a longer text": changed("hyperparameters", "x", to="x" * 10_001),
    "a longer entrypoint": changed("entrypoint", to="a" * 1000 + ":train"),
    "a label that hides": changed("resources", "labels", to={"pool": "a\u200b"}),
    "another store": changed("checkpoints", "storage", to="gone://bucket"),
    "more preloaded modules": changed("preload", to=["torch"] * 101),
    "more restarts": changed("max_restarts", to=10**7),
    "a larger weight": changed("weight", to=1e9),
    "more slots": changed("resources", "slots_per_trial", to=20_000),
    "a whole number past 2^53": changed("hyperparameters", "x", to=2**60),
    "more choices": changed("hyperparameters", "x", to={"type": "categorical", "choices": [*range(1001)]}),
    "more hyperparameters": changed("hyperparameters", to={f"x{n}": n for n in range(1001)}),
    "more forbidden combinations": changed("forbidden", to=[{"x": 1}] * 1001),
    "a wider prior": changed("hyperparameters", "x", to=FLOAT | {"prior": {"mean": 0.5, "std": 1e4}}),
    "more brackets": changed("searcher", to=ADAPTIVE | {"bracket_rungs": [1] * 101}),
    "more rungs": changed("searcher", "max_rungs", to=101),
}
UNFIT = {
    "no metric": changed("metric", to=None),
    "a field that is not known": changed("budget", to=7),
    "a searcher that is not known": changed("searcher", "name", to="grid"),
    "no trials": changed("searcher", "max_trials", to=0),
    "a divisor of 1": changed("searcher", "divisor", to=1),
    "text for a number": changed("searcher", "max_trials", to="nine"),
    "no end of an interval": changed("checkpoints", "interval", to=float("inf")),
    "a condition on nothing": changed("hyperparameters", "x", to={"type": "constant", "value": 1, "when": {"y": 1}}),
    "a command of nothing": changed("entrypoint", to=[]),
}


@pytest.mark.parametrize("document", WIDER.values(), ids=WIDER.keys())
def test_a_limit_of_today_is_for_new_specs_alone(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        spec_from_json(document)
    spec = stored_spec(document)
    assert stored_spec(spec_to_json(spec)) == spec
    with pytest.raises(InvalidSpec):
        spec_from_json(document)


@pytest.mark.parametrize("document", UNFIT.values(), ids=UNFIT.keys())
def test_what_no_search_can_run_on_is_refused_wherever_it_stands(document: dict[str, Any]) -> None:
    for read in (spec_from_json, stored_spec):
        with pytest.raises(InvalidSpec):
            read(document)


def test_a_search_that_was_accepted_ends_under_a_tighter_rule_and_a_new_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    master = Master(ReadingStore())
    spec = make_spec(hyperparameters={"colour": COLOURS})
    master.submit(spec)
    worker = master.worker()
    worker.train(1.0)
    monkeypatch.setattr(hyperparameters, "MAX_CHOICES", 2)
    with pytest.raises(InvalidSpec, match="must have at most 2 values, got 3"):
        spec_from_json(spec_to_json(spec))
    master.restart()
    worker.connect()
    while master.experiment().state == "active":
        worker.train(lambda trial: float(trial))
    assert master.experiment().state == "completed"
    assert len(master.store.rows.trials) == 9


def _without_the_searcher(monkeypatch: pytest.MonkeyPatch, _: Master) -> str:
    monkeypatch.delitem(SEARCHERS, "adaptive_asha")
    return 'searcher.name: unknown searcher "adaptive_asha"'


def _by_newer_rules(_: pytest.MonkeyPatch, master: Master) -> str:
    master.experiment(1).spec_rules = SPEC_RULES + 1
    return "was accepted by the rules 2 of a newer version; this one knows those up to 1"


@pytest.mark.parametrize("change", [_without_the_searcher, _by_newer_rules])
def test_a_spec_that_cannot_run_any_more_pauses_its_own_experiment_alone(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch, Master], str]
) -> None:
    master = Master(ReadingStore())
    master.submit(make_spec({"name": "adaptive_asha"}))
    master.submit(make_spec())
    assert {row.spec_rules for row in master.store.rows.experiments.values()} == {SPEC_RULES}
    why = change(monkeypatch, master)
    master.restart()
    master.do(lambda core: None)
    worker = master.worker()
    while master.experiment(2).state == "active":
        worker.train(1.0)
    assert (master.experiment(1).state, master.experiment(2).state) == ("paused", "completed")
    assert why in master.experiment(1).state_reason
