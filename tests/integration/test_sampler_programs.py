"""Sampler programs over real processes, through their guard: what they suggest, and that they learn from results.

Those whose packages are not here are skipped; `make test-samplers` installs them and runs these tests.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from unit.space_values import spec_with

from rungmaster.shared.errors import CannotStart
from rungmaster.shared.sampling.conversation import ProgramConversation, SamplerBroken
from rungmaster.shared.sampling.programs import Command, command_of, scrubbed_environment
from rungmaster.shared.sampling.protocol import Pending, Start, TrialResult
from rungmaster.shared.sampling.spaces import accepted, neutral_space
from rungmaster.shared.spec.spec import Spec

ROOT = Path(__file__).resolve().parents[2]
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
PATIENCE_S = 300
Tell = Callable[..., ProgramConversation]


@pytest.fixture
def started() -> Iterator[Callable[..., ProgramConversation]]:
    with ExitStack() as held:

        def start(name: str, spec: Spec = SPEC, **options: Any) -> ProgramConversation:
            try:
                command = command_of(name)
            except CannotStart as error:
                pytest.skip(str(error))
            conversation = held.enter_context(ProgramConversation(command, 4))
            space = neutral_space(spec.hyperparameters, spec.forbidden)
            conversation.start(Start(1, 3, "loss", "minimize", space, (1, 4, 16), options), PATIENCE_S)
            return conversation

        yield start


def loss(found: dict[str, Any]) -> float:
    return (found["x"] - 2) ** 2 + abs(found["rate"] - 0.01) + found["n"] / 10 + found.get("momentum", 0)


def answered(
    conversation: ProgramConversation, count: int, pending: Sequence[Pending], spec: Spec = SPEC
) -> list[dict[str, Any]]:
    """Suggestions, all of which lie in the space."""
    given = [each.hyperparameters for each in conversation.ask(count, pending, PATIENCE_S)]
    assert len(given) == count
    return [accepted(spec.hyperparameters, spec.forbidden, each) for each in given]


def suggested(
    conversation: ProgramConversation, count: int, spec: Spec = SPEC, *, first: int = 0
) -> list[dict[str, Any]]:
    """So many suggestions, one after the other, each tried at once; every fifth fails."""
    found: list[dict[str, Any]] = []
    for trial in range(first, first + count):
        pending = [Pending(found[-1], trial - 1)] if found else []
        found += answered(conversation, 1, pending, spec)
        failed = trial % 5 == 4
        metric = None if failed else loss(found[-1])
        conversation.tell(TrialResult(trial, found[-1], 16 if trial % 3 else 4, metric, failed=failed))
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


def test_an_argument_that_is_none_ends_the_program_which_tells_people(started: Tell) -> None:
    with pytest.raises(
        SamplerBroken, match=r"ended with exit code 1\n(.*\n)*.*unexpected keyword argument 'multivariat'"
    ):
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
    assert answered(conversation, 1, pending, spec) == [{"a": 4}]


def test_optunas_grid_is_that_of_the_space(started: Tell) -> None:
    spec = spec_with(
        {
            "a": {"type": "categorical", "choices": ["x", "y"]},
            "b": {"type": "int", "low": 2, "high": 4},
            "c": {"type": "ordinal", "sequence": [16, 32]},
        }
    )
    found = answered(started("optuna", spec, sampler="GridSampler"), 12, (), spec)
    assert len(set(map(repr, found))) > 6


def test_where_nearly_everything_is_forbidden_it_is_asked_again(started: Tell) -> None:
    values = [*range(6)]
    spec = spec_with({"a": {"type": "categorical", "choices": values}}, [{"a": values[:4]}])
    assert {each["a"] for each in answered(started("optuna", spec), 8, (), spec)} <= {4, 5}


@pytest.mark.parametrize("program", ["python3 toy.py", "node toy.js"])
def test_the_examples_suggest_what_lies_in_the_space_and_learn(program: str) -> None:
    """As a stranger writes them, in any language. Where the good trial is, chance alone would lead 107 of 400."""
    language, file = program.split()
    interpreter = sys.executable if language == "python3" else shutil.which(language)
    if interpreter is None:
        pytest.skip(f"{language} is not on this machine")
    command = Command((interpreter, str(ROOT / "examples" / "samplers" / file)), scrubbed_environment())
    spec = spec_with(SPEC.model_dump()["hyperparameters"])
    space = neutral_space(spec.hyperparameters)
    with ProgramConversation(command, 1) as conversation:
        conversation.start(Start(1, 3, "loss", "minimize", space, (1, 4, 16)), PATIENCE_S)
        first = answered(conversation, 20, (), spec)
        for trial, hyperparameters in enumerate(first):
            conversation.tell(TrialResult(trial, hyperparameters, 4, loss(hyperparameters) + 1))
        conversation.tell(TrialResult(20, first[0] | {"x": 2.0}, 16, 0.1))
        conversation.tell(TrialResult(21, first[0] | {"x": 9.0}, 16, None, failed=True))
        found = answered(conversation, 400, (), spec)
    assert sum(abs(each["x"] - 2) < 2 for each in found) > 148
