"""Submitters, at a real master with TLS and tokens: what they submitted is theirs to steer, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.cluster import Process, toy_spec, wait_for
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.master.services.security.roles import EXPERIMENTS, RULES, STEER
from rungmaster.proto.v1 import experiment_pb2
from rungmaster.shared.errors import FailedPrecondition, PermissionDenied, Unauthenticated
from rungmaster.shared.net.channel import open_channel
from rungmaster.shared.wire.model import Experiment, ExperimentState

from .secure_cluster import ADMIN, ALL, OTHER_SUBMITTER, SUBMITTER, VIEWER, SecureCluster

Caller = tuple[str, str, str]
STEERING = sorted(path.rpartition("/")[2] for path, rule in RULES.items() if rule == STEER)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SecureCluster, Process]]:
    cluster = SecureCluster(tmp_path_factory.mktemp("submitters"), lease_ttl_s=60.0)
    yield cluster, cluster.secure_master()
    cluster.close()


@pytest.fixture
def cluster(running: tuple[SecureCluster, Process]) -> SecureCluster:
    return running[0]


def client(cluster: SecureCluster, caller: Caller) -> Client:
    return Client(cluster.address, credentials=cluster.credentials(caller))


@pytest.fixture
def carols(cluster: SecureCluster) -> Experiment:
    """An experiment that carol has submitted."""
    with client(cluster, SUBMITTER) as carol:
        return carol.submit(toy_spec(cluster.folder))


def called(cluster: SecureCluster, caller: Caller, name: str, experiment_id: int) -> tuple[grpc.StatusCode, str]:
    """What a method of the ExperimentService answers that steers this experiment."""
    service = experiment_pb2.DESCRIPTOR.services_by_name["ExperimentService"]
    method: MethodDescriptor = service.methods_by_name[name]
    request = GetMessageClass(method.input_type)(experiment_id=experiment_id)
    with open_channel(cluster.address, cluster.credentials(caller)) as channel:
        call: Any = channel.unary_unary(f"/{EXPERIMENTS}/{name}", type(request).SerializeToString)
        try:
            call(request, timeout=60)
        except grpc.RpcError as error:
            ended: Any = error
            return ended.code(), ended.details()
        return grpc.StatusCode.OK, ""


@pytest.mark.parametrize("name", STEERING)
def test_anothers_experiment_is_refused_by_every_method_that_steers(
    cluster: SecureCluster, carols: Experiment, name: str
) -> None:
    code, details = called(cluster, OTHER_SUBMITTER, name, carols.experiment_id)
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert details.startswith(f"experiment {carols.experiment_id} is carol's: ask carol, or an admin.")
    with client(cluster, VIEWER) as viewer:
        assert viewer.get(carols.experiment_id).state is ExperimentState.ACTIVE


def test_what_they_submitted_they_steer_to_its_end_and_delete(cluster: SecureCluster, carols: Experiment) -> None:
    number = carols.experiment_id
    assert (carols.owner, carols.owner_known_by) == ("carol", "token")
    with client(cluster, SUBMITTER) as carol:
        assert carol.pause(number).state is ExperimentState.PAUSED
        assert carol.resume(number).state is ExperimentState.ACTIVE
        assert carol.set(number, priority=3).priority == 3
        assert carol.extend(number, 20).planned_trials == 20
        assert carol.cancel(number).state is ExperimentState.CANCELLED
        wait_for("its end", lambda: carol.get(number).over)
        assert carol.thin(number).thinning is not None
        carol.delete(number)


def test_nothing_of_anothers_is_changed_however_it_is_asked_for(cluster: SecureCluster, carols: Experiment) -> None:
    number = carols.experiment_id
    with client(cluster, OTHER_SUBMITTER) as dave:
        for change in (
            lambda: dave.set(number, priority=9),
            lambda: dave.extend(number, 99),
            lambda: dave.cancel(number),
            lambda: dave.drain("gpu-7"),
        ):
            with pytest.raises(PermissionDenied):
                change()
        now = dave.get(number)
    assert (now.state, now.priority, now.planned_trials) == (carols.state, carols.priority, carols.planned_trials)


def test_they_see_what_everybody_does(cluster: SecureCluster, carols: Experiment) -> None:
    with client(cluster, OTHER_SUBMITTER) as dave:
        assert dave.get(carols.experiment_id).owner == "carol"
        assert carols.experiment_id in [each.experiment_id for each in dave.list()]
        assert dave.workers() == ()
        assert [act.who for act in dave.acts(carols.experiment_id)] == ["carol"]


def test_an_admin_steers_everybodys(cluster: SecureCluster, carols: Experiment) -> None:
    with client(cluster, ADMIN) as admin:
        assert admin.cancel(carols.experiment_id).state is ExperimentState.CANCELLED


def test_what_a_submitter_says_of_itself_counts_for_nothing(cluster: SecureCluster) -> None:
    request = experiment_pb2.CreateExperimentRequest(spec=toy_spec(cluster.folder), owner="carol")
    with client(cluster, OTHER_SUBMITTER) as dave:
        assert dave.connection.call(request).experiment.owner == "dave"


def test_a_name_is_the_owner_whatever_token_shows_it(cluster: SecureCluster, carols: Experiment) -> None:
    """A token is changed without a gap; one that was revoked shows nothing; an admin who becomes a submitter keeps what
    was submitted before."""
    number = carols.experiment_id
    renewed = ("carol", "submitter", "n" * 32)
    with client(cluster, ADMIN) as admin:
        alices = admin.submit(toy_spec(cluster.folder)).experiment_id
    demoted = ("alice", "submitter", "l" * 32)
    cluster.allow(renewed, demoted)
    try:
        with client(cluster, renewed) as carol:
            wait_for("the token", lambda: _let_in(carol))
            assert carol.pause(number).state is ExperimentState.PAUSED
        with client(cluster, SUBMITTER) as before, pytest.raises(Unauthenticated):
            before.resume(number)
        with client(cluster, demoted) as alice:
            assert alice.cancel(alices).state is ExperimentState.CANCELLED
            with pytest.raises(PermissionDenied, match=r"is carol's"):
                alice.cancel(number)
    finally:
        cluster.allow(*ALL)
        with client(cluster, ADMIN) as admin:
            wait_for("the tokens of before", lambda: _let_in(admin))


def _let_in(caller: Client) -> bool:
    try:
        return caller.master_info().term > 0
    except Unauthenticated:
        return False


def test_what_was_submitted_without_a_token_is_an_admins(tmp_path: Path) -> None:
    """A client may have said any name then; it does not own what has that name once there are tokens."""
    cluster = SecureCluster(tmp_path)
    plain = cluster.master()
    request = experiment_pb2.CreateExperimentRequest(spec=toy_spec(tmp_path), owner="carol")
    with Client(cluster.address) as anybody:
        found = anybody.connection.call(request).experiment
        assert (found.owner, found.owner_known_by) == ("carol", "")
    plain.terminate()
    cluster.secure_master()
    try:
        with client(cluster, SUBMITTER) as carol, pytest.raises(PermissionDenied, match="nobody's"):
            carol.cancel(1)
        with client(cluster, ADMIN) as admin:
            admin.cancel(1)
            with pytest.raises(FailedPrecondition):
                admin.resume(1)
    finally:
        cluster.close()


def test_the_command_says_it_in_a_line(
    cluster: SecureCluster, carols: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    (cluster.folder / "dave.token").write_text(OTHER_SUBMITTER[2])
    assert execute(["cancel", str(carols.experiment_id), *cluster.options(OTHER_SUBMITTER)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: experiment {carols.experiment_id} is carol's: ask carol, or an admin. dave is a ")
