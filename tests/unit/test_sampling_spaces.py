"""A space as sampler programs are told of it, and what of their suggestions is taken."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from unit.space_values import agrees, fits, spaces, spec_with

from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.sampling.spaces import RefusedSuggestion, accepted, neutral_space
from rungmaster.shared.space.hyperparameters import FloatSpec, IntSpec, same
from rungmaster.shared.space.space import Space
from rungmaster.shared.spec.spec import Spec

SOLVERS: dict[str, Any] = {
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"solver": "sgd"}},
    "rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True, "prior": {"mean": 1e-2, "std": 0.5}},
    "layers": {"type": "int", "low": 1, "high": 8},
    "width": {"type": "ordinal", "sequence": [16, 32, 64]},
    "solver": {"type": "categorical", "choices": ["sgd", "adam"], "weights": [1, 2]},
    "fixed": "text",
}
ADAM: dict[str, Any] = {"rate": 0.01, "layers": 3, "width": 32, "solver": "adam", "fixed": "text"}


def taken(suggestion: dict[str, Any], *forbidden: Any, space: dict[str, Any] = SOLVERS) -> dict[str, Any]:
    spec = spec_with(space, [*forbidden])
    return accepted(spec.hyperparameters, spec.forbidden, suggestion)


def refusal(suggestion: dict[str, Any], *forbidden: Any, space: dict[str, Any] = SOLVERS) -> str:
    with pytest.raises(RefusedSuggestion) as refused:
        taken(suggestion, *forbidden, space=space)
    return str(refused.value)


def test_the_neutral_form_has_everything_and_parents_first() -> None:
    spec = spec_with(SOLVERS, [{"solver": "sgd", "width": [32, 64]}])
    space = neutral_space(spec.hyperparameters, spec.forbidden)
    assert json.loads(json.dumps(space)) == space
    prior = {"mean": 1e-2, "std": 0.5}
    assert sorted(space["parameters"], key=lambda each: each["name"]) == [
        {"name": "fixed", "type": "constant", "value": "text"},
        {"name": "layers", "type": "int", "low": 1, "high": 8, "log": False},
        {"name": "momentum", "type": "float", "low": 0.0, "high": 0.99, "log": False, "when": {"solver": ["sgd"]}},
        {"name": "rate", "type": "float", "low": 1e-4, "high": 1e-1, "log": True, "prior": prior},
        {"name": "solver", "type": "categorical", "choices": ["sgd", "adam"], "weights": [1, 2]},
        {"name": "width", "type": "ordinal", "values": [16, 32, 64]},
    ]
    names = [each["name"] for each in space["parameters"]]
    assert names.index("solver") < names.index("momentum")
    assert space["forbidden"] == [{"solver": ["sgd"], "width": [32, 64]}]


def test_a_suggestion_comes_back_in_the_specs_order_and_with_its_values() -> None:
    found = taken({"solver": "sgd", "momentum": 0, "width": 32.0, "layers": 3.0, "rate": 0.1, "fixed": "text"})
    assert [*found] == [name for name in SOLVERS if name in found]
    assert list(map(type, found.values())) == [float, float, int, int, str, str]
    assert found["layers"] == 3


def test_constants_need_not_be_given_and_what_does_not_exist_is_dropped() -> None:
    without = {name: value for name, value in ADAM.items() if name != "fixed"}
    assert taken(without | {"momentum": 17}) == ADAM


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"solver": "sgd"}, '"momentum": is missing'),
        ({"solver": "sgdd"}, '"solver": cannot be "sgdd"; it can be "sgd", "adam"'),
        ({"rate": 0.2}, '"rate": must be from 0.0001 to 0.1, got 0.2'),
        ({"rate": float("nan")}, '"rate": must be a number, got nan'),
        ({"rate": "0.01"}, '"rate": must be a number, got text "0.01"'),
        ({"rate": 10**4000}, '"rate": must be from 0.0001 to 0.1, got a whole number of 13288 bits'),
        ({"layers": 2.5}, '"layers": must be a whole number, got 2.5'),
        ({"layers": True}, '"layers": must be a whole number, got true'),
        ({"layers": 10**4000}, '"layers": must be from 1 to 8, got a whole number of 13288 bits'),
        ({"width": 33}, '"width": cannot be 33; it can be 16, 32, 64'),
        ({"fixed": "other"}, '"fixed": cannot be "other"; it can be "text"'),
        ({"ratee": 0.01}, '"ratee": there is no such hyperparameter; did you mean "rate"?'),
    ],
)
def test_what_lies_outside_is_refused_with_its_reason(changed: dict[str, Any], why: str) -> None:
    assert refusal(ADAM | changed) == why


def test_a_value_that_is_nested_as_deeply_as_json_may_be_is_refused() -> None:
    deep: Any = []
    for _ in range(2_000):
        deep = [deep]
    assert "nested too deeply" in refusal(ADAM | {"width": deep})


def test_a_forbidden_combination_is_refused_by_what_is_forbidden_of_it() -> None:
    assert (
        refusal(ADAM, {"layers": 7}, {"solver": "adam", "width": [32, 64]}) == 'is forbidden: solver: "adam", width: 32'
    )
    assert taken(ADAM | {"width": 16}, {"layers": 7}, {"solver": "adam", "width": [32, 64]})["width"] == 16


def test_a_forbidden_combination_with_something_that_does_not_exist_forbids_nothing() -> None:
    nested = SOLVERS | {"nesterov": {"type": "categorical", "choices": [True, False], "when": {"solver": "sgd"}}}
    assert taken(ADAM | {"nesterov": True}, {"nesterov": True, "width": 32}, space=nested) == ADAM


def space_of(parts: tuple[dict[str, Any], list[Any]]) -> Spec:
    try:
        return spec_with(*parts)
    except InvalidSpec:
        assume(False)
        raise


@settings(max_examples=15)  # ConfigSpace takes its time
@given(spaces(), st.integers(0, 99))
def test_what_the_space_draws_by_itself_is_never_refused_and_stays_as_it_is(parts: Any, trial: int) -> None:
    spec = space_of(parts)
    drawn = Space(spec.hyperparameters, spec.forbidden).draw(1, trial)
    found = accepted(spec.hyperparameters, spec.forbidden, json.loads(json.dumps(drawn)))
    assert list(found.items()) == list(drawn.items())
    assert [*map(type, found.values())] == [*map(type, drawn.values())]


@settings(max_examples=25)
@given(spaces(), st.data())
def test_any_suggestion_is_refused_or_lies_in_the_space(parts: Any, data: st.DataObject) -> None:
    """Values are drawn without a look at conditions, bounds or what is forbidden."""
    spec = space_of(parts)
    anything = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=2)

    def near(name: str) -> st.SearchStrategy[Any]:
        each = spec.hyperparameters[name]
        if isinstance(each, FloatSpec | IntSpec):
            return st.sampled_from([each.low, each.high, each.low - abs(each.low) - 1]) | anything
        return st.sampled_from(each.values) | anything

    given_names = data.draw(st.sets(st.sampled_from([*spec.hyperparameters])))
    suggestion = {name: data.draw(near(name)) for name in [*given_names]}
    try:
        found = accepted(spec.hyperparameters, spec.forbidden, suggestion)
    except RefusedSuggestion:
        assert not lies_in(spec, suggestion)
    else:
        assert lies_in(spec, found)
        assert all(same(found[name]) == same(suggestion[name]) for name in found)


def lies_in(spec: Spec, values: dict[str, Any]) -> bool:
    """By the words of the document: what exists is there and fits; what does not exist is not looked at."""
    exists: dict[str, Any] = {}
    left = dict(spec.hyperparameters)
    while ready := [name for name in left if not left[name].when.keys() & left.keys()]:
        for name in ready:
            each = left.pop(name)
            if not agrees(each.when, exists):
                continue
            value = values.get(name)
            if isinstance(each, FloatSpec) and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if name not in values or not fits_exactly(each, value):
                return False
            exists[name] = value
    return not any(agrees(combination, exists) for combination in spec.forbidden)


def fits_exactly(each: Any, value: Any) -> bool:
    if isinstance(each, FloatSpec | IntSpec):
        whole = isinstance(each, IntSpec) and isinstance(value, float) and value.is_integer()
        return fits(each, int(value) if whole else value)
    return same(value) in map(same, each.values)


def test_every_combination_of_a_small_space_is_taken_or_refused_as_the_words_say() -> None:
    space = {
        "a": {"type": "categorical", "choices": [1, True, "1"]},
        "b": {"type": "int", "low": 0, "high": 2, "when": {"a": [1, True]}},
        "c": {"type": "ordinal", "sequence": ["x", "y"], "when": {"b": [1, 2], "a": [True]}},
    }
    forbidden = [{"b": 2, "c": "y"}, {"a": "1"}]
    spec = spec_with(space, forbidden)
    taken_of = []
    for a, b, c in product([1, True, "1", 2], [0, 1, 2, 3], ["x", "y", "z"]):
        suggestion = {"a": a, "b": b, "c": c}
        try:
            taken_of.append(same(accepted(spec.hyperparameters, spec.forbidden, suggestion)))
        except RefusedSuggestion:
            assert not lies_in(spec, suggestion)
        else:
            assert lies_in(spec, suggestion)
    assert len(set(taken_of)) == 3 + 1 + 2 + 1
