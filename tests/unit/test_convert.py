"""What goes into a message comes out of it, for every value of shared/model.py, over its bytes on the wire."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.shared import convert, convert_basics, model
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.structs import struct_from_proto, struct_to_proto

INT32 = st.integers(0, 2**31 - 1)
INT64 = st.integers(0, 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
FLOATS = st.floats(allow_nan=False)
TIMES = st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC))
MAYBE_TIMES = st.none() | TIMES
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(TEXT, JSON, max_size=4)
LEASE_REFS = st.builds(model.LeaseRef, INT32, INT32, INT32)
GPUS = st.builds(model.Gpu, TEXT, TEXT, INT64)
RUNGS = st.builds(model.Rung, INT32, INT64, INT32, INT32, INT32, st.none() | FLOATS)
BRACKETS = st.builds(model.Bracket, INT32, INT32, st.none() | INT32, INT32, st.lists(RUNGS, max_size=3).map(tuple))
TRIALS = st.builds(
    model.Trial,
    experiment_id=INT32,
    trial_id=INT32,
    state=st.sampled_from(model.TrialState),
    hparams=DOCUMENTS,
    bracket_id=INT32,
    rung_id=INT32,
    resource=INT64,
    target=INT64,
    metric=st.none() | FLOATS,
    metric_resource=INT64,
    restarts=INT32,
    workers_lost=INT32,
    state_reason=TEXT,
    create_time=TIMES,
    end_time=MAYBE_TIMES,
    worker=TEXT,
)
THINNINGS = st.builds(model.Thinning, INT32, INT64, TIMES, MAYBE_TIMES)
EXPERIMENTS = st.builds(
    model.Experiment,
    experiment_id=INT32,
    name=TEXT,
    state=st.sampled_from(model.ExperimentState),
    state_reason=TEXT,
    metric=TEXT,
    goal=st.sampled_from(["minimize", "maximize"]),
    unit=TEXT,
    create_time=TIMES,
    end_time=MAYBE_TIMES,
    trial_counts=st.fixed_dictionaries(dict.fromkeys(model.TrialState, INT32)),
    planned_trials=INT32,
    resource_spent=INT64,
    resource_full=INT64,
    spec=DOCUMENTS,
    brackets=st.lists(BRACKETS, max_size=2).map(tuple),
    best_trial=st.none() | TRIALS,
    thinning=st.none() | THINNINGS,
    ending=st.booleans(),
)
WORKERS = st.builds(
    model.Worker,
    session_id=TEXT,
    worker=TEXT,
    host=TEXT,
    pid=INT32,
    version=TEXT,
    slots=INT32,
    slots_used=INT32,
    gpus=st.lists(GPUS, max_size=2).map(tuple),
    labels=st.dictionaries(TEXT, TEXT, max_size=3),
    state=st.sampled_from(model.WorkerState),
    last_seen_time=TIMES,
    leases=st.lists(LEASE_REFS, max_size=3).map(tuple),
    waiting_reason=TEXT,
)
CASES: dict[str, st.SearchStrategy[Any]] = {
    "lease_ref": LEASE_REFS,
    "gpu": GPUS,
    "rung": RUNGS,
    "bracket": BRACKETS,
    "trial": TRIALS,
    "thinning": THINNINGS,
    "experiment": EXPERIMENTS,
    "lease": st.builds(model.Lease, INT32, TEXT, INT64, INT64, TIMES, MAYBE_TIMES, TEXT, TEXT),
    "checkpoint": st.builds(model.Checkpoint, TEXT, INT64, INT64, TEXT, INT32, TIMES, MAYBE_TIMES),
    "report": st.builds(model.Report, INT64, st.dictionaries(TEXT, FLOATS, max_size=3), INT32, INT64, TIMES),
    "event": st.builds(model.Event, INT64, INT32, st.none() | INT32, TIMES, TEXT, DOCUMENTS),
    "worker": WORKERS,
    "master_info": st.builds(model.MasterInfo, TEXT, INT64, TIMES, TEXT, INT32, INT32, INT32, INT32),
    "experiment_state": st.sampled_from(model.ExperimentState),
    "trial_state": st.sampled_from(model.TrialState),
    "trial_order": st.sampled_from(model.TrialOrder),
    "worker_state": st.sampled_from(model.WorkerState),
    "goal": st.sampled_from(["minimize", "maximize"]),
    "time": TIMES,
    "struct": DOCUMENTS,
}


@pytest.mark.parametrize("kind", CASES)
@settings(max_examples=40)
@given(data=st.data())
def test_every_value_survives_the_wire(kind: str, data: st.DataObject) -> None:
    value = data.draw(CASES[kind])
    module = convert if hasattr(convert, f"{kind}_to_proto") else convert_basics
    encode: Callable[[Any], Any] = getattr(module, f"{kind}_to_proto")
    decode: Callable[[Any], Any] = getattr(module, f"{kind}_from_proto")
    message = encode(value)
    if isinstance(message, Message):
        message = type(message).FromString(message.SerializeToString())
    assert decode(message) == value


def test_every_kind_of_value_has_its_conversions_tested() -> None:
    named = {name.removesuffix("_to_proto") for name in convert.__all__ if name.endswith("_to_proto")}
    assert named - {"trial_counts"} == set(CASES)


@given(value=TRIALS)
@settings(max_examples=20)
def test_every_message_has_a_json_form(value: model.Trial) -> None:
    assert json_format.MessageToJson(convert.trial_to_proto(value))


@pytest.mark.parametrize("decode", ["experiment_state", "trial_state", "worker_state", "goal", "trial_order"])
def test_an_unknown_enum_value_is_refused(decode: str) -> None:
    with pytest.raises(InvalidInput, match="99 is not a"):
        getattr(convert, f"{decode}_from_proto")(99)


def test_an_unset_state_is_refused_but_an_unset_order_is_by_id() -> None:
    with pytest.raises(InvalidInput):
        convert.trial_state_from_proto(0)
    assert convert.trial_order_from_proto(0) is model.TrialOrder.ID


def test_a_goal_is_minimize_or_maximize() -> None:
    with pytest.raises(InvalidInput, match="'lower'"):
        convert.goal_to_proto("lower")


def test_whole_numbers_come_back_as_int_and_others_as_float() -> None:
    numbers = struct_from_proto(struct_to_proto({"width": 64, "rate": 0.5, "scale": 1.0, "huge": 1e300}))
    assert {name: type(number) for name, number in numbers.items()} == {
        "width": int,
        "rate": float,
        "scale": int,
        "huge": float,
    }


@given(document=DOCUMENTS)
@settings(max_examples=20)
def test_keys_come_in_alphabetical_order(document: dict[str, Any]) -> None:
    assert list(struct_from_proto(struct_to_proto(document))) == sorted(document)


@pytest.mark.parametrize(("number", "text"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_non_finite_numbers_become_text_in_a_document(number: float, text: str) -> None:
    struct = struct_to_proto({"metric": number})
    assert struct_from_proto(struct) == {"metric": text}
    assert json_format.MessageToDict(struct) == {"metric": text}


def test_a_value_without_a_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="is not null, a boolean"):
        struct_to_proto({"model": object()})


def test_non_finite_metrics_survive_in_a_report() -> None:
    report = model.Report(3, {"loss": math.nan, "score": -math.inf}, 1, 2, datetime(2026, 1, 1, tzinfo=UTC))
    metrics = convert.report_from_proto(convert.report_to_proto(report)).metrics
    assert math.isnan(metrics["loss"])
    assert metrics["score"] == -math.inf


def test_times_of_other_zones_come_back_in_utc() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    message = convert.time_to_proto(noon)
    assert message is not None
    assert convert.time_from_proto(message) == datetime(2026, 1, 1, 10, tzinfo=UTC)


def test_an_experiment_in_a_list_has_neither_spec_nor_best_trial() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    bare = model.Experiment(1, "n", model.ExperimentState.ACTIVE, "", "m", "minimize", "u", now, None, {}, 5, 0, 10)
    message = convert.experiment_to_proto(bare)
    assert not message.HasField("spec")
    assert not message.HasField("best_trial")
    assert sum(convert.experiment_from_proto(message).trial_counts.values()) == 0
