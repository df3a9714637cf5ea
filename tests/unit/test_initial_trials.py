"""The trials that a spec gives itself come first, are completed, and count."""

from __future__ import annotations

from typing import Any

import pytest
from unit.master_harness import Master, Worker, make_spec

from rungmaster.master.dispatcher.setup import set_up, setup_from_json
from rungmaster.master.experiment.next_trial import patiently
from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.space.space import DRAW_RULES
from rungmaster.shared.spec.spec import Spec, spec_from_json, spec_to_json
from rungmaster.shared.wire.model import TrialState
from rungmaster.shared.wire.session import ExitOutcome

SPACE: dict[str, Any] = {
    "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0, "high": 0.9, "when": {"solver": "sgd"}},
    "width": {"type": "int", "low": 16, "high": 256},
    "batch": 64,
}


def spec(*initial: dict[str, Any], **fields: Any) -> Spec:
    return make_spec(hyperparameters=SPACE, initial_trials=list(initial), **fields)


def problems(*initial: dict[str, Any], **fields: Any) -> list[str]:
    with pytest.raises(InvalidSpec) as caught:
        spec(*initial, **fields)
    return [str(problem) for problem in caught.value.problems]


def origins(master: Master) -> list[str]:
    return [trial.origin for trial in master.store.rows.trials.values()]


def test_trial_i_gets_entry_i_and_what_it_leaves_out_is_drawn() -> None:
    draw = patiently(set_up(spec({"momentum": 0.5}, {"width": 128, "solver": "adam"})).draw)
    first, second = draw(0), draw(1)
    assert first is not None
    assert second is not None
    assert (first["solver"], first["momentum"], first["batch"]) == ("sgd", 0.5, 64)
    assert 16 <= first["width"] <= 256
    assert second == {"solver": "adam", "width": 128, "batch": 64}


def test_what_comes_after_them_is_drawn_as_without_them() -> None:
    with_them, without = set_up(spec({"width": 128})).draw, set_up(spec()).draw
    assert [patiently(with_them)(n) for n in range(1, 5)] == [patiently(without)(n) for n in range(1, 5)]
    assert patiently(with_them)(0) != patiently(without)(0)


def test_a_restart_completes_them_in_the_same_way() -> None:
    given = spec({"momentum": 0.5})
    again = setup_from_json(spec_to_json(given), DRAW_RULES).draw
    assert patiently(again)(0) == patiently(set_up(given).draw)(0)


def test_their_origin_is_told_and_they_count() -> None:
    master = Master()
    master.submit(spec({"width": 128}, {}, searcher={"name": "asha", "max_trials": 3, "max_resource": 9}))
    worker = master.worker(slots=4)
    assert [worker.work(free).lease.trial_id for free in (4, 3)] == [0, 1]
    master.restart()
    worker.connect()
    assert worker.work(2).lease.trial_id == 2
    assert worker.ask(1) is None
    assert origins(master) == ["initial", "initial", "random"]


def test_one_that_is_discarded_is_replaced_by_a_draw() -> None:
    master = Master()
    master.submit(spec({"width": 128}, searcher={"name": "asha", "max_trials": 1, "max_resource": 9, "max_rungs": 1}))
    worker: Worker = master.worker()
    worker.exit(worker.work(), ExitOutcome.INVALID_HPARAMS, "no such width")
    assert worker.work().lease.trial_id == 1
    assert origins(master) == ["initial", "random"]
    assert master.trial(0).state == TrialState.DISCARDED


def test_each_problem_is_told_by_its_place() -> None:
    assert problems({"width": 600}) == ["initial_trials[0].width: must be from 16 to 256, got 600"]
    assert problems({}, {"widht": 1}) == [
        'initial_trials[1].widht: there is no such hyperparameter; did you mean "width"?'
    ]
    assert [line.split(":")[0] for line in problems({"solver": "adam", "momentum": 0.5})] == [
        "initial_trials[0].momentum"
    ]
    assert problems({"solver": "sgd"}, forbidden=[{"solver": "sgd"}]) == [
        "initial_trials[0]: is ruled out by forbidden[0]"
    ]


def test_there_may_be_as_many_as_the_search_makes_trials() -> None:
    assert len(spec(*[{}] * 9).initial_trials) == 9
    assert problems(*[{}] * 10) == ["initial_trials: must be at most 9, as many as the search makes trials, got 10"]


def test_with_a_grid_they_come_before_it() -> None:
    space = {"width": {"type": "int", "low": 1, "high": 3}}
    given = spec_from_json(
        spec_to_json(make_spec())
        | {
            "hyperparameters": space,
            "initial_trials": [{"width": 2}],
            "searcher": {"name": "grid", "max_resource": 9},
        }
    )
    setup = set_up(given)
    assert patiently(setup.draw)(0) == {"width": 2}
    (bracket,) = setup.searcher.plan
    assert bracket.max_trials == 4


def test_there_may_be_no_more_than_a_grid_makes_trials() -> None:
    grid = {"name": "grid", "max_resource": 9, "max_trials": 2}
    space = {"width": {"type": "int", "low": 16, "high": 256, "count": 3}}
    document = spec_to_json(make_spec()) | {"hyperparameters": space, "searcher": grid}
    assert len(spec_from_json(document | {"initial_trials": [{}, {}]}).initial_trials) == 2
    with pytest.raises(InvalidSpec) as caught:
        spec_from_json(document | {"initial_trials": [{}, {}, {}]})
    assert [str(problem) for problem in caught.value.problems] == [
        "initial_trials: must be at most 2, as many as the search makes trials, got 3"
    ]
