"""What goes into a message comes out of it, for every class of values in shared/wire, over its bytes on the wire."""

from __future__ import annotations

import inspect
import math
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, get_type_hints

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.proto.v1 import experiment_pb2, worker_pb2
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire import model, session
from rungmaster.shared.wire.convert import (
    document_from_json,
    document_to_json,
    from_message,
    from_messages,
    from_number,
    to_message,
    to_number,
)
from rungmaster.shared.wire.convert_reports import report_to_message

from .wire_values import DOCUMENTS, MESSAGES, values_of

#: Bundles and the events in them have a conversion of their own: test_convert_session.py.
BY_HAND = (session.SessionRequest, session.SessionResponse, session.LeaseEvent)
BY_NAMES = [cls for cls in MESSAGES if cls not in BY_HAND]
ENUMS = [model.ExperimentState, model.TrialState, model.TrialOrder, model.WorkerState]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TRIAL = model.TrialInfo(1, 0, model.TrialState.PAUSED, {"lr": 1.0}, 0, 0, 1, 1, None, 0, 0, 0, "", NOW, None, "")
BARE = model.Experiment(1, "n", model.ExperimentState.ACTIVE, "", "m", "minimize", "u", NOW, None, {}, 5, 0, 10)


def over_the_wire(value: Any) -> Any:
    message = to_message(value)
    return from_message(type(message).FromString(message.SerializeToString()), type(value))


@pytest.mark.parametrize("cls", BY_NAMES)
@settings(max_examples=40)
@given(data=st.data())
def test_every_value_survives_the_wire(cls: Any, data: st.DataObject) -> None:
    value = data.draw(values_of(cls))
    assert type(to_message(value)) is MESSAGES[cls]
    assert over_the_wire(value) == value


def test_every_class_of_values_is_tried() -> None:
    classes = [*vars(model).items(), *vars(session).items()]
    ours = {one for _, one in classes if inspect.isclass(one) and one.__module__ in (model.__name__, session.__name__)}
    assert {cls for cls in ours if not issubclass(cls, StrEnum)} == set(MESSAGES)


@pytest.mark.parametrize("cls", MESSAGES)
def test_a_value_has_every_field_of_its_message(cls: Any) -> None:
    """A field that was added to a message alone would be lost without a word."""
    oneofs = {field.name: oneof.name for oneof in MESSAGES[cls].DESCRIPTOR.oneofs for field in oneof.fields}
    told = [oneofs.get(name, name) for name in MESSAGES[cls].DESCRIPTOR.fields_by_name]
    named = {name if name.startswith("_") else name.removesuffix("_json") for name in told}
    optional = {name.removeprefix("_") for name in named}
    durations = {
        name
        for name, field in MESSAGES[cls].DESCRIPTOR.fields_by_name.items()
        if field.message_type is not None and field.message_type.full_name == "google.protobuf.Duration"
    }
    assert set(get_type_hints(cls)) - {"planned_trials"} == optional - durations | {f"{name}_s" for name in durations}


@pytest.mark.parametrize("enum", [*ENUMS, session.ExitOutcome, session.DecisionKind])
def test_every_member_of_an_enum_survives_the_wire(enum: type[StrEnum]) -> None:
    assert [from_number(to_number(member), enum) for member in enum] == list(enum)


@pytest.mark.parametrize("enum", ENUMS)
@pytest.mark.parametrize("number", [0, 99])
def test_an_unknown_enum_value_is_refused(enum: type[StrEnum], number: int) -> None:
    with pytest.raises(InvalidInput, match=f"{number} is not an? (state|order) of .* that this version of rungmaster"):
        from_number(number, enum)


@pytest.mark.parametrize("number", [0, 99])
def test_a_message_with_an_unset_or_unknown_state_or_goal_is_refused(number: int) -> None:
    message = to_message(BARE)
    message.goal = number
    with pytest.raises(InvalidInput, match=f"{number} is not a goal"):
        from_message(message, model.Experiment)
    message = to_message(TRIAL)
    message.state = number
    with pytest.raises(InvalidInput, match=f"{number} is not a state of a trial"):
        from_message(message, model.TrialInfo)


def test_a_goal_is_minimize_or_maximize() -> None:
    with pytest.raises(InvalidInput, match="a goal is minimize or maximize, got 'lower'"):
        to_message(
            model.Experiment(1, "n", model.ExperimentState.ACTIVE, "", "m", "lower", "u", NOW, None, {}, 5, 0, 1)
        )


def test_what_a_message_leaves_out_is_none_or_the_zero_of_its_type() -> None:
    (rung,) = from_messages([experiment_pb2.Rung()], model.Rung)
    assert rung == model.Rung(0, 0, 0, 0, 0, None)
    assignment = from_message(worker_pb2.Assignment(), session.Assignment)
    assert (assignment.lease, assignment.hparams, assignment.save_best) == (model.LeaseRef(0, 0, 0), {}, "")
    assert (assignment.checkpoint_interval_s, assignment.best_metric) == (None, None)


@given(value=values_of(model.TrialInfo))
@settings(max_examples=20)
def test_every_message_has_a_json_form(value: model.TrialInfo) -> None:
    assert json_format.MessageToJson(to_message(value))


@given(document=DOCUMENTS)
def test_a_document_keeps_its_types_and_the_order_of_its_keys(document: dict[str, Any]) -> None:
    back = document_from_json(document_to_json(document), "spec_json")
    assert repr(back) == repr(document)


@pytest.mark.parametrize("value", [1, 1.0, True, "1", 2**60, 0.1 + 0.2, [1.0, 1, None], {"lr": 1.0, "a": {"n": 1}}])
def test_hyperparameters_keep_their_types_on_the_wire(value: Any) -> None:
    hparams = {"z": value, "a": 1}
    trial = model.TrialInfo(1, 0, model.TrialState.PAUSED, hparams, 0, 0, 1, 1, None, 0, 0, 0, "", NOW, None, "")
    assert repr(over_the_wire(trial).hparams) == repr(hparams)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_document_with_a_number_that_json_lacks_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        document_to_json({"metric": number})


@pytest.mark.parametrize(("text", "problem"), [("{", "data_json: not JSON"), ("[1]", "data_json: must be a JSON obj")])
def test_a_message_with_another_text_than_an_object_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        from_message(experiment_pb2.Event(data_json=text), model.Event)


def test_non_finite_metrics_survive_in_a_report() -> None:
    metrics = over_the_wire(model.Report(3, {"loss": math.nan, "score": -math.inf}, 1, 2, NOW, 7, 1 << 40)).metrics
    assert math.isnan(metrics["loss"])
    assert metrics["score"] == -math.inf


def test_times_of_other_zones_come_back_in_utc() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    back = over_the_wire(model.Report(3, {}, 1, 2, noon, 7, 1)).receive_time
    assert back == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert back.tzinfo is UTC


def test_an_experiment_in_a_list_has_neither_spec_nor_best_trial() -> None:
    message = to_message(BARE)
    assert message.spec_json == ""
    assert not message.HasField("best_trial")
    assert sum(from_message(message, model.Experiment).trial_counts.values()) == 0


def test_a_document_that_is_empty_is_told_where_it_belongs_to_every_value() -> None:
    event = model.Event(1, 1, None, NOW, "restored", {})
    assert to_message(event).data_json == "{}"


def test_a_duration_is_a_number_of_seconds_whose_name_says_so() -> None:
    found = session.Found("1/0/1-3-abcd", 1.5)
    assert to_message(found).age.ToMilliseconds() == 1500
    assert over_the_wire(found).age_s == 1.5


@given(values_of(model.Report))
def test_a_report_is_made_by_hand_as_it_would_be_by_names(report: model.Report) -> None:
    assert report_to_message(report).SerializeToString(deterministic=True) == to_message(report).SerializeToString(
        deterministic=True
    )
