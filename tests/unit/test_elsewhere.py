"""Names from other systems are told as what they are here, and the page for people says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.spec import elsewhere
from rungmaster.shared.spec.samplers import SAMPLERS
from rungmaster.shared.spec.spec import Spec, spec_from_json

PAGE = Path(__file__).parents[2] / "docs" / "coming-from.md"
SPEC: dict[str, Any] = {
    "name": "search",
    "entrypoint": "toy:train",
    "metric": {"name": "loss", "goal": "minimize"},
    "hyperparameters": {"x": {"type": "float", "low": 0, "high": 1}},
    "searcher": {"name": "asha", "max_trials": 4, "max_resource": 4},
}


def problem(**changes: Any) -> str:
    with pytest.raises(InvalidSpec) as caught:
        spec_from_json(SPEC | changes)
    return str(caught.value)


@pytest.mark.parametrize("table", [elsewhere.FIELDS, elsewhere.TYPES, elsewhere.SEARCHERS, elsewhere.SAMPLERS])
def test_the_page_has_every_name_of_the_table(table: tuple[elsewhere.Foreign, ...]) -> None:
    lines = PAGE.read_text().splitlines()
    for row in table:
        assert f"| `{row.name}` | {', '.join(row.systems)} | {row.here} |" in lines


def test_the_page_has_no_other_names() -> None:
    of_specs = PAGE.read_text().partition("## Commands")[0]
    rows = [line for line in of_specs.splitlines() if line.startswith("| `")]
    assert len(rows) == sum(map(len, (elsewhere.FIELDS, elsewhere.TYPES, elsewhere.SEARCHERS, elsewhere.SAMPLERS)))


@pytest.mark.parametrize("name", ["max_time", "max_length", "max_t"])
def test_another_systems_name_of_a_field_is_not_taken_for_a_slip(name: str) -> None:
    told = problem(searcher=SPEC["searcher"] | {name: 81})
    assert f'searcher.{name}: unknown field; "{name}" is the name of ' in told
    assert "here it is searcher.max_resource" in told
    assert "did you mean" not in told


@pytest.mark.parametrize("kind", ["uniform", "loguniform", "double", "choice"])
def test_another_systems_type_of_hyperparameter_is_told_in_ours(kind: str) -> None:
    assert f'"{kind}" is the name of' in problem(hyperparameters={"x": {"type": kind}})


def test_another_systems_searcher_and_goal_are_told_in_ours() -> None:
    assert "stop_once: true" in problem(searcher={"name": "ASHAScheduler"})
    assert "here it is metric.goal: minimize" in problem(metric={"name": "loss", "goal": "min"})


@pytest.mark.parametrize("sampler", ["TuneBOHB", {"name": "TuneBOHB"}])
def test_another_systems_sampler_is_told_in_ours(sampler: Any) -> None:
    assert 'unknown sampler "TuneBOHB"; "TuneBOHB" is the name of Ray Tune: here it is bohb' in problem(sampler=sampler)


@pytest.mark.parametrize("name", ["timeout", "time_budget_s", "max_wallclock_time"])
def test_another_systems_limit_of_time_is_told_in_ours(name: str) -> None:
    assert "here it is stop: {time: 8h}" in problem(**{name: 3600})


def test_names_of_our_own_are_in_no_table() -> None:
    ours = {
        *Spec.model_fields,
        *SPEC["searcher"],
        "float",
        "int",
        "categorical",
        "low",
        "high",
        "log_",
        "choices",
        *SAMPLERS,
    }
    tables = (elsewhere.FIELDS, elsewhere.TYPES, elsewhere.SEARCHERS, elsewhere.SAMPLERS)
    assert (ours | {*SAMPLERS}).isdisjoint(row.name for table in tables for row in table)
