"""A spec written for people to edit reads as the same spec."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.space.hyperparameters import same
from rungmaster.shared.spec.spec import parse_spec, spec_from_json, spec_to_json
from rungmaster.shared.spec.writing import spec_to_yaml

SPEC: dict[str, Any] = {
    "name": "digits",
    "entrypoint": "training:train",
    "metric": {"name": "loss", "goal": "minimize"},
    "hyperparameters": {
        "rate": {"type": "float", "low": 1e-05, "high": 0.1, "log": True},
        "width": {"type": "int", "low": 16, "high": 256},
        "solver": {"type": "categorical", "choices": ["sgd", "adam", "1e-3", "no", "null", 1, 2.0, None, [1, 2]]},
        "momentum": {"type": "float", "low": 0, "high": 0.99, "when": {"solver": "sgd"}},
        "size": {"type": "ordinal", "sequence": ["small", "large"]},
        "fast": True,
        "nothing": {"type": "constant", "value": None},
    },
    "forbidden": [{"solver": "sgd", "size": ["small"]}],
    "searcher": {"name": "adaptive_asha", "max_trials": 64, "max_resource": 27, "divisor": 3},
    "stop": {"metric": 0.05, "time": "1h30m"},
    "checkpoints": {"interval": None},
}


def stored(**changes: Any) -> dict[str, Any]:
    return spec_to_json(spec_from_json(SPEC | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"searcher": {"name": "asha", "max_trials": 4, "max_resource": 4}},
        {"searcher": {"name": "random", "max_trials": 4, "max_resource": 4}},
        {"entrypoint": ["./train.sh", "--fast", "0x10"], "stop": {"time": 0.5}},
    ],
)
def test_what_is_written_is_the_same_spec(changes: dict[str, Any]) -> None:
    document = stored(**changes)
    assert spec_to_json(parse_spec(spec_to_yaml(document))) == document


def test_defaults_are_left_out_and_names_and_types_are_there() -> None:
    lines = spec_to_yaml(stored()).splitlines()
    assert lines[0] == "name: digits"
    assert "  rate: {type: float, low: 1.0e-05, high: 0.1, log: true}" in lines
    assert "searcher: {name: adaptive_asha, max_trials: 64, max_resource: 27, divisor: 3}" in lines
    assert "stop: {metric: 0.05, time: 1h30m}" in lines
    assert "checkpoints: {interval: null}" in lines
    assert not [line for line in lines if line.startswith(("seed", "unit", "priority"))]


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
_VALUE = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | _TEXT


@given(st.lists(_VALUE, min_size=1, max_size=6, unique_by=same))
def test_values_of_any_kind_are_written_as_what_they_are(choices: list[Any]) -> None:
    document = stored(hyperparameters={"x": {"type": "categorical", "choices": choices}}, forbidden=[])
    assert spec_to_json(parse_spec(spec_to_yaml(document))) == document


def test_a_spec_that_is_refused_today_is_written_as_it_is_stored() -> None:
    text = spec_to_yaml({"name": "old", "searcher": {"name": "gone"}})
    assert text == "name: old\nsearcher: {name: gone}\n"
