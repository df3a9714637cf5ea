"""The spec: what it accepts, its defaults, and that it survives the way to JSON and back."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.spec.searchers import max_rungs_that_fit
from rungmaster.shared.spec.spec import (
    AdaptiveAshaSpec,
    AshaSpec,
    CategoricalSpec,
    ConstantSpec,
    FloatSpec,
    IntSpec,
    Spec,
    StopSpec,
    is_spec_of,
    parse_searcher,
    parse_spec,
    spec_from_json,
    spec_to_json,
)

DIGITS = """\
name: digits-mlp
entrypoint: examples.digits:train        # a Python function, or a list: a command and its arguments
metric: {name: validation_error, goal: minimize}
unit: epochs
hyperparameters:
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-1, log: true}
  width: {type: int, low: 16, high: 256, log: true}
  activation: {type: categorical, choices: [relu, tanh]}
  solver: {type: categorical, choices: [sgd, adam]}
  momentum: {type: float, low: 0.0, high: 0.99, when: {solver: sgd}}
  batch_size: 64
searcher: {name: adaptive_asha, mode: standard, max_trials: 64, max_resource: 27, divisor: 3}
resources: {slots_per_trial: 1}
checkpoints: {storage: ./checkpoints, keep: promotable}
max_restarts: 3
seed: 1
"""


def small(**changes: Any) -> dict[str, Any]:
    """The smallest spec, with changes."""
    document: dict[str, Any] = {
        "name": "small",
        "entrypoint": "training:train",
        "metric": {"name": "loss", "goal": "minimize", "best": "any"},
        "hyperparameters": {"rate": {"type": "float", "low": 0, "high": 1}},
        "searcher": {"name": "asha", "max_trials": 10, "max_resource": 9},
    }
    return document | changes


def test_the_example_parses_as_written() -> None:
    spec = parse_spec(DIGITS)

    assert spec.name == "digits-mlp"
    assert spec.entrypoint == "examples.digits:train"
    assert (spec.metric.name, spec.metric.goal, spec.unit) == ("validation_error", "minimize", "epochs")
    assert spec.hyperparameters == {
        "learning_rate": FloatSpec(low=1e-4, high=0.1, log=True),
        "width": IntSpec(low=16, high=256, log=True),
        "activation": CategoricalSpec(choices=("relu", "tanh")),
        "solver": CategoricalSpec(choices=("sgd", "adam")),
        "momentum": FloatSpec(low=0.0, high=0.99, when={"solver": ("sgd",)}),
        "batch_size": ConstantSpec(value=64),
    }
    assert spec.searcher == AdaptiveAshaSpec(mode="standard", max_trials=64, max_resource=27, divisor=3)
    assert (spec.max_restarts, spec.seed) == (3, 1)


def test_a_small_spec_gets_every_default() -> None:
    full = spec_to_json(spec_from_json(small()))

    assert full == small() | {
        "hyperparameters": {
            "rate": {"type": "float", "low": 0, "high": 1, "log": False, "prior": None, "count": None, "when": {}},
        },
        "searcher": {
            "name": "asha",
            "max_trials": 10,
            "max_resource": 9,
            "divisor": 4,
            "max_rungs": 5,
            "max_concurrent_trials": None,
            "stop_once": False,
        },
        "unit": "units",
        "preload": None,
        "forbidden": [],
        "initial_trials": [],
        "warm_start": [],
        "stop": {"metric": None, "time": None, "resource": None},
        "sampler": {"name": "random"},
        "resources": {"slots_per_trial": 1, "labels": {}},
        "checkpoints": {"storage": "./checkpoints", "keep": "promotable", "interval": 60},
        "max_restarts": 3,
        "fail_fast": 5,
        "max_workers_lost": 3,
        "progress_timeout": None,
        "priority": 0,
        "weight": 1.0,
        "seed": 0,
    }


def test_json_yaml_and_python_give_the_same_spec() -> None:
    spec = parse_spec(DIGITS)

    assert parse_spec(json.dumps(spec_to_json(spec))) == spec
    assert spec_from_json(spec_to_json(spec)) == spec
    assert spec_from_json(small()) == Spec(**small())


def test_a_spec_never_changes() -> None:
    spec = spec_from_json(small())
    with pytest.raises(ValidationError):
        spec.seed = 5  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("value", ["relu", 64, 0.5, True, False])
def test_a_plain_value_is_a_constant_and_is_written_back_plainly(value: Any) -> None:
    spec = spec_from_json(small(hyperparameters={"fixed": value}))

    assert spec.hyperparameters == {"fixed": ConstantSpec(value=value)}
    written = spec_to_json(spec)["hyperparameters"]["fixed"]
    assert written == value
    assert type(written) is type(value)


def test_a_constant_in_full_may_be_a_list_or_null_or_have_a_condition() -> None:
    declared = {
        "betas": {"type": "constant", "value": [0.9, 0.999]},
        "nothing": {"type": "constant", "value": None, "when": {"on": True}},
        "on": {"type": "categorical", "choices": [True, False]},
    }
    spec = spec_from_json(small(hyperparameters=declared))
    assert spec_from_json(spec_to_json(spec)) == spec
    assert spec_to_json(spec)["hyperparameters"]["nothing"]["value"] is None


@pytest.mark.parametrize(("one", "other"), [([1], [1.0]), ([1], [True]), ([[1]], [[1.0]])])
def test_a_stored_document_is_not_a_spec_whose_values_have_other_types(one: list[Any], other: list[Any]) -> None:
    """For Python they are equal, but trials with one or the other are trained otherwise."""
    first, second = (
        spec_from_json(small(hyperparameters={"x": {"type": "categorical", "choices": choices}}))
        for choices in (one, other)
    )
    assert is_spec_of(spec_to_json(first), first)
    assert not is_spec_of(spec_to_json(first), second)
    assert not is_spec_of(spec_to_json(second), first)


@pytest.mark.parametrize(
    "entrypoint", ["train:main", "a.b.c:Model.train", ["python", "train.py", "--fast"], ["./run"], ["sh", "-c", ""]]
)
def test_an_entrypoint_is_a_function_or_a_command(entrypoint: Any) -> None:
    spec = spec_from_json(small(entrypoint=entrypoint))
    assert spec.entrypoint == (entrypoint if isinstance(entrypoint, str) else tuple(entrypoint))


@pytest.mark.parametrize("whole", [27, 27.0, "27", "2.7e1"])
def test_a_whole_number_may_be_written_with_an_exponent(whole: Any) -> None:
    text = DIGITS.replace("max_resource: 27", f"max_resource: {whole}")
    searcher = parse_spec(text).searcher
    assert isinstance(searcher, AdaptiveAshaSpec | AshaSpec)
    assert searcher.max_resource == 27
    assert type(searcher.max_resource) is int


@pytest.mark.parametrize(
    ("divisor", "eta"),
    [
        ("3", Fraction(3)),
        ("2.5", Fraction(5, 2)),
        ("1.1", Fraction(11, 10)),
        ("1e1", Fraction(10)),
        ("4.0", Fraction(4)),
    ],
)
def test_the_divisor_is_kept_exactly(divisor: str, eta: Fraction) -> None:
    text = f"searcher: {{name: asha, max_trials: 9, max_resource: 9, divisor: {divisor}}}"
    searcher = parse_searcher(text).searcher
    assert isinstance(searcher, AshaSpec)
    assert searcher.eta == eta


@pytest.mark.parametrize(
    ("eta", "value", "rungs"),
    [
        (Fraction(3), 243, 6),
        (Fraction(3), 242, 5),
        (Fraction(4), 1, 1),
        (Fraction(4), 3, 1),
        (Fraction(10), 10**15, 16),
        (Fraction(10), 10**15 - 1, 15),
        (Fraction(5, 2), 15, 3),
        (Fraction(5, 2), 16, 4),
        (Fraction("1.0000000001"), 10**9, 1000),
    ],
)
def test_rungs_that_fit_are_counted_exactly(eta: Fraction, value: int, rungs: int) -> None:
    assert max_rungs_that_fit(eta, value) == rungs


@given(st.fractions(min_value="1.01", max_value=8, max_denominator=100), st.integers(1, 10**6))
def test_as_many_rungs_fit_as_the_value_can_be_divided(eta: Fraction, value: int) -> None:
    rungs = max_rungs_that_fit(eta, value, limit=10_000)
    assert eta ** (rungs - 1) <= value < eta**rungs


def test_a_file_with_just_a_searcher_is_enough_for_a_plan() -> None:
    text = '{"searcher": {"name": "asha", "max_trials": 10, "max_resource": 9}}'
    file = parse_searcher(text)
    assert (file.searcher, file.metric) == (AshaSpec(max_trials=10, max_resource=9), None)

    text = "searcher: {name: adaptive_asha, max_trials: 9, max_resource: 9}\nmetric: {name: accuracy, goal: maximize}"
    file = parse_searcher(text)
    assert file.searcher == AdaptiveAshaSpec(max_trials=9, max_resource=9)
    assert file.metric is not None
    assert file.metric.goal == "maximize"

    assert parse_searcher(DIGITS) == parse_spec(DIGITS)


def test_the_limits_of_a_search_are_told_in_words() -> None:
    text = "name: x\nentrypoint: a:b\nmetric: {name: loss, goal: minimize}\nunit: epochs\nhyperparameters: {x: 1}\n"
    text += "searcher: {name: asha, max_trials: 9, max_resource: 9}\nstop: {metric: 0.05, time: 1h30m, resource: 20000}"
    spec = parse_spec(text)
    assert spec.stop == StopSpec(metric=0.05, time=5_400, resource=20_000)
    assert spec.limits == (
        "loss at most 0.05",
        "1h30m since its submission",
        "20,000 epochs of all trials together",
    )
    assert parse_spec(text.replace("minimize", "maximize")).limits[0] == "loss at least 0.05"
    assert parse_spec(DIGITS).limits == ()


def test_problems_of_a_searcher_file_are_told_by_their_paths() -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse_searcher("searcher: {name: asha, max_trials: 0, max_resource: .inf, divsor: 3}")
    assert str(caught.value).splitlines() == [
        "searcher.max_resource: must be a finite number, got inf",
        "searcher.max_trials: must be at least 1, got 0",
        'searcher.divsor: unknown field; did you mean "divisor"?',
    ]


def test_reading_a_spec_does_not_wait_for_configspace() -> None:
    program = f"""
import sys
from rungmaster.shared.spec.spec import parse_searcher, parse_spec
parse_spec({DIGITS!r})
parse_searcher("searcher: {{name: asha, max_trials: 10, max_resource: 9}}")
print([each for each in ("ConfigSpace", "numpy", "scipy") if each in sys.modules])
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
