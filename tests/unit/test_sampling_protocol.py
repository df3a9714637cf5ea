"""The messages between a host and sampler programs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.sampling.protocol import (
    Ask,
    Failure,
    Message,
    Pending,
    ProtocolError,
    Ready,
    Start,
    Suggestion,
    TrialResult,
    decode,
    encode,
)

WHOLE = st.integers(-(2**63), 2**63)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | WHOLE | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)
PENDING = st.lists(st.builds(Pending, OBJECTS, st.none() | WHOLE), max_size=3).map(tuple)
GOALS = st.sampled_from(["minimize", "maximize"])
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Start, WHOLE, WHOLE, TEXT, GOALS, OBJECTS, st.lists(WHOLE, max_size=4).map(tuple), OBJECTS),
    st.builds(TrialResult, WHOLE, OBJECTS, WHOLE, st.none() | NUMBERS, st.booleans(), st.none() | WHOLE),
    st.builds(Ask, WHOLE, WHOLE, PENDING),
    st.builds(Ready, TEXT),
    st.builds(Suggestion, WHOLE, OBJECTS, TEXT),
    st.builds(Failure, WHOLE, TEXT),
)
SUGGESTION = '{"type": "suggestion", "ask": 1, "hyperparameters": {"a": %s}}'


@given(MESSAGES)
def test_a_message_is_one_line_and_comes_back_as_it_was(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


def test_messages_look_as_the_document_says() -> None:
    assert json.loads(encode(Start(7, 0, "loss", "minimize", {"parameters": []}, (1, 4), {"x": 1}))) == {
        "type": "start",
        "protocol": 1,
        "experiment": 7,
        "seed": 0,
        "metric": "loss",
        "goal": "minimize",
        "space": {"parameters": []},
        "resources": [1, 4],
        "options": {"x": 1},
    }
    failed = {"type": "result", "trial": 3, "hyperparameters": {}, "resource": 4, "metric": None, "failed": True}
    assert json.loads(encode(TrialResult(3, {}, 4, None, failed=True))) == failed
    pending = [{"trial": 9, "hyperparameters": {"a": 1}}, {"trial": None, "hyperparameters": {"a": 2}}]
    asked = json.loads(encode(Ask(12, 2, (Pending({"a": 1}, 9), Pending({"a": 2})))))
    assert asked == {"type": "ask", "id": 12, "count": 2, "pending": pending}


def test_what_need_not_be_there_may_be_missing_and_what_is_new_is_passed_over() -> None:
    assert decode('{"type": "ask", "id": 1, "count": 2}') == Ask(1, 2)
    assert decode('{"type": "ask", "id": 1.0, "count": 2, "urgent": true}') == Ask(1, 2)
    assert decode(SUGGESTION % '"b", "c": 1') == Suggestion(1, {"a": "b", "c": 1})


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("rubbish", "is no JSON: Expecting value"),
        (b"\xff\n", "is no JSON"),
        ("[1]", "must be an object, got a list"),
        ("{}", "type: is missing"),
        (
            '{"type": "sugestion"}',
            "type: must be one of start, result, ask, ready, suggestion, failure; got 'sugestion'",
        ),
        ('{"type": "suggestion", "ask": 1}', "suggestion.hyperparameters: is missing"),
        (
            '{"type": "suggestion", "ask": 1.5, "hyperparameters": {}}',
            "suggestion.ask: must be a whole number, got 1.5",
        ),
        (
            '{"type": "suggestion", "ask": true, "hyperparameters": {}}',
            "suggestion.ask: must be a whole number, got True",
        ),
        ('{"type": "suggestion", "ask": 1, "hyperparameters": []}', "suggestion.hyperparameters: must be an object"),
        ('{"type": "ready", "protocol": 2, "name": "a"}', "ready.protocol: must be 1"),
        ('{"type": "ready", "protocol": 1, "name": 3}', "ready.name: must be text, got 3"),
        ('{"type": "ask", "id": 1, "count": 1, "pending": [{}]}', r"ask.pending: \[0\].hyperparameters: is missing"),
        (
            '{"type": "result", "trial": 1, "hyperparameters": {}, "resource": 1, "metric": "x"}',
            "result.metric: must be a",
        ),
        (SUGGESTION % "NaN", "is no JSON: NaN"),
        (SUGGESTION % "1e999", "is no JSON: 1e999 is too large"),
        (SUGGESTION % ("1" * 5000), "is no JSON"),
        (SUGGESTION % ("[" * 100_000), "is no JSON"),
    ],
)
def test_what_is_no_message_is_refused_by_the_name_of_the_field(line: str | bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        decode(line)


@given(st.binary(max_size=60) | st.builds(lambda document: json.dumps(document).encode(), OBJECTS))
def test_no_line_whatever_brings_about_anything_but_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(line)


def test_half_a_pair_of_surrogates_in_a_note_does_no_harm() -> None:
    message = decode('{"type": "failure", "ask": 1, "error": "\\ud800"}')
    assert isinstance(message, Failure)
    message.error.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1j}])
def test_what_json_does_not_have_is_not_written(value: object) -> None:
    with pytest.raises(ProtocolError, match="suggestion: cannot be written"):
        encode(Suggestion(1, {"a": value}))


def test_numbers_of_numpy_are_numbers() -> None:
    import numpy as np

    suggested = {"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": np.str_("x")}
    assert decode(encode(Suggestion(1, suggested))) == Suggestion(1, {"a": 3, "b": 0.5, "c": True, "d": "x"})


def test_the_loop_of_a_sampler_imports_the_standard_library_alone() -> None:
    """Whatever is installed beside it: an environment of a sampler's own has nothing else of ours."""
    program = (
        "import rungmaster.sampler.serve, sys;"
        "names = {name.split('.')[0] for name, module in sys.modules.items() if getattr(module, '__file__', None)};"
        "ours = names - sys.stdlib_module_names - {'sitecustomize', 'usercustomize'};"
        "print(*sorted(name for name in ours if not name.startswith('_')))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["rungmaster"]
