"""Wrong specs: every problem of a document at once, each with its path and in plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.spec.spec import MAX_PROBLEMS, parse_spec, spec_from_json, spec_to_json

SPEC: dict[str, Any] = {
    "name": "digits",
    "entrypoint": "training:train",
    "metric": {"name": "loss", "goal": "minimize"},
    "hyperparameters": {
        "rate": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
        "width": {"type": "int", "low": 16, "high": 256},
        "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
        "momentum": {"type": "float", "low": 0, "high": 0.99, "when": {"solver": "sgd"}},
        "size": {"type": "ordinal", "sequence": ["small", "large"]},
        "fast": True,
    },
    "searcher": {"name": "adaptive_asha", "max_trials": 64, "max_resource": 27, "divisor": 3},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """SPEC with another value at a path."""
    document = json.loads(json.dumps(SPEC))
    *above, last = path.split(".")
    place = document
    for part in above:
        place = place.setdefault(part, {})
    place[last] = value
    return document


def problems_of(document: object) -> list[str]:
    """The problems that the document is refused for, one line each."""
    with pytest.raises(InvalidSpec) as caught:
        spec_from_json(document)  # pyright: ignore[reportArgumentType]
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return str(caught.value).splitlines()


INF, NAN = float("inf"), float("nan")
DURATION = "must be a length of time, such as 8h, 90m, 1h30m or 2d, or a number of seconds"

WRONG: list[tuple[str, Any, str]] = [
    # Fields.
    ("sed", 1, 'sed: unknown field; did you mean "seed"?'),
    ("metric.gaol", 1, 'metric.gaol: unknown field; did you mean "goal"?'),
    ("metric.x", 1, "metric.x: unknown field; the fields here are best, goal, name"),
    ("searcher.moed", 1, 'searcher.moed: unknown field; did you mean "mode"?'),
    ("hyperparameters.rate.hihg", 1, 'hyperparameters.rate.hihg: unknown field; did you mean "high"?'),
    (
        "hyperparameters.rate.prior",
        {"mean": 0.01, "sdt": 1, "std": 1},
        'rate.prior.sdt: unknown field; did you mean "std"?',
    ),
    ("checkpoints.kepe", 1, 'checkpoints.kepe: unknown field; did you mean "keep"?'),
    # Types.
    ("name", 7, "name: must be text, got 7; put it in quotes"),
    ("name", "", "name: must not be empty"),
    ("name", "x" * 101, "name: must have at most 100 characters, got 101"),
    ("name", "a\nb", 'name: must not have line breaks, got \\n in "a\\nb"'),
    ("name", "a\x1b[2J", 'name: must not have control or hidden characters, got \\x1b in "a\\u001b[2J"'),
    ("name", "a\u202eb", 'name: must not have control or hidden characters, got \\u202e in "a\\u202eb"'),
    ("name", " a", "name: must be printable, and not begin or end with white space"),
    ("metric", "loss", 'metric: must be a mapping, got text "loss"'),
    ("metric.name", "", "metric.name: must not be empty"),
    (
        "metric.goal",
        "minimise",
        'metric.goal: must be one of minimize, maximize; got text "minimise"; did you mean "minimize"?',
    ),
    ("metric.goal", None, "metric.goal: must be one of minimize, maximize; got nothing (null)"),
    ("searcher.max_trials", 0, "searcher.max_trials: must be at least 1, got 0"),
    ("searcher.max_trials", -5, "searcher.max_trials: must be at least 1, got -5"),
    ("searcher.max_trials", "64", 'searcher.max_trials: must be a whole number, got text "64"'),
    ("searcher.max_trials", 6.5, "searcher.max_trials: must be a whole number, got 6.5"),
    ("searcher.max_trials", True, "searcher.max_trials: must be a whole number, got true"),
    ("searcher.max_trials", None, "searcher.max_trials: must be a whole number, got nothing (null)"),
    ("searcher.max_trials", [64], "searcher.max_trials: must be a whole number, got a list"),
    ("searcher.max_resource", 0, "searcher.max_resource: must be at least 1, got 0"),
    ("searcher.max_concurrent_trials", 0, "searcher.max_concurrent_trials: must be at least 1, got 0"),
    ("searcher.divisor", 1, "searcher.divisor: must be more than 1, got 1"),
    ("searcher.divisor", "3", 'searcher.divisor: must be a number, got text "3"'),
    ("searcher.stop_once", "yes", 'searcher.stop_once: must be true or false, got text "yes"'),
    (
        "searcher.mode",
        "agressive",
        "searcher.mode: must be one of aggressive, standard, conservative, learned; got text",
    ),
    ("searcher", "asha", 'searcher: must be a mapping, got text "asha"'),
    ("searcher", {"max_trials": 1}, "searcher.name: is missing; it must be one of asha, adaptive_asha"),
    (
        "searcher.name",
        "ashaa",
        'searcher.name: unknown searcher "ashaa"; did you mean "asha"?; known: asha, adaptive_asha',
    ),
    ("searcher.name", "genetic", 'searcher.name: unknown searcher "genetic"; known: asha, adaptive_asha'),
    ("preload", "torch", 'preload: must be a list of modules, such as [torch, sklearn.svm]; got text "torch"'),
    ("preload", ["torch", "a b"], 'preload[1]: must be the name of a module, such as sklearn.svm; got text "a b"'),
    ("preload", ["torch"] * 101, "preload: must name at most 100 modules, got 101"),
    ("initial_trials", 8, "initial_trials: must be a list of hyperparameters, or best; got 8"),
    ("initial_trials", [8], "initial_trials[0]: must be a mapping from hyperparameters to values, got 8"),
    ("initial_trials", [{"width": 600}], "initial_trials[0].width: must be from 16 to 256, got 600"),
    (
        "initial_trials",
        [{}, {"widht": 600}],
        'initial_trials[1].widht: there is no such hyperparameter; did you mean "width"?',
    ),
    ("initial_trials", [{}] * 65, "initial_trials: must be at most 64, as many as the search makes trials, got 65"),
    ("stop", 8, "stop: must be a mapping, got 8"),
    ("stop.metrics", 0.05, 'stop.metrics: unknown field; did you mean "metric"?'),
    ("stop.trials", 5, "stop.trials: unknown field; the fields here are metric, resource, time"),
    ("stop.metric", "low", 'stop.metric: must be a number, got text "low"'),
    ("stop.metric", NAN, "stop.metric: must be a finite number, got nan"),
    (
        "stop.time",
        "8 hours",
        f'stop.time: {DURATION}, got text "8 hours"',
    ),
    (
        "stop.time",
        True,
        f"stop.time: {DURATION}, got true",
    ),
    ("stop.time", "0s", "stop.time: must be more than 0, got 0"),
    ("stop.time", "20000d", "stop.time: must be at most 1e+09, got 1728000000"),
    ("stop.resource", 0, "stop.resource: must be at least 1, got 0"),
    ("stop.resource", 2.5, "stop.resource: must be a whole number, got 2.5"),
    ("sampler", 8, "sampler: must be a name, or a mapping with a name, got 8"),
    ("sampler", None, "sampler: must be a name, or a mapping with a name, got nothing (null)"),
    ("sampler", {}, "sampler.name: is missing; it must be one of random, quasi_random, bohb, cqr, optuna, hebo"),
    ("sampler", "bobh", 'sampler: unknown sampler "bobh"; did you mean "bohb"?; known: random, quasi_random'),
    ("sampler.name", "bobh", 'sampler.name: unknown sampler "bobh"; did you mean "bohb"?; known: random, quasi_random'),
    ("sampler.name", 7, "sampler.name: unknown sampler 7; known: random"),
    ("sampler", {"name": "random", "patience": 3}, "sampler.patience: unknown field; the fields here are name"),
    ("sampler", {"name": "bohb", "patiense": 3}, 'sampler.patiense: unknown field; did you mean "patience"?'),
    ("sampler", {"name": "bohb", "patience": 0}, "sampler.patience: must be more than 0, got 0"),
    ("sampler", {"name": "bohb", "patience": "8s"}, 'sampler.patience: must be a number, got text "8s"'),
    ("sampler", {"name": "cqr", "memory": -1}, "sampler.memory: must be more than 0, got -1"),
    ("sampler", {"name": "optuna", "memroy": 8}, 'sampler.memroy: unknown field; did you mean "memory"?'),
    ("sampler", {"name": "optuna", "gamma": NAN}, "sampler.gamma: must be a finite number, got nan"),
    (
        "sampler",
        {"name": "optuna", "sampler": "TPSampler"},
        "sampler.sampler: must be one of TPESampler, GPSampler, CmaEsSampler, NSGAIISampler, NSGAIIISampler, ",
    ),
    ("sampler", "external", "sampler.program: is missing"),
    ("sampler", {"name": "external", "program": ""}, "sampler.program: must not be empty"),
    (
        "sampler",
        {"name": "external", "program": "mine", "options": 5},
        "sampler.options: must be a mapping of what the program is to be told, got 5",
    ),
    (
        "sampler",
        {"name": "external", "program": "mine", "command": "rm"},
        'sampler.command: unknown field; "command" is the name of W&B sweeps: here it is entrypoint, a list',
    ),
    ("searcher.bracket_rungs", [], "searcher.bracket_rungs: must name at least one bracket"),
    ("searcher.bracket_rungs", 3, "searcher.bracket_rungs: must be a list, got 3"),
    ("searcher.bracket_rungs", [4, 0], "searcher.bracket_rungs[1]: must be at least 1, got 0"),
    (
        "searcher.bracket_rungs",
        [4, 5],
        "searcher.bracket_rungs[1]: must be at most 4 with max_resource 27, max_trials 64 and divisor 3, got 5",
    ),
    ("searcher.bracket_rungs", [1] * 65, "searcher.max_trials: must be at least 65, one for each bracket, got 64"),
    ("resources.slots_per_trial", 0, "resources.slots_per_trial: must be at least 1, got 0"),
    ("resources.labels", {"gpu": 1}, "resources.labels.gpu: must be text, got 1; put it in quotes"),
    ("resources.labels", {"gpu": "a\r"}, 'resources.labels.gpu: must not have line breaks, got \\r in "a\\r"'),
    ("resources.labels", {"g\u2066": "a"}, "resources.labels.g\u2066: its name must not have control or hidden"),
    ("hyperparameters.a\x9b", 1, "hyperparameters.a\x9b: its name must not have control or hidden characters"),
    ("metric.name", "loss\u200e", "metric.name: must not have control or hidden characters, got \\u200e"),
    ("unit", "epochs\u2028", "unit: must not have control or hidden characters, got \\u2028"),
    ("checkpoints.interval", -1, "checkpoints.interval: must be at least 0, got -1"),
    ("checkpoints.keep", "best_only", 'checkpoints.keep: must be one of promotable, best, all; got text "best_only"'),
    ("max_restarts", -1, "max_restarts: must be at least 0, got -1"),
    ("fail_fast", -1, "fail_fast: must be at least 0, got -1"),
    ("fail_fast", True, "fail_fast: must be a whole number, got true"),
    ("fail_fast", 2.5, "fail_fast: must be a whole number, got 2.5"),
    (
        "checkpoints",
        {"storage": "foo://bar/ck"},
        "checkpoints.storage: must be a path, or a URL of a protocol that fsspec knows, such as s3, gs, abfs or file; "
        "got foo://",
    ),
    (
        "checkpoints",
        {"storage": "simplecache::abfx://bar/ck"},
        "checkpoints.storage: must be a path, or a URL of a protocol that fsspec knows, such as s3, gs, abfs or file; "
        'got abfx://; did you mean "abfs"?',
    ),
    ("progress_timeout", 0, "progress_timeout: must be more than 0, got 0"),
    ("weight", 0, "weight: must be more than 0, got 0"),
    ("seed", -1, "seed: must be at least 0, got -1"),
    ("seed", 2**53, "seed: must be from -(2^53-1) to 2^53-1, got 9007199254740992"),
    # Entrypoints.
    (
        "entrypoint",
        "training",
        "entrypoint: must be module:function, such as examples.digits:train, or a list: a command",
    ),
    ("entrypoint", "train.py:main()", "entrypoint: must be module:function"),
    ("entrypoint", [], "entrypoint: must be module:function"),
    ("entrypoint", ["python", 3], "entrypoint[1]: must be text, got 3; put it in quotes"),
    ("entrypoint", [" "], "entrypoint[0]: must be a command, got nothing"),
    # Hyperparameters by themselves.
    ("hyperparameters", {}, "hyperparameters: must have at least one hyperparameter"),
    ("hyperparameters", [1], "hyperparameters: must be a mapping, got a list"),
    ("hyperparameters.rate.low", 0.2, "hyperparameters.rate.low: must be less than high, got 0.2 and 0.1"),
    (
        "hyperparameters.rate.low",
        0.1,
        "hyperparameters.rate.low: must be less than high, got 0.1 for both; for a fixed value",
    ),
    ("hyperparameters.rate.low", 0, "hyperparameters.rate.low: must be more than 0 with log, got 0"),
    ("hyperparameters.rate.low", "0", 'hyperparameters.rate.low: must be a number, got text "0"'),
    ("hyperparameters.rate.high", INF, "hyperparameters.rate.high: must be a finite number, got inf"),
    ("hyperparameters.rate.high", NAN, "hyperparameters.rate.high: must be a finite number, got nan"),
    ("hyperparameters.rate.log", 1, "hyperparameters.rate.log: must be true or false, got 1"),
    ("hyperparameters.width.low", 16.5, "hyperparameters.width.low: must be a whole number, got 16.5"),
    (
        "hyperparameters.rate.prior",
        {"mean": 1, "std": 1},
        "rate.prior.mean: must be from low to high (0.0001 to 0.1), got 1",
    ),
    (
        "hyperparameters.rate.prior",
        {"mean": 0.01, "std": 0},
        "hyperparameters.rate.prior.std: must be more than 0, got 0",
    ),
    (
        "hyperparameters.width.prior",
        {"mean": 99, "std": 1e9},
        "std: must be from 1e-6 to 1000 times the range, got 1000000000.0",
    ),
    ("hyperparameters.width.prior", 3, "hyperparameters.width.prior: must be a mapping, got 3"),
    ("hyperparameters.solver.choices", [], "hyperparameters.solver.choices: must have at least one value"),
    ("hyperparameters.solver.choices", "sgd", 'hyperparameters.solver.choices: must be a list, got text "sgd"'),
    ("hyperparameters.solver.choices", ["sgd", 1, 1.0], "hyperparameters.solver.choices[2]: is there already: 1.0"),
    (
        "hyperparameters.solver.choices",
        [*range(1001)],
        "hyperparameters.solver.choices: must have at most 1000 values, got 1001",
    ),
    (
        "hyperparameters.solver.choices",
        ["sgd", NAN],
        "hyperparameters.solver.choices[1]: must be a finite number, got nan",
    ),
    (
        "hyperparameters.solver.weights",
        [1],
        "hyperparameters.solver.weights: must have one for each of 2 choices, got 1",
    ),
    ("hyperparameters.solver.weights", [0, 0], "hyperparameters.solver.weights: must not all be 0"),
    ("hyperparameters.solver.weights", [1, -1], "hyperparameters.solver.weights[1]: must be at least 0, got -1"),
    ("hyperparameters.size.sequence", ["a", "a"], 'hyperparameters.size.sequence[1]: is there already: "a"'),
    (
        "hyperparameters.rate.type",
        "flaot",
        'rate.type: unknown type "flaot"; did you mean "float"?; known: float, int, categ',
    ),
    (
        "hyperparameters.rate",
        {"low": 0},
        "hyperparameters.rate.type: is missing; it must be one of float, int, categorical",
    ),
    (
        "hyperparameters.rate",
        [1, 2],
        "hyperparameters.rate: must be a plain value, or a mapping with a type, got a list",
    ),
    (
        "hyperparameters.rate",
        None,
        "hyperparameters.rate: must be a plain value, or a mapping with a type, got nothing",
    ),
    ("hyperparameters.fast", INF, "hyperparameters.fast: must be a finite number, got inf"),
    ("hyperparameters." + "x" * 101, 1, "its name must have at most 100 characters, got 101"),
    ("hyperparameters. a", 1, "hyperparameters. a: its name must be printable, and not begin or end with white space"),
    # Hyperparameters together.
    (
        "hyperparameters.momentum.when",
        {"slover": "sgd"},
        'when.slover: there is no such hyperparameter; did you mean "solver"?',
    ),
    (
        "hyperparameters.momentum.when",
        {"solver": "rmsprop"},
        'when.solver: cannot be "rmsprop"; it can be "sgd", "adam"',
    ),
    ("hyperparameters.momentum.when", {"solver": []}, "momentum.when.solver: must list at least one value"),
    (
        "hyperparameters.momentum.when",
        "sgd",
        "hyperparameters.momentum.when: must be a mapping from hyperparameters to values",
    ),
    (
        "hyperparameters.momentum.when",
        {"rate": 0.01},
        "hyperparameters.momentum.when.rate: is a float, and one of those never",
    ),
    ("hyperparameters.momentum.when", {"width": 8}, "momentum.when.width: cannot be 8; it can be from 16 to 256"),
    ("hyperparameters.momentum.when", {"width": True}, "momentum.when.width: cannot be true; it can be from 16 to 256"),
    ("hyperparameters.momentum.when", {"fast": 1}, "momentum.when.fast: cannot be 1; it can be true"),
    ("hyperparameters.momentum.when", {"momentum": 1}, "momentum.when.momentum: must not depend on itself"),
    ("forbidden", {"solver": "sgd"}, "forbidden: must be a list, got a mapping"),
    ("forbidden", [{}], "forbidden[0]: must name at least one hyperparameter"),
    ("forbidden", [{"solver": "sgd"}, {"x": 1}], "forbidden[1].x: there is no such hyperparameter"),
    ("forbidden", [{"solver": "sdg"}], 'forbidden[0].solver: cannot be "sdg"; it can be "sgd", "adam"'),
    (
        "forbidden",
        [{"solver": ["sgd", "adam"]}],
        "forbidden: rules out too much: of 10,000 combinations that were drawn, every",
    ),
    # Values that no document may hold.
    ("unit", "a\0", "unit: must not contain a zero byte or half a character (a lone surrogate)"),
    ("unit", "\ud800", "unit: must not contain a zero byte or half a character (a lone surrogate)"),
    (
        "hyperparameters.fast",
        10**400,
        "hyperparameters.fast: must be from -(2^53-1) to 2^53-1, got a whole number of 1329 bits",
    ),
    (
        "hyperparameters.fast",
        b"x",
        "hyperparameters.fast: must be text, a number, true, false, a list or a mapping, got a bytes",
    ),
    (
        "hyperparameters.fast",
        {"type": "constant", "value": {1}},
        "fast.value: must be text, a number, true, false, a list or",
    ),
    ("hyperparameters.fast", "x" * 10_001, "hyperparameters.fast: must have at most 10000 characters, got 10001"),
]


@pytest.mark.parametrize(
    ("path", "value", "message"), WRONG, ids=[f"{n}-{each[0][:40]}" for n, each in enumerate(WRONG)]
)
def test_one_wrong_value_is_one_message(path: str, value: Any, message: str) -> None:
    (problem,) = problems_of(changed(path, value))
    assert message in problem


@pytest.mark.parametrize("field", ["name", "entrypoint", "metric", "hyperparameters", "searcher"])
def test_a_required_field_that_is_missing_is_told(field: str) -> None:
    assert problems_of({key: value for key, value in SPEC.items() if key != field}) == [f"{field}: is missing"]


def test_all_problems_of_a_document_are_told_at_once() -> None:
    text = """
name: digits
entrypoint: training
metric: {name: '', goal: minimize}
hyperparameters:
  rate: {type: float, low: 0.1, high: .nan, log: true}
  width: {type: int, low: 256, high: 16}
  decay: {type: float, low: 0, high: 1, log: true}
  momentum: {type: float, low: 0, when: {solvr: sgd}}
  solver: {type: categorical, choices: [sgd, sgd], wieghts: [1, 2]}
  depth: {type: int, low: 1, high: 4, when: {solver: sgd, widht: 16}}
searcher: {name: adaptive_asha, max_trials: 0, max_resource: ten}
forbidden: [{rate: 1, depht: 2}]
sede: 1
"""
    with pytest.raises(InvalidSpec) as caught:
        parse_spec(text)
    assert sorted(str(caught.value).splitlines()) == sorted(
        [
            "hyperparameters.rate.high: must be a finite number, got nan",
            "entrypoint: must be module:function, such as examples.digits:train, or a list: "
            'a command and its arguments; got text "training"',
            "metric.name: must not be empty",
            "hyperparameters.width.low: must be less than high, got 256 and 16",
            "hyperparameters.decay.low: must be more than 0 with log, got 0",
            "hyperparameters.momentum.high: is missing",
            'hyperparameters.momentum.when.solvr: there is no such hyperparameter; did you mean "solver"?',
            'hyperparameters.solver.wieghts: unknown field; did you mean "weights"?',
            'hyperparameters.depth.when.widht: there is no such hyperparameter; did you mean "width"?',
            "searcher.max_trials: must be at least 1, got 0",
            'searcher.max_resource: must be a whole number, got text "ten"',
            'forbidden[0].depht: there is no such hyperparameter; did you mean "depth"?',
            'sede: unknown field; did you mean "seed"?',
        ]
    )


def test_each_circle_of_conditions_is_told_once() -> None:
    def choice(**when: int) -> dict[str, Any]:
        return {"type": "categorical", "choices": [0, 1], "when": when}

    declared = {
        "a": choice(b=0),
        "b": choice(c=0),
        "c": choice(a=0),
        "d": choice(e=1),
        "e": choice(d=1),
        "f": choice(a=1),
    }
    problems = problems_of(SPEC | {"hyperparameters": declared})

    assert len(problems) == 2
    assert all("goes round in a circle: " in problem for problem in problems)


def test_a_thousand_hyperparameters_are_enough() -> None:
    declared = {f"h{number}": number for number in range(1000)}
    assert len(spec_from_json(SPEC | {"hyperparameters": declared}).hyperparameters) == 1000

    declared["one_more"] = 1
    assert problems_of(SPEC | {"hyperparameters": declared}) == ["hyperparameters: must be at most 1000, got 1001"]


def test_no_more_problems_are_told_than_anyone_would_read() -> None:
    problems = problems_of(SPEC | {f"field{number}": number for number in range(5000)})

    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1] == f"and {5000 - MAX_PROBLEMS} more problems"


def test_names_that_are_not_text_are_told() -> None:
    with pytest.raises(InvalidSpec, match=r"hyperparameters\.true: the name of a field must be text; put it in quotes"):
        parse_spec(json.dumps(SPEC).replace('"fast"', "true"))


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_a_document_that_is_no_mapping_is_told(document: object) -> None:
    assert problems_of(document)[0].startswith("must be a mapping of fields, such as name: …, got ")


def test_a_mapping_that_holds_itself_is_refused() -> None:
    document: dict[str, Any] = {}
    document["a"] = {"b": document}
    assert problems_of(document) == ["a.b.a: is nested more than 30 deep"]


WORDS = st.sampled_from(
    [*SPEC, "type", "low", "high", "log", "when", "choices", "prior", "mean", "std", "max_trials", "goal"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["float", "int", "categorical", "asha", "adaptive_asha", "minimize", "a:b"])
    | st.just(b"")
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS | st.text(max_size=3) | st.integers(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(WORDS | st.text(max_size=3) | st.integers(), VALUES, max_size=6))
def test_any_mapping_is_a_spec_or_is_refused(document: Mapping[Any, Any]) -> None:
    with suppress(InvalidSpec):
        spec_from_json(document)


def paths(document: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [above] if above else []
    if isinstance(document, dict):
        for key, value in document.items():
            found += paths(value, (*above, key))
    return found


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(paths(SPEC)), VALUES)
def test_a_spec_with_anything_at_any_place_is_a_spec_or_is_refused(place: tuple[Any, ...], value: Any) -> None:
    document = json.loads(json.dumps(SPEC))
    inner = document
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    with suppress(InvalidSpec):
        spec = spec_from_json(document)
        written = json.loads(json.dumps(spec_to_json(spec), allow_nan=False))
        assert spec_from_json(written) == spec
        assert spec_to_json(spec_from_json(written)) == written
