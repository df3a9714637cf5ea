"""Session bundles survive the way through protobuf, and what cannot be understood is refused."""

import math

import pytest
from hypothesis import given

from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire import session
from rungmaster.shared.wire.convert import to_message
from rungmaster.shared.wire.convert_session import (
    session_request_from_proto,
    session_request_to_proto,
    session_response_from_proto,
    session_response_to_proto,
)
from rungmaster.shared.wire.model import LeaseRef

from .wire_values import values_of

requests = values_of(session.SessionRequest)
#: 0 outcomes are those of a master that does not say it.
responses = values_of(session.SessionResponse).filter(lambda made: not made.welcome or made.welcome.exit_outcomes)


@given(requests)
def test_what_a_worker_sends_arrives_unchanged(request: session.SessionRequest) -> None:
    wire = session_request_to_proto(request).SerializeToString()
    assert session_request_from_proto(pb.SessionRequest.FromString(wire)) == request


@given(responses)
def test_what_a_master_sends_arrives_unchanged(response: session.SessionResponse) -> None:
    wire = session_response_to_proto(response).SerializeToString()
    assert session_response_from_proto(pb.SessionResponse.FromString(wire)) == response


@given(responses)
def test_what_is_converted_by_hand_is_as_it_would_be_by_names(response: session.SessionResponse) -> None:
    message = session_response_to_proto(response)
    assert list(message.decisions) == list(map(to_message, response.decisions))
    assert list(message.acknowledgements) == list(map(to_message, response.acknowledgements))


def test_whole_numbers_among_hyperparameters_stay_whole() -> None:
    message = pb.SessionResponse(assignments=[pb.Assignment(hparams_json='{"width": 64, "rate": 1.0}')])
    (assignment,) = session_response_from_proto(message).assignments
    assert type(assignment.hparams["width"]) is int
    assert type(assignment.hparams["rate"]) is float


def test_a_metric_that_is_not_a_number_arrives_as_such() -> None:
    measured = session.Measurement(1, {"loss": math.nan, "best": -math.inf})
    request = session.SessionRequest(events=(session.LeaseEvent(LeaseRef(1, 2, 3), 1, measured),))
    (event,) = session_request_from_proto(session_request_to_proto(request)).events
    assert isinstance(event.event, session.Measurement)
    assert math.isnan(event.event.metrics["loss"])
    assert event.event.metrics["best"] == -math.inf


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (pb.LeaseEvent(sequence=1), "this one is none"),
        (pb.LeaseEvent(sequence=1, exit=pb.Exit()), "events.exit.outcome: 0"),
    ],
)
def test_an_event_without_a_meaning_is_refused(message: pb.LeaseEvent, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        session_request_from_proto(pb.SessionRequest(events=[message]))


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (pb.SessionResponse(decisions=[pb.Decision()]), "decisions.kind: 0"),
        (pb.SessionResponse(assignments=[pb.Assignment(hparams_json="{")]), "hparams_json: not JSON"),
        (pb.SessionResponse(assignments=[pb.Assignment(hparams_json="[1]")]), "must be a JSON object"),
    ],
)
def test_an_answer_without_a_meaning_is_refused(message: pb.SessionResponse, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        session_response_from_proto(message)


OUTCOMES_AT_FIRST = 4


def test_the_outcomes_are_numbered_without_a_gap_so_that_their_count_tells_which_a_peer_knows() -> None:
    assert [v for v in pb.ExitOutcome.values() if v] == list(range(1, len(session.ExitOutcome) + 1))


@pytest.mark.parametrize("outcome", session.ExitOutcome)
def test_an_older_master_is_told_an_outcome_that_it_knows(outcome: session.ExitOutcome) -> None:
    end = session.LeaseEvent(LeaseRef(1, 2, 3), 1, session.Exit(outcome, "why"))
    message = session_request_to_proto(session.SessionRequest(events=(end,)), OUTCOMES_AT_FIRST)
    assert 1 <= message.events[0].exit.outcome <= OUTCOMES_AT_FIRST
    (told,) = session_request_from_proto(message).events
    assert isinstance(told.event, session.Exit)
    assert told.event.outcome is outcome or outcome in (
        session.ExitOutcome.GIVEN_BACK,
        session.ExitOutcome.CANNOT_START,
        session.ExitOutcome.ENVIRONMENT,
    )


def test_a_master_that_does_not_say_which_outcomes_it_knows_knows_the_first_ones() -> None:
    message = pb.SessionResponse(welcome=pb.Welcome(term=1, version="0.1.0"))
    welcome = session_response_from_proto(message).welcome
    assert welcome is not None
    assert welcome.exit_outcomes == OUTCOMES_AT_FIRST


@pytest.mark.parametrize("told", [None, "", "the store does not answer", "x" * 5_000, "/a/\udc80"])
def test_what_a_worker_waits_for_arrives_as_far_as_it_can_be_sent(told: str | None) -> None:
    arrived = session_request_from_proto(session_request_to_proto(session.SessionRequest(waiting=told))).waiting
    assert arrived == (told if told is None else told[:1_000].replace("\udc80", "?"))
