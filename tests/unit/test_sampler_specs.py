"""The samplers that a spec names: short and long forms, what is told to a program, and what fits to which searcher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rungmaster.master.dispatcher.setup import set_up
from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.spec.samplers import SAMPLERS, ProgramSamplerSpec
from rungmaster.shared.spec.spec import Spec, parse_spec, spec_from_json, spec_to_json, stored_spec
from rungmaster.shared.spec.writing import spec_to_yaml

DOCUMENT: dict[str, Any] = {
    "name": "digits",
    "entrypoint": "training:train",
    "metric": {"name": "loss", "goal": "minimize"},
    "hyperparameters": {"width": {"type": "int", "low": 16, "high": 256}},
    "searcher": {"name": "asha", "max_trials": 64, "max_resource": 27},
}
GRID = {"name": "grid", "max_resource": 9}
TPE = {"name": "optuna", "sampler": "TPESampler", "multivariate": True, "n_startup_trials": 5}
MINE = {"name": "external", "program": "mine", "options": {"depth": 3, "kinds": ["a", 1.0]}}
FORMS = [
    "random",
    "quasi_random",
    "bohb",
    "cqr",
    "optuna",
    "hebo",
    "vizier",
    TPE,
    MINE,
    {"name": "bohb", "patience": 2.5},
]


def spec_with(sampler: Any, **changes: Any) -> Spec:
    return spec_from_json(DOCUMENT | {"sampler": sampler} | changes)


def program(sampler: Any) -> ProgramSamplerSpec:
    spec = spec_with(sampler).sampler
    assert isinstance(spec, ProgramSamplerSpec)
    return spec


@pytest.mark.parametrize("sampler", FORMS, ids=str)
def test_a_sampler_is_stored_in_full_and_written_briefly_and_stays_the_same(sampler: Any) -> None:
    spec = spec_with(sampler)
    stored = spec_to_json(spec)
    assert stored_spec(stored) == spec
    assert spec_to_json(parse_spec(spec_to_yaml(stored))) == stored


@pytest.mark.parametrize("name", sorted(SAMPLERS.keys() - {"external"}))
def test_just_a_name_is_the_sampler_with_that_name(name: str) -> None:
    assert spec_with(name) == spec_with({"name": name})
    assert spec_with(name).sampler.name == name


def test_a_spec_written_before_there_were_samplers_draws_at_random() -> None:
    assert spec_from_json(DOCUMENT).sampler == stored_spec(DOCUMENT | {"sampler": {"name": "random"}}).sampler
    assert spec_from_json(DOCUMENT).sampler.name == "random"


def test_a_program_is_told_its_own_fields_alone() -> None:
    assert program("bohb").told() == {}
    assert program(TPE | {"patience": 3}).told() == {
        "sampler": "TPESampler",
        "multivariate": True,
        "n_startup_trials": 5,
    }
    assert program(MINE | {"memory": 8}).told() == MINE["options"]


def test_trials_say_which_program_their_hyperparameters_are_from() -> None:
    origins = [spec_with(each).sampler.origin for each in ("random", "bohb", TPE, MINE)]
    assert origins == ["random", "bohb", "optuna TPESampler", "external mine"]


@pytest.mark.parametrize("sampler", ["quasi_random", "bohb", TPE])
def test_a_search_that_draws_nothing_has_no_use_for_a_sampler(sampler: Any) -> None:
    name = sampler["name"] if isinstance(sampler, dict) else sampler
    with pytest.raises(InvalidSpec) as refused:
        spec_with(sampler, searcher=GRID)
    told = f"sampler: {name} is not for searcher grid, which draws no hyperparameters; leave it out"
    assert str(refused.value) == told
    assert spec_with("random", searcher=GRID).sampler.name == "random"


def test_a_program_that_this_machine_does_not_have_is_refused_when_it_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNGMASTER_SAMPLERS", str(tmp_path))
    with pytest.raises(InvalidSpec, match=r"sampler: there is no sampler program 'mine' .*rungmaster sampler add mine"):
        set_up(spec_with(MINE))
    (tmp_path / "external").mkdir()
    (tmp_path / "external" / "mine.json").write_text('{"command": ["mine"]}')
    assert set_up(spec_with(MINE)).spec.sampler.origin == "external mine"
