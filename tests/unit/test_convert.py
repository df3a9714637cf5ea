"""What goes into a message comes out of it, for every value of shared/wire/model.py, over its bytes on the wire."""

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

from rungmaster.proto.v1 import experiment_pb2
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire import convert, convert_basics, model
from rungmaster.shared.wire.convert_basics import document_from_json, document_to_json

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
    model.TrialInfo,
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
def test_every_message_has_a_json_form(value: model.TrialInfo) -> None:
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


@given(document=DOCUMENTS)
def test_a_document_keeps_its_types_and_the_order_of_its_keys(document: dict[str, Any]) -> None:
    back = document_from_json(document_to_json(document), "spec_json")
    assert repr(back) == repr(document)


@pytest.mark.parametrize("value", [1, 1.0, True, "1", 2**60, 0.1 + 0.2, [1.0, 1, None], {"lr": 1.0, "a": {"n": 1}}])
def test_hyperparameters_and_specs_keep_their_types_on_the_wire(value: Any) -> None:
    hparams = {"z": value, "a": 1}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    trial = model.TrialInfo(1, 0, model.TrialState.PAUSED, hparams, 0, 0, 1, 1, None, 0, 0, 0, "", now, None, "")
    back = convert.trial_from_proto(experiment_pb2.Trial.FromString(convert.trial_to_proto(trial).SerializeToString()))
    assert repr(back.hparams) == repr(hparams)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_document_with_a_number_that_json_lacks_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        document_to_json({"metric": number})


@pytest.mark.parametrize(("text", "problem"), [("{", "data_json: not JSON"), ("[1]", "data_json: must be a JSON obj")])
def test_a_message_with_another_text_than_an_object_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        document_from_json(text, "data_json")


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
    assert message.spec_json == ""
    assert not message.HasField("best_trial")
    assert sum(convert.experiment_from_proto(message).trial_counts.values()) == 0
