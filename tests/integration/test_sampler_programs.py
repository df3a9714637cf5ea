"""Sampler programs over real processes, through their guard: what they suggest, and that they learn from results.

Those whose packages are not here are skipped; `make test-samplers` installs them and runs these tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from unit.space_values import spec_with

from rungmaster.sampler.trying import Conversation
from rungmaster.shared.errors import CannotStart, FailedPrecondition
from rungmaster.shared.sampling.programs import command_of
from rungmaster.shared.sampling.protocol import Pending, Result, Start
from rungmaster.shared.sampling.spaces import accepted, neutral_space
from rungmaster.shared.spec.spec import Spec

SPEC = spec_with(
    {
        "x": {"type": "float", "low": -5, "high": 10},
        "rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
        "n": {"type": "int", "low": 1, "high": 64, "log": True},
        "solver": {"type": "categorical", "choices": ["sgd", "adam", True]},
        "momentum": {"type": "float", "low": 0, "high": 1, "when": {"solver": "sgd"}},
        "size": {"type": "ordinal", "sequence": [16, 32, 64]},
        "fixed": {"type": "constant", "value": [1]},
    },
    [{"solver": "adam", "size": 16}],
)
#: How many suggestions are asked for: those of models are slow.
COUNTS = {"optuna": 30, "hebo": 11, "vizier": 4}
Tell = Callable[..., Conversation]


@pytest.fixture
def started() -> Iterator[Callable[..., Conversation]]:
    with ExitStack() as held:

        def start(name: str, spec: Spec = SPEC, **options: Any) -> Conversation:
            try:
                command = command_of(name)
            except CannotStart as error:
                pytest.skip(str(error))
            conversation = held.enter_context(Conversation.of(command, 4))
            space = neutral_space(spec.hyperparameters, spec.forbidden)
            conversation.start(Start(1, 3, "loss", "minimize", space, (1, 4, 16), options))
            return conversation

        yield start


def loss(found: dict[str, Any]) -> float:
    return (found["x"] - 2) ** 2 + abs(found["rate"] - 0.01) + found["n"] / 10 + found.get("momentum", 0)


def suggested(conversation: Conversation, count: int, spec: Spec = SPEC, *, first: int = 0) -> list[dict[str, Any]]:
    """So many suggestions, one after the other, each tried at once; every fifth fails."""
    found: list[dict[str, Any]] = []
    for trial in range(first, first + count):
        (answer,) = conversation.ask(1, (Pending(found[-1], trial - 1),) if found else ())
        found.append(accepted(spec.hyperparameters, spec.forbidden, answer.hyperparameters))
        failed = trial % 5 == 4
        metric = None if failed else loss(found[-1])
        conversation.say(Result(trial, found[-1], 16 if trial % 3 else 4, metric, failed=failed))
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", COUNTS)
def test_all_that_a_sampler_suggests_lies_in_the_space_and_nothing_comes_twice(name: str, started: Tell) -> None:
    found = suggested(started(name), COUNTS[name])
    assert len(set(map(repr, found))) == len(found)


@pytest.mark.parametrize("sampler", ["TPESampler", "CmaEsSampler", "NSGAIISampler", "QMCSampler", "RandomSampler"])
@pytest.mark.filterwarnings("ignore")
def test_optunas_samplers_go_by_their_names(sampler: str, started: Tell) -> None:
    found = suggested(started("optuna", sampler=sampler), 12)
    assert len(set(map(repr, found))) == len(found)


def test_the_arguments_of_a_constructor_are_the_specs_fields(started: Tell) -> None:
    """With one trial at random only, and no chance but the seed, the model takes over at once."""
    assert suggested(started("optuna", sampler="TPESampler", multivariate=True, group=True, n_startup_trials=1), 4)


def test_an_argument_that_is_none_is_told_with_the_end_of_what_the_program_said(started: Tell) -> None:
    with pytest.raises(FailedPrecondition, match=r"(?s)it ended with 1.*unexpected keyword argument 'multivariat'"):
        started("optuna", multivariat=True)


@pytest.mark.parametrize("name", ["optuna"])
def test_a_sampler_learns_where_the_good_ones_are(name: str, started: Tell) -> None:
    """Of what it suggests after 30 results the median is better than of its first ten, which are random."""
    found = [*map(loss, suggested(started(name), 45))]
    assert sorted(found[30:])[7] < sorted(found[:10])[5]


def test_what_is_in_training_is_not_suggested_again(started: Tell) -> None:
    """Of a space of four, with three in training; it is asked without any result."""
    spec = spec_with({"a": {"type": "categorical", "choices": [1, 2, 3, 4]}})
    conversation = started("optuna", spec, sampler="BruteForceSampler")
    pending = tuple(Pending({"a": value}, value) for value in (1, 2, 3))
    (answer,) = conversation.ask(1, pending)
    assert answer.hyperparameters == {"a": 4}


def test_where_nearly_everything_is_forbidden_it_is_asked_again(started: Tell) -> None:
    values = [*range(6)]
    spec = spec_with({"a": {"type": "categorical", "choices": values}}, [{"a": values[:4]}])
    found = [answer.hyperparameters["a"] for answer in started("optuna", spec).ask(8, ())]
    assert set(found) <= {4, 5}
