"""The rule of who may do what: a pure function of role, method and whose experiment it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from rungmaster.client import Client
from rungmaster.dashboard.security.sessions import SignIn
from rungmaster.master.services.security.roles import EXPERIMENTS, Role, may
from rungmaster.master.services.security.steering import check_steering, owns
from rungmaster.proto.v1 import cluster_pb2, experiment_pb2, worker_pb2
from rungmaster.shared.errors import PermissionDenied
from rungmaster.shared.wire.model import Experiment, ExperimentState

METHODS: list[MethodDescriptor] = [
    method
    for file in (experiment_pb2, worker_pb2, cluster_pb2, health_pb2, reflection_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
#: Everything that a client can ask for, told here once more. A method that is new is to be put here, too.
LOOK = [
    "GetExperiment",
    "ListExperiments",
    "ListTrials",
    "GetTrial",
    "ListMetrics",
    "ReadTrialLog",
    "WatchExperiment",
    "WatchReports",
    "ReadCurves",
    "ListActs",
    "ListWorkers",
    "GetMasterInfo",
    "ServerReflectionInfo",
]
STEER = [
    "PauseExperiment",
    "ResumeExperiment",
    "CancelExperiment",
    "SetExperiment",
    "ExtendExperiment",
    "DeleteExperiment",
    "ThinExperiment",
]
#: Roles that may whatever it is about, and roles that may about what they submitted.
WANTED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(LOOK, ("viewer submitter admin", "")),
    **dict.fromkeys(STEER, ("admin", "submitter")),
    **dict.fromkeys(("Check", "List", "Watch"), ("viewer submitter worker admin", "")),
    "CreateExperiment": ("submitter admin", ""),
    "DrainWorker": ("admin", ""),
    "Session": ("worker admin", ""),
}


def path_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def test_every_method_has_its_line_here() -> None:
    assert {method.name for method in METHODS} == set(WANTED)
    assert len({method.name for method in METHODS}) == len(METHODS)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_role_may_call_what_it_is_for(role: Role, method: MethodDescriptor) -> None:
    always, own = (text.split() for text in WANTED[method.name])
    assert may(role, path_of(method), owns=False) == (role in always)
    assert may(role, path_of(method), owns=True) == (role in always or role in own)


@pytest.mark.parametrize("role", list(Role))
def test_a_method_without_a_rule_is_nobodys(role: Role) -> None:
    assert not may(role, f"/{EXPERIMENTS}/BrandNew", owns=True)


def experiment(owner: str, known_by: str) -> Experiment:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    values = (7, "toy", ExperimentState.ACTIVE, "", "error", "minimize", "epochs", now, None, {}, 8, 0, 24)
    return Experiment(*values, owner=owner, owner_known_by=known_by)


@pytest.mark.parametrize(
    ("owner", "known_by", "hers"),
    [
        ("alice", "token", True),
        ("bob", "token", False),
        ("Alice", "token", False),
        # Whoever makes certificates may be another than whoever gives tokens.
        ("alice", "certificate", False),
        # A client may have said any name where no token was asked for.
        ("alice", "", False),
        ("", "", False),
    ],
)
def test_whose_an_experiment_is(owner: str, known_by: str, hers: bool) -> None:
    assert owns("alice", experiment(owner, known_by)) == hers
    with Client("127.0.0.1:1") as client:
        seen = SignIn(client, name="alice", role="submitter")
        assert seen.may_steer(experiment(owner, known_by)) == hers, "the page shows the buttons that work"


def test_what_has_no_owner_is_not_owned_by_who_has_no_name() -> None:
    assert not owns("", experiment("", "token"))


@pytest.mark.parametrize(
    ("owner", "known_by", "words"),
    [
        ("bob", "token", "experiment 7 is bob's: ask bob, or an admin"),
        ("bob", "certificate", "experiment 7 is bob's: ask bob, or an admin"),
        ("bob", "", "experiment 7 is nobody's, since .* without a token or to an older version: ask an admin"),
    ],
)
def test_whoever_is_refused_is_told_whose_it_is_and_what_to_do(owner: str, known_by: str, words: str) -> None:
    with pytest.raises(PermissionDenied, match=words) as refused:
        check_steering("alice", Role.SUBMITTER, experiment(owner, known_by), "CancelExperiment")
    assert refused.value.experiment_id == 7
    assert "alice is a submitter" in str(refused.value)


def test_an_admin_and_whoever_is_not_asked_may_steer_everything() -> None:
    for role in (Role.ADMIN, None):
        check_steering("alice", role, experiment("bob", "token"), "CancelExperiment")
    check_steering("bob", Role.SUBMITTER, experiment("bob", "token"), "CancelExperiment")
