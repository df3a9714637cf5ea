"""The Python client against a real gRPC server: values, paging, errors, retries and watching."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from rungmaster import Client
from rungmaster.client import connection as connection_module
from rungmaster.client.follow import follow
from rungmaster.client.requests import list_trials
from rungmaster.proto.v1 import experiment_pb2
from rungmaster.shared.errors import (
    FailedPrecondition,
    InvalidInput,
    InvalidSpec,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    RungmasterError,
    Unauthenticated,
    Unavailable,
)
from rungmaster.shared.net.announcement import announce
from rungmaster.shared.wire.model import ExperimentState, TrialOrder

from .small_master import SmallMaster, event, experiment, in_background, overloaded, report, wrong_spec


@pytest.fixture
def master() -> Iterator[SmallMaster]:
    master = SmallMaster().start()
    master.experiments = {1: experiment(1)}
    yield master
    master.stop()


@pytest.fixture
def client(master: SmallMaster) -> Iterator[Client]:
    with Client(master.address, timeout=10) as client:
        yield client


def unused_address() -> str:
    master = SmallMaster().start()
    master.stop()
    return master.address


def test_every_query_gives_the_masters_values(client: Client, master: SmallMaster) -> None:
    assert client.get(1) == replace(experiment(1), trial_counts=client.get(1).trial_counts)
    assert client.best(1) == experiment(1).best_trial
    details = client.trial(1, 2)
    assert (details.trial, details.leases[0].outcome, details.checkpoints[0].resource) == (
        master.trials[2],
        "failed",
        1,
    )
    assert client.workers()[0].labels == {"pool": "a"}
    assert client.master_info().term == 3


def test_long_lists_are_fetched_page_by_page(client: Client, master: SmallMaster) -> None:
    assert [trial.trial_id for trial in client.trials(1)] == [0, 1, 2, 3, 4]
    assert master.calls["trials"] == 2
    assert [report.resource for report in client.metrics(1, 0)] == [1, 2, 3]
    assert next(client.trials(1, order=TrialOrder.BEST)).trial_id == 4


def test_a_list_can_be_narrowed_to_states_and_names(client: Client, master: SmallMaster) -> None:
    master.experiments |= {2: experiment(2, ExperimentState.COMPLETED), 12: experiment(12)}
    assert [one.experiment_id for one in client.list()] == [12, 2, 1]
    assert [one.experiment_id for one in client.list(states=["active"])] == [12, 1]
    assert [one.experiment_id for one in client.list(name_contains="2")] == [12, 2]


def test_an_experiment_is_steered_by_its_number(client: Client, master: SmallMaster) -> None:
    assert client.pause(1).state is ExperimentState.PAUSED
    assert client.resume(1).state is ExperimentState.ACTIVE
    with pytest.raises(FailedPrecondition, match="cancel it first"):
        client.delete(1)
    assert client.cancel(1).state is ExperimentState.CANCELLED
    client.delete(1)
    with pytest.raises(NotFound, match="no experiment 1"):
        client.get(1)


def test_a_spec_is_given_as_text_file_dict_or_spec(client: Client, master: SmallMaster, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("name: x")
    for spec in ("name: x", file, {"name": "x", "entrypoint": unused_address}):
        client.submit(spec)
    assert len(master.experiments) == 4


def test_a_dict_without_a_json_form_is_refused_before_it_is_sent(client: Client, master: SmallMaster) -> None:
    for spec in ({"name": object()}, {"seed": float("nan")}, {"entrypoint": lambda trial: None}):
        with pytest.raises(InvalidSpec):
            client.submit(spec)
    assert not master.calls["create"]


def test_a_wrong_spec_comes_back_with_every_problem(client: Client, master: SmallMaster) -> None:
    problems = [(f"hyperparameters.parameter_{number}.low", "must be below high " * 5) for number in range(200)]
    master.faults = [wrong_spec(problems)]
    with pytest.raises(InvalidSpec) as caught:
        client.submit("name: x")
    assert [(problem.path, problem.message) for problem in caught.value.problems] == problems
    assert master.calls["create"] == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidInput),
        (grpc.StatusCode.NOT_FOUND, NotFound),
        (grpc.StatusCode.FAILED_PRECONDITION, FailedPrecondition),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, LimitExceeded),
        (grpc.StatusCode.INTERNAL, RungmasterError),
        (grpc.StatusCode.UNKNOWN, RungmasterError),
        (grpc.StatusCode.UNAUTHENTICATED, Unauthenticated),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
    ],
)
def test_what_cannot_be_cured_by_trying_again_is_told_at_once(
    client: Client, master: SmallMaster, code: grpc.StatusCode, kind: type[RungmasterError]
) -> None:
    master.faults = [code]
    with pytest.raises(kind, match="as told") as caught:
        client.get(1)
    assert type(caught.value) is kind
    assert master.calls["get"] == 1


def test_another_service_at_the_address_is_told_so(client: Client, master: SmallMaster) -> None:
    master.faults = [grpc.StatusCode.UNIMPLEMENTED]
    with pytest.raises(RungmasterError, match="is no rungmaster master"):
        client.get(1)


def test_a_master_that_is_out_of_reach_for_a_moment_is_asked_again(client: Client, master: SmallMaster) -> None:
    master.faults = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, overloaded()]
    assert client.get(1).experiment_id == 1
    assert master.calls["get"] == 4


def test_a_submission_whose_answer_was_lost_creates_no_second_experiment(client: Client, master: SmallMaster) -> None:
    master.lost_answers = 1
    assert client.submit("name: x").experiment_id == 2
    assert master.calls["create"] == 2
    assert len(master.experiments) == 2


def test_the_same_request_id_gives_the_same_experiment(client: Client) -> None:
    first, second = (client.submit("name: x", request_id="nightly-7") for _ in range(2))
    assert first.experiment_id == second.experiment_id


def test_the_other_address_is_tried_when_one_is_dead(master: SmallMaster) -> None:
    with Client([unused_address(), master.address], timeout=10) as client:
        assert client.get(1).experiment_id == 1


def test_an_address_that_never_answers_takes_only_its_share_of_the_time(master: SmallMaster) -> None:
    silent = SmallMaster().start()
    silent.experiments, silent.delay = {1: experiment(1)}, 2.0
    try:
        with Client([silent.address, master.address], timeout=2) as client:
            assert client.get(1).experiment_id == 1
    finally:
        silent.stop()


def test_after_its_time_a_call_fails_and_says_what_to_look_at(master: SmallMaster) -> None:
    with Client(unused_address(), timeout=0.5) as client, pytest.raises(Unavailable, match="is it running"):
        client.get(1)
    master.delay = 1.0
    with Client(master.address, timeout=0.3) as client, pytest.raises(Unavailable, match="did not answer within"):
        client.get(1)


def test_one_that_does_not_answer_is_told_of_and_not_that_nobody_listens_at_the_next_address(
    master: SmallMaster,
) -> None:
    master.delay = 2.0
    addresses = [master.address, unused_address()]
    with (
        Client(addresses, timeout=0.6) as client,
        pytest.raises(Unavailable, match=r"did not answer within 0\.\d+ s; is it"),
    ):
        client.get(1)


def test_a_master_that_has_not_told_its_address_yet_is_waited_for_as_one_that_does_not_listen_yet(
    master: SmallMaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "master.address"
    with Client(f"file:{file}", timeout=0.5) as client:
        with pytest.raises(Unavailable, match=r"no master has told its address in .* \(waited for [01] s\)"):
            client.get(1)
        with pytest.raises(Unavailable, match="no master has told its address"):
            next(client.watch(1))
    with Client(f"file:{file}", timeout=20) as client:
        # It tells it while the client waits for its next attempt.
        monkeypatch.setattr(connection_module.time, "sleep", lambda _: announce(file, master.address))
        assert client.get(1).experiment_id == 1


def test_a_master_that_comes_back_is_found_again(master: SmallMaster) -> None:
    master.stop()
    with Client(master.address, timeout=20) as client:
        back = in_background(lambda: master.start(master.port))
        assert client.get(1).experiment_id == 1
        back.join()


def test_a_closed_client_says_so(master: SmallMaster) -> None:
    client = Client(master.address)
    client.get(1)
    client.close()
    with pytest.raises(Unavailable, match="was closed"):
        client.get(1)


def test_a_client_needs_an_address_and_a_timeout() -> None:
    with pytest.raises(InvalidInput):
        Client("not an address")
    with pytest.raises(ValueError, match="timeout"):
        Client(timeout=0)


def test_watching_gives_every_event_once_and_ends_with_the_experiment(client: Client, master: SmallMaster) -> None:
    master.experiments[1] = experiment(1, ExperimentState.COMPLETED)
    master.events = [event(number) for number in range(1, 8)]
    assert [one.event_id for one in client.watch(1)] == [1, 2, 3, 4, 5, 6, 7]
    assert [one.event_id for one in client.watch(1, after=5)] == [6, 7]


def test_a_broken_watch_goes_on_after_the_last_event(client: Client, master: SmallMaster) -> None:
    master.experiments[1] = experiment(1, ExperimentState.COMPLETED)
    master.events = [event(number) for number in range(1, 8)]
    master.events_per_stream = 3
    assert [one.event_id for one in client.watch(1)] == [1, 2, 3, 4, 5, 6, 7]
    assert master.watched_from == [0, 3, 6]


def test_a_watch_survives_a_restart_of_the_master(client: Client, master: SmallMaster) -> None:
    master.events = [event(1)]
    events = client.watch(1)
    assert next(events).event_id == 1
    master.stop()
    master.events.append(event(2))
    master.experiments[1] = experiment(1, ExperimentState.COMPLETED)
    master.start(master.port)
    assert [one.event_id for one in events] == [2]


def test_watched_reports_come_once_each_and_in_their_order_though_the_stream_breaks(
    client: Client, master: SmallMaster
) -> None:
    master.experiments[1] = experiment(1, ExperimentState.COMPLETED)
    master.reports = sorted(map(report, range(1, 10)), key=lambda one: one.position)
    master.events_per_stream = 2
    assert list(client.watch_reports(1)) == master.reports
    assert master.reports_watched_from == ["", *(str(master.reports[n].position) for n in (3, 7))]


def test_reports_are_watched_from_any_of_them_on(client: Client, master: SmallMaster) -> None:
    master.experiments[1] = experiment(1, ExperimentState.COMPLETED)
    master.reports = sorted(map(report, range(1, 10)), key=lambda one: one.position)
    for number, one in enumerate(master.reports, 1):
        assert list(client.watch_reports(1, after=one.position)) == master.reports[number:]
        assert list(client.watch_reports(1, after=str(one.position))) == master.reports[number:]


def test_curves_whose_stream_breaks_are_read_anew_and_none_of_them_counts_twice(
    client: Client, master: SmallMaster
) -> None:
    master.curve_faults = [grpc.StatusCode.UNAVAILABLE, None, grpc.StatusCode.RESOURCE_EXHAUSTED]
    request = experiment_pb2.ReadCurvesRequest(experiment_id=1)
    with pytest.raises(RungmasterError, match="RESOURCE_EXHAUSTED"):
        client.connection.curves(request)
    assert master.calls["curves"] == 3, "one broke, one ended before its end, and one was refused"
    first, last = client.connection.curves(request)
    assert [curve.trial_id for curve in first.curves] == [1]
    assert last.end.position == "1.2.3.4"


def test_a_request_is_as_it_was_after_its_pages_or_its_stream_were_read(client: Client, master: SmallMaster) -> None:
    master.experiments[1] = experiment(1, ExperimentState.COMPLETED)
    master.events = [event(1), event(2)]
    master.reports = sorted(map(report, range(1, 4)), key=lambda one: one.position)
    listing = list_trials(1)
    journal = experiment_pb2.WatchExperimentRequest(experiment_id=1, after_event_id=1)
    reports = experiment_pb2.WatchReportsRequest(experiment_id=1)
    for _ in range(2):
        assert [one.trial_id for one in client.connection.pages(listing)] == [0, 1, 2, 3, 4]
        assert [one.event_id for answer in client.connection.watch(journal) for one in answer.events] == [2]
        assert sum(len(answer.reports) for answer in client.connection.watch(reports)) == 3


def test_following_an_experiment_tells_what_happens_from_now_on(client: Client, master: SmallMaster) -> None:
    master.events = [event(number) for number in range(1, 8)]
    master.experiments[1] = replace(experiment(1), last_event_id=5)
    snapshots = follow(client, 1)
    assert not next(snapshots).events
    seen: list[int] = []
    while not seen:
        seen += [one.event_id for one in next(snapshots).events]
    assert seen == [6, 7]
    assert master.watched_from == [5]


def test_a_watch_of_nothing_is_refused(client: Client) -> None:
    with pytest.raises(NotFound):
        next(client.watch(99))


def test_a_client_with_another_timeout_tries_as_long_as_that_and_is_closed_apart(
    client: Client, master: SmallMaster
) -> None:
    with client.with_timeout(0.3) as hasty:
        assert hasty.get(1) == client.get(1)
        master.faults = [grpc.StatusCode.UNAVAILABLE] * 10_000
        with pytest.raises(Unavailable):
            hasty.get(1)
    master.faults.clear()
    assert client.get(1).experiment_id == 1


def test_a_watch_without_a_master_ends_after_its_time() -> None:
    with Client(unused_address(), timeout=0.5) as client, pytest.raises(Unavailable):
        next(client.watch(1))


def test_a_watch_that_is_dropped_leaves_no_stream_behind(client: Client, master: SmallMaster) -> None:
    master.events = [event(1)]
    events = client.watch(1)
    next(events)
    assert master.streams == 1
    del events
    until(lambda: master.streams == 0)


def test_waiting_returns_the_experiment_that_has_ended(client: Client, master: SmallMaster) -> None:
    master.events = [event(1)]
    until_watched = in_background(lambda: (until(lambda: bool(master.watched_from)), end(master)))
    assert client.wait(1).state is ExperimentState.COMPLETED
    until_watched.join()


def end(master: SmallMaster) -> None:
    master.experiments[1] = experiment(1, ExperimentState.COMPLETED)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this should have come true by now"
        time.sleep(0.01)
