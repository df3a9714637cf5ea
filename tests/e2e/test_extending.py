"""A search is given more trials over real processes: while it runs, after its end, and after everything was killed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from e2e.cluster import Cluster, Process, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import FailedPrecondition, InvalidInput, NotFound
from rungmaster.shared.wire.model import Experiment, ExperimentState

SEARCHER = {"name": "asha", "max_trials": 9, "max_resource": 9, "divisor": 3}


def spec(cluster: Cluster, keep: str = "all", **changes: object) -> str:
    checkpoints = {"storage": str(cluster.folder / "checkpoints"), "interval": 0, "keep": keep}
    return toy_spec(cluster.folder / "checkpoints", **{"searcher": SEARCHER, "checkpoints": checkpoints} | changes)


def made(experiment: Experiment) -> int:
    return sum(experiment.trial_counts.values())


def said(cluster: Cluster, *arguments: str) -> tuple[int, list[str]]:
    """A command against the master: its exit code, and what it printed."""
    command: Process = cluster.start(arguments[0], *arguments, "--master", cluster.address)
    code = command.popen.wait(30)
    wait_for("its last line", lambda: not command._reader.is_alive())
    return code, command.lines


def test_a_search_that_ended_goes_on_after_everything_was_killed(
    make_cluster: Callable[..., Cluster], database_url: str
) -> None:
    cluster = make_cluster(database_url)
    master, worker = cluster.master(), cluster.worker("one", slots=2)
    with Client(cluster.address) as client:
        number = client.submit(spec(cluster)).experiment_id
        first = client.wait(number)
        assert (made(first), first.max_trials) == (9, None)
        stopped = {trial.trial_id for trial in client.trials(number, states=["stopped"])}
        last_event = first.last_event_id
        master.kill()
        worker.kill()
        cluster.master()
        assert said(cluster, "extend", str(number), "--max-trials", "27") == (
            0,
            [f"experiment {number} (toy) is active and makes 27 trials in all"],
        )
        cluster.worker("two", slots=2)
        told = [event.kind for event in client.watch(number, after=last_event)]
        assert told[:2] == ["experiment_extended", "experiment_active"]
        assert told[-1] == "experiment_completed"
        last = client.wait(number)
        assert (made(last), last.max_trials, last.state) == (27, 27, ExperimentState.COMPLETED)
        (bracket,) = last.brackets
        (before,) = first.brackets
        assert [rung.resource for rung in bracket.rungs] == [rung.resource for rung in before.rungs]
        assert bracket.rungs[0].promoted >= 9
        again = [client.trial(number, trial) for trial in stopped]
        climbed = [details for details in again if len(details.leases) > 1 and details.trial.rung_id > 0]
        for details in climbed:
            assert details.leases[-1].from_resource > 0, "nothing is trained twice"
        assert check_database(database_url).violations == []


def test_it_goes_on_although_the_master_is_killed_right_after_the_answer(
    make_cluster: Callable[..., Cluster], database_url: str
) -> None:
    cluster = make_cluster(database_url)
    master = cluster.master()
    cluster.worker("one", slots=2)
    with Client(cluster.address) as client:
        number = client.submit(spec(cluster, keep="promotable")).experiment_id
        client.wait(number)
        assert client.extend(number, 18).state is ExperimentState.ACTIVE
        master.kill()
        cluster.master()
        last = client.wait(number)
        assert (made(last), last.state) == (18, ExperimentState.COMPLETED)
        assert client.extend(number, 18) == last, "as many as before change nothing"
    assert check_database(database_url).violations == []


def test_a_running_search_shows_to_how_many_it_was_extended(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster()
    cluster.master()
    with Client(cluster.address) as client:
        number = client.submit(spec(cluster)).experiment_id
        code, lines = said(cluster, "extend", str(number), "--max-trials", "12", "--json")
        answer = json.loads("".join(lines))["experiment"]
        assert (code, answer["max_trials"], answer["trial_counts"]["planned"]) == (0, 12, 12)
        assert "extended to 12 trials" in "\n".join(said(cluster, "status", str(number))[1])
        cluster.worker("one", slots=2)
        assert made(client.wait(number)) == 12


def test_thinned_reports_are_no_hindrance(make_cluster: Callable[..., Cluster], database_url: str) -> None:
    cluster = make_cluster(database_url)
    cluster.master()
    cluster.worker("one", slots=2)
    with Client(cluster.address) as client:
        number = client.submit(spec(cluster)).experiment_id
        client.wait(number)
        client.thin(number)

        def is_thinned() -> bool:
            thinning = client.get(number).thinning
            return thinning is not None and thinning.end_time is not None

        wait_for("the end of the thinning", is_thinned)
        client.extend(number, 12)
        assert made(client.wait(number)) == 12
    assert check_database(database_url).violations == []


def test_what_cannot_be_extended_is_told_in_one_line(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster()
    cluster.master()
    with Client(cluster.address) as client:
        number = client.submit(spec(cluster)).experiment_id
        with pytest.raises(InvalidInput, match="max_trials: must be 1 to 1,000,000,000, got 0"):
            client.extend(number, 0)
        with pytest.raises(FailedPrecondition, match="makes 9 trials, and cannot be cut to 8"):
            client.extend(number, 8)
        with pytest.raises(NotFound):
            client.extend(99, 8)
        client.cancel(number)
        code, lines = said(cluster, "extend", str(number), "--max-trials", "12")
        assert (code, lines) == (
            1,
            [f"Error: experiment {number} was cancelled, and cannot be extended: submit its spec as a new one"],
        )
        client.delete(number)
        with pytest.raises(NotFound):
            client.extend(number, 12)
    assert said(cluster, "extend", "1", "--max-trials", "0")[0] == 2
