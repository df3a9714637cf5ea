"""Errors and gRPC statuses: the one table, both ways."""

from __future__ import annotations

from inspect import isclass

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from rungmaster.shared import errors
from rungmaster.shared.errors import InvalidSpec, LimitExceeded, NotFound, Problem, RungmasterError, Unavailable
from rungmaster.shared.net.status import RETRY_S, detail, error_of, kind_of, status_of

KINDS = [kind for kind in vars(errors).values() if isclass(kind) and issubclass(kind, RungmasterError)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not InvalidSpec])
def test_every_error_comes_back_as_what_it_was_with_its_text_and_ids(kind: type[RungmasterError]) -> None:
    back = error_of(status_of(kind("what is wrong", experiment_id=1, trial_id=0, worker="gpu-3")))
    assert type(back) is kind
    assert str(back) == "what is wrong"
    assert back.ids == {"experiment_id": 1, "trial_id": 0, "worker": "gpu-3"}
    assert error_of(status_of(kind("it speaks of nothing"))).ids == {}


def test_a_wrong_spec_comes_back_problem_by_problem() -> None:
    problems = (Problem("searcher.eta", "must be at least 2"), Problem("", "is empty"))
    back = error_of(status_of(InvalidSpec(problems)))
    assert isinstance(back, InvalidSpec)
    assert back.problems == problems


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_without_details_means_the_nearest_kind_that_its_code_knows(kind: type[RungmasterError]) -> None:
    raised = kind([Problem("a", "b")]) if kind is InvalidSpec else kind("x")
    status = status_of(raised)
    del status.details[:]
    assert isinstance(raised, type(error_of(status))) or status.code == code_pb2.INTERNAL


def test_an_error_that_is_derived_elsewhere_comes_back_as_the_kind_it_is_derived_from() -> None:
    class NoSuchThing(NotFound):
        pass

    assert type(error_of(status_of(NoSuchThing("gone")))) is NotFound


def test_what_only_grpc_says_has_a_meaning_too() -> None:
    assert kind_of(grpc.StatusCode.DEADLINE_EXCEEDED) is Unavailable
    assert kind_of(grpc.StatusCode.UNIMPLEMENTED) is RungmasterError
    assert type(error_of(status_pb2.Status(code=99, message="from the future"))) is RungmasterError


@pytest.mark.parametrize("kind", [LimitExceeded, Unavailable])
def test_who_may_come_again_is_told_when(kind: type[RungmasterError]) -> None:
    retry = detail(status_of(kind("busy")), error_details_pb2.RetryInfo)
    assert retry is not None
    assert retry.retry_delay.seconds == RETRY_S


def test_ids_that_a_stranger_sends_can_be_shown_and_are_numbers() -> None:
    info = error_details_pb2.ErrorInfo(domain="rungmaster", reason="NotFound")
    info.metadata.update({"experiment_id": "one", "trial_id": "7", "worker": "a\x1bb"})
    status = status_pb2.Status(code=code_pb2.NOT_FOUND, message="gone")
    status.details.add().Pack(info)
    assert error_of(status).ids == {"trial_id": 7, "worker": r"a\x1bb"}
