"""Session bundles survive the way through protobuf, and what cannot be understood is refused."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.proto.v1 import worker_pb2 as pb
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire import session
from rungmaster.shared.wire.convert_session import (
    session_request_from_proto,
    session_request_to_proto,
    session_response_from_proto,
    session_response_to_proto,
)
from rungmaster.shared.wire.model import Gpu, LeaseRef

int32 = st.integers(0, 2**31 - 1)
int64 = st.integers(0, 2**63 - 1)
text = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.floats(allow_nan=False)
seconds = st.integers(0, 10**12).map(lambda milliseconds: milliseconds / 1000)
hparams = st.dictionaries(text, st.integers() | numbers.filter(math.isfinite) | text | st.booleans(), max_size=3)
leases = st.builds(LeaseRef, int32, int32, int32)


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=3).map(tuple)


hellos = st.builds(
    session.Hello,
    text,
    text,
    int32,
    several(st.builds(Gpu, text, text, int64)),
    st.dictionaries(text, text, max_size=2),
    text,
    text,
    int32,
    several(leases),
    st.frozensets(int32, max_size=3),
)
events = st.builds(
    session.LeaseEvent,
    leases,
    int64,
    st.builds(session.Measurement, int64, st.dictionaries(text, numbers, max_size=3))
    | st.builds(session.CheckpointSaved, text, int64, int64, text)
    | st.builds(session.Exit, st.sampled_from(session.ExitOutcome), text),
    text,
)
sweeps = st.builds(session.Sweep, text, text, text, st.tuples(int32, int32), seconds, several(int32))
answers = st.builds(
    session.Swept,
    text,
    several(st.builds(session.Found, text, seconds)),
    st.none() | st.tuples(int32, int32),
    several(int32),
    text,
)
requests = st.builds(
    session.SessionRequest,
    st.none() | hellos,
    st.none() | st.builds(session.WorkRequest, text, int32),
    several(events),
    st.booleans(),
    several(text),
    failed_deletions=several(st.builds(session.FailedDeletion, text, text)),
    swept=st.none() | answers,
)
assignments = st.builds(
    session.Assignment,
    request_id=text,
    lease=leases,
    experiment_name=text,
    entrypoint=text,
    command=several(text),
    hparams=hparams,
    checkpoints=several(st.builds(session.CheckpointRef, text, int64, text)),
    target=int64,
    slots=int32,
    metric=text,
    checkpoint_storage=text,
    checkpoint_interval=st.none() | seconds,
    seed=st.integers(-(2**63), 2**63 - 1),
    progress_timeout=st.none() | seconds,
    preload=st.none() | several(text),
)
responses = st.builds(
    session.SessionResponse,
    st.none() | st.builds(session.Welcome, int64, seconds, seconds, text),
    several(assignments),
    several(st.builds(session.Acknowledgement, leases, int64)),
    several(
        st.builds(session.Decision, leases, int64, st.sampled_from(session.DecisionKind), int64, st.booleans(), text)
    ),
    several(st.builds(session.LeaseLost, leases, text)),
    several(text),
    sweep=st.none() | sweeps,
)


@given(requests)
def test_what_a_worker_sends_arrives_unchanged(request: session.SessionRequest) -> None:
    wire = session_request_to_proto(request).SerializeToString()
    assert session_request_from_proto(pb.SessionRequest.FromString(wire)) == request


@given(responses)
def test_what_a_master_sends_arrives_unchanged(response: session.SessionResponse) -> None:
    wire = session_response_to_proto(response).SerializeToString()
    assert session_response_from_proto(pb.SessionResponse.FromString(wire)) == response


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
