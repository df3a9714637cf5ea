"""The grid of a search space: each combination once, in the order that the spec gives."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.master_harness import make_spec

from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.space.grid import Grid
from rungmaster.shared.spec.spec import SearcherFile, Spec, parse_searcher, spec_from_json, spec_to_json

SEARCHER = {"name": "grid", "max_resource": 9}


def grid_spec(hyperparameters: dict[str, Any], **changes: Any) -> Spec:
    document = spec_to_json(make_spec()) | {"searcher": SEARCHER, "hyperparameters": hyperparameters}
    return spec_from_json(document | changes)


def combinations(spec: Spec | SearcherFile) -> list[dict[str, Any]]:
    grid = Grid(spec.hyperparameters, spec.forbidden)
    return [grid.hparams(index) for index in range(grid.number)]


def test_the_last_hyperparameter_changes_fastest() -> None:
    spec = grid_spec(
        {
            "rate": {"type": "float", "low": 0, "high": 1, "count": 3},
            "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
            "layers": 2,
        },
    )
    assert combinations(spec) == [
        {"rate": 0.0, "solver": "sgd", "layers": 2},
        {"rate": 0.0, "solver": "adam", "layers": 2},
        {"rate": 0.5, "solver": "sgd", "layers": 2},
        {"rate": 0.5, "solver": "adam", "layers": 2},
        {"rate": 1.0, "solver": "sgd", "layers": 2},
        {"rate": 1.0, "solver": "adam", "layers": 2},
    ]


def values(declared: dict[str, Any]) -> list[Any]:
    return [each["x"] for each in combinations(grid_spec({"x": declared}))]


def test_values_are_spaced_evenly_or_evenly_in_the_logarithm() -> None:
    assert values({"type": "float", "low": 0.0001, "high": 1, "log": True, "count": 5}) == [0.0001, 0.001, 0.01, 0.1, 1]
    assert values({"type": "int", "low": 1, "high": 100, "log": True, "count": 3}) == [1, 10, 100]
    assert values({"type": "int", "low": 0, "high": 10, "count": 3}) == [0, 5, 10]
    assert values({"type": "int", "low": 3, "high": 6}) == [3, 4, 5, 6]
    assert values({"type": "int", "low": 3, "high": 6, "count": 50}) == [3, 4, 5, 6]
    assert values({"type": "int", "low": 1, "high": 9, "log": True, "count": 7}) == [1, 2, 3, 4, 6, 9]
    assert values({"type": "float", "low": 1, "high": 3, "count": 1}) == [2.0]
    assert values({"type": "ordinal", "sequence": ["s", "m", "l"]}) == ["s", "m", "l"]


def test_what_exists_under_a_condition_is_there_only_then_and_what_is_forbidden_is_left_out() -> None:
    spec = grid_spec(
        {
            "momentum": {"type": "float", "low": 0, "high": 1, "count": 2, "when": {"solver": "sgd"}},
            "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
            "width": {"type": "int", "low": 1, "high": 2},
        },
        forbidden=[{"solver": "adam", "width": 2}],
    )
    assert combinations(spec) == [
        {"momentum": 0.0, "solver": "sgd", "width": 1},
        {"momentum": 0.0, "solver": "sgd", "width": 2},
        {"momentum": 1.0, "solver": "sgd", "width": 1},
        {"momentum": 1.0, "solver": "sgd", "width": 2},
        {"solver": "adam", "width": 1},
    ]


def test_next_to_everything_may_be_forbidden() -> None:
    """Draws would hardly ever find the one that is left."""
    space = {name: {"type": "int", "low": 0, "high": 20} for name in "abc"}
    spec = grid_spec(space, forbidden=[{name: [*range(1, 21)]} for name in "abc"])
    assert combinations(spec) == [{"a": 0, "b": 0, "c": 0}]


@given(
    st.dictionaries(st.sampled_from("abcd"), st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)).filter(
        bool
    )
)
def test_without_conditions_it_is_the_product_in_the_order_of_the_spec(choices: dict[str, list[int]]) -> None:
    spec = grid_spec({name: {"type": "categorical", "choices": listed} for name, listed in choices.items()})
    assert combinations(spec) == [dict(zip(choices, each, strict=True)) for each in product(*choices.values())]


@pytest.mark.parametrize(
    ("space", "changes", "problem"),
    [
        (
            {"rate": {"type": "float", "low": 0, "high": 1}},
            {},
            "hyperparameters.rate.count: must be there for a grid: how many values from low to high",
        ),
        (
            {"n": {"type": "int", "low": 0, "high": 10**9}},
            {},
            "hyperparameters.n.count: must be there for a grid, and at most 100,000: how many values from low to high",
        ),
        (
            {name: {"type": "int", "low": 1, "high": 101} for name in "abc"},
            {},
            "hyperparameters: make 1,030,301 combinations, and a grid may have 100,000: give fewer values or a `count`",
        ),
        (
            {"a": {"type": "int", "low": 1, "high": 2}},
            {"forbidden": [{"a": [1, 2]}]},
            "forbidden: rules out every combination of the grid",
        ),
        (
            {"a": {"type": "int", "low": 1, "high": 2, "count": 0}},
            {},
            "hyperparameters.a.count: must be at least 1, got 0",
        ),
    ],
)
def test_a_space_that_has_no_grid_is_refused_in_one_line(
    space: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        grid_spec(space, **changes)
    assert str(refused.value) == problem


def test_a_file_with_a_searcher_alone_is_told_what_a_grid_needs() -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_searcher("searcher: {name: grid, max_resource: 9}")
    assert str(refused.value) == "hyperparameters: must be there for a grid, which is made of them"
