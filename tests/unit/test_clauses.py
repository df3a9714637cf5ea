"""The order in which a search space is gone through."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from unit.master_harness import make_spec

from rungmaster.shared.space.clauses import parents_first
from rungmaster.shared.space.hyperparameters import Hyperparameter


def declared(parents: dict[str, list[str]]) -> dict[str, Hyperparameter]:
    """Choices, each of which exists where its parents are 1."""
    space = {
        name: {"type": "categorical", "choices": [0, 1], "when": dict.fromkeys(when, 1)}
        for name, when in parents.items()
    }
    return dict(make_spec(hyperparameters=space).hyperparameters)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, list[str]]:
    """By hyperparameter its parents, without a circle; in any order."""
    names = [f"x{number}" for number in range(draw(st.integers(1, 8)))]
    parents = {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }
    return {name: parents[name] for name in draw(st.permutations(names))}


@given(conditions())
def test_each_comes_in_the_order_of_the_spec_but_after_its_parents(
    parents: dict[str, list[str]],
) -> None:
    expected: list[str] = []

    def place(name: str) -> None:
        for parent in parents[name]:
            place(parent)
        expected.extend([name] if name not in expected else [])

    for name in parents:
        place(name)
    assert parents_first(declared(parents)) == expected


def test_one_after_the_other_where_nothing_depends_on_anything() -> None:
    names: dict[str, Any] = {"width": [], "depth": [], "batch": []}
    assert parents_first(declared(names)) == ["width", "depth", "batch"]
