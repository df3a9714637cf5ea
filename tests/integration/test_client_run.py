"""`run`: a real master and real workers as child processes, which end when it ends, and are replaced when they die."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from e2e.cluster import QUALITY, Cluster

from rungmaster import Client, DatabaseClient, run
from rungmaster.client import Result
from rungmaster.client.cli.main import execute
from rungmaster.client.follow import Snapshot
from rungmaster.client.local.cluster import LocalCluster, share_gpus, visible_gpus
from rungmaster.shared.errors import FailedPrecondition, InvalidInput, InvalidSpec, RungmasterError
from rungmaster.shared.wire.model import ExperimentState, TrialState

from .test_client import until

TRAINING = """
import os
import time

def train(trial):
    for step in trial.steps():
        while os.path.exists("hold"):
            time.sleep(0.01)
        trial.report(error=trial.hparams["x"] + 1 / (step + 1))
"""


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "name": "toy",
        "entrypoint": "toy:train",
        "metric": {"name": "error", "goal": "minimize"},
        "hyperparameters": {"x": QUALITY},
        "searcher": {"name": "asha", "max_trials": 4, "max_resource": 4, "divisor": 2, "max_rungs": 2},
        **changes,
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "toy.py").write_text(TRAINING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNGMASTER_MASTER", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def first_search(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder in which a search of `spec()` has completed as experiment 1, to be copied, and its result."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "toy.py").write_text(TRAINING)
    with contextlib.chdir(folder):
        return folder, run(spec(), workers=1, display=Lines())


@pytest.fixture
def searched(first_search: tuple[Path, Result], folder: Path) -> Result:
    """The result of a search that has completed in this folder."""
    shutil.copytree(first_search[0], folder, dirs_exist_ok=True)
    return first_search[1]


class Lines:
    """A display that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.snapshots: list[Snapshot] = []

    def say(self, words: str) -> None:
        self.said.append(words)

    def show(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)


def start(folder: Path, *arguments: str, document: dict[str, Any] | None = None) -> subprocess.Popen[str]:
    (folder / "spec.json").write_text(json.dumps(document or spec()))
    command = [
        sys.executable,
        "-P",
        "-m",
        "rungmaster.client.cli.main",
        "run",
        "spec.json",
        "--workers",
        "1",
        *arguments,
    ]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children(process: subprocess.Popen[str], command: str) -> list[psutil.Process]:
    """The children of a run that run this command."""
    try:
        found = psutil.Process(process.pid).children()
        return [child for child in found if command in child.cmdline()]
    except psutil.NoSuchProcess:
        return []


def own_children() -> set[psutil.Process]:
    """The children of this process; other tests' fixtures may have some that live on."""
    return set(psutil.Process().children())


def trials_run(folder: Path) -> bool:
    log = folder / "rungmaster.log"
    return log.exists() and " trains from " in log.read_text()


def test_run_takes_a_spec_to_its_result(folder: Path) -> None:
    lines, before = Lines(), own_children()
    experiment = run(spec(), workers=2, database="search.db", display=lines)
    assert experiment.state is ExperimentState.COMPLETED
    assert sum(experiment.trial_counts.values()) == 4
    assert experiment.trial_counts[TrialState.FAILED] == 0
    assert experiment.best_trial is not None
    assert lines.said == ["experiment 1 (toy) begins"]
    assert lines.snapshots[-1].experiment.state is ExperimentState.COMPLETED
    assert (folder / "search.log").exists()
    assert own_children() == before


def test_a_wrong_spec_starts_nothing(folder: Path) -> None:
    with pytest.raises(InvalidSpec) as caught:
        run(spec(seed="one", max_restarts=-1), display=Lines())
    assert {problem.path for problem in caught.value.problems} == {"seed", "max_restarts"}
    with pytest.raises(InvalidInput, match="at least one worker"):
        run(spec(), workers=0, display=Lines())
    assert [path.name for path in folder.iterdir()] == ["toy.py"]


def test_a_database_that_cannot_be_used_is_told_with_the_masters_words(folder: Path) -> None:
    before = own_children()
    (folder / "broken.db").write_text("this is no database, and long enough not to be taken for an empty one" * 50)
    with pytest.raises(RungmasterError, match=r"the master could not start: .*broken.log"):
        run(spec(), workers=1, database="broken.db", display=Lines())
    assert own_children() == before


def test_an_interrupted_run_goes_on_when_it_is_run_again(folder: Path) -> None:
    (folder / "hold").touch()
    first = start(folder)
    until(lambda: trials_run(folder), 60)
    first.send_signal(signal.SIGINT)
    until(lambda: "draining" in (folder / "rungmaster.log").read_text(), 60)
    (folder / "hold").unlink()
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "the search is kept in rungmaster.db; to go on: rungmaster run spec.json --workers 1" in errors
    second = start(folder, "--json")
    out, errors = second.communicate(timeout=60)
    assert second.returncode == 0, errors
    assert "experiment 1 (toy) goes on" in errors
    assert json.loads(out)["experiment"]["state"] == "EXPERIMENT_STATE_COMPLETED"


@pytest.mark.parametrize(("second", "pause"), [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.05)])
def test_a_run_that_is_interrupted_twice_ends_at_once_wherever_it_is(
    folder: Path, second: signal.Signals, pause: float
) -> None:
    """As `timeout` does, or an impatient person; the trials would go on for ever."""
    (folder / "hold").touch()
    searching = start(folder)
    until(lambda: trials_run(folder), 60)
    started = psutil.Process(searching.pid).children(recursive=True)
    searching.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        searching.wait(pause)
    searching.send_signal(second)
    _, errors = searching.communicate(timeout=60)
    assert searching.returncode == 130
    assert "the search is kept in rungmaster.db" in errors
    until(lambda: not [each for each in started if each.is_running() and each.status() != psutil.STATUS_ZOMBIE], 60)


def test_a_search_that_has_completed_is_shown_and_not_searched_again(folder: Path, searched: Result) -> None:
    lines = Lines()
    second = run(spec(), workers=1, display=lines)
    assert second.best_trial == searched.best_trial
    assert lines.said == [
        "experiment 1 (toy) of this spec has completed; to search again: --again (in Python: again=True)"
    ]
    shown = start(folder, "--json")
    out, errors = shown.communicate(timeout=60)
    assert shown.returncode == 0, errors
    assert json.loads(out)["experiment"]["experiment_id"] == 1
    assert run(spec(), workers=1, display=Lines(), again=True).experiment_id == 2
    assert run(spec(seed=3), workers=1, display=Lines()).experiment_id == 3


def test_the_best_of_an_earlier_search_are_tried_first(searched: Result) -> None:
    lines = Lines()
    after = run(spec(seed=1, warm_start=[1], initial_trials="best"), workers=1, display=lines)
    assert "warning: warm_start: of experiment 1, 4 of 4 results fit" in lines.said
    assert searched.best_trial is not None
    (first,) = (trial for trial in after.trials() if trial.trial_id == 0)
    assert (first.hparams, first.origin) == (searched.best_trial.hparams, "initial")
    assert run(spec(seed=1, warm_start=[1], initial_trials="best"), workers=1, display=Lines()).experiment_id == 2


def test_code_that_changed_in_the_middle_of_a_search_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LocalCluster("rungmaster.db", 1, 1, folder / "search.log") as cluster, Client(cluster.address) as client:
        client.pause(client.submit(spec()).experiment_id)
        assert client.code_changes(1) == []
        (folder / "toy.py").write_text(TRAINING + "# otherwise\n")
        assert execute(["resume", "1", "--db", "rungmaster.db"]) == 0
    assert "warning: toy.py was changed" in capsys.readouterr().err
    goes_on, completed = Lines(), Lines()
    assert run(spec(), workers=1, display=goes_on).state is ExperimentState.COMPLETED
    assert run(spec(), workers=1, display=completed).experiment_id == 1
    for lines, meaning in ((goes_on, "are of different code"), (completed, "the result of the code from before")):
        assert lines.said[1].startswith("warning: toy.py was changed 20")
        assert "; experiment 1 began 20" in lines.said[1]
        assert meaning in lines.said[1]


def test_a_search_that_was_cancelled_begins_anew(folder: Path) -> None:
    with LocalCluster("rungmaster.db", 1, 1, folder / "search.log") as cluster, Client(cluster.address) as client:
        client.cancel(client.submit(spec()).experiment_id)
    assert run(spec(), workers=1, display=Lines()).experiment_id == 2


@pytest.mark.parametrize("train_all", [False, True])
def test_other_unfinished_experiments_are_left_as_they_are(folder: Path, train_all: bool) -> None:
    with LocalCluster("rungmaster.db", 1, 1, folder / "search.log") as cluster, Client(cluster.address) as client:
        other = client.submit(spec(name="other", priority=9)).experiment_id
    lines = Lines()
    own = run(spec(), workers=1, display=lines, train_all=train_all)
    assert own.state is ExperimentState.COMPLETED
    what = "shares the workers" if train_all else "is left as it is (--all trains it as well)"
    assert lines.said[0] == f"experiment 1 (other) is unfinished too, and {what}"
    with DatabaseClient() as client:
        left = client.get(other)
        assert (left.state is ExperimentState.COMPLETED) is train_all
        assert (sum(left.trial_counts.values()) == 0) is not train_all


def test_a_second_run_in_the_same_folder_is_told_of_the_first(folder: Path) -> None:
    (folder / "hold").touch()
    first = start(folder)
    until(lambda: trials_run(folder), 60)
    second = start(folder)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 1
    assert errors == (
        f"Error: another `rungmaster run` (pid {first.pid}) uses rungmaster.db: look at it with `rungmaster status`, "
        "or use another --db\n"
    )
    (folder / "hold").unlink()
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_a_run_beside_a_master_is_told_what_to_do(folder: Path) -> None:
    cluster = Cluster(folder, "rungmaster.db")
    master = cluster.master()
    with pytest.raises(FailedPrecondition, match=rf"a master \(.*-{master.popen.pid}\) runs on rungmaster.db: give it"):
        run(spec(), workers=1, display=Lines())
    cluster.close()


def test_a_run_that_is_killed_takes_its_children_with_it_and_another_goes_on_at_once_where_it_was(folder: Path) -> None:
    (folder / "hold").touch()
    searcher = {"name": "asha", "max_trials": 12, "max_resource": 1, "divisor": 2}
    document = spec(hyperparameters={"x": {"type": "int", "low": 1, "high": 12}}, searcher=searcher)
    first = start(folder, document=document)
    until(lambda: trials_run(folder), 60)
    started = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.communicate()
    (folder / "hold").unlink()
    second = start(folder, "--json", document=document)
    gone, alive = psutil.wait_procs(started, timeout=60)
    assert not alive
    assert len(gone) >= 2
    _, errors = second.communicate(timeout=90)
    assert second.returncode == 0, errors
    assert "experiment 1 (toy) goes on" in errors
    with DatabaseClient("rungmaster.db") as client:
        assert sorted(trial.hparams["x"] for trial in client.trials(1)) == [*range(1, 13)]


def test_a_run_is_steered_without_its_port(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hold").touch()
    running = start(folder)
    until(lambda: trials_run(folder), 60)
    assert execute(["workers"]) == 0
    assert "worker-1" in capsys.readouterr().out
    assert execute(["cancel"]) == 0
    (folder / "hold").unlink()
    running.communicate(timeout=60)
    assert running.returncode == 1


def test_master_and_worker_that_are_killed_are_replaced(folder: Path) -> None:
    (folder / "hold").touch()
    running = start(folder, "--json")
    until(lambda: trials_run(folder), 60)
    for command in ("master", "worker"):
        (old,) = children(running, command)
        old.kill()
        until(lambda: any(child.pid != old.pid for child in children(running, command)), 60)  # noqa: B023
    (folder / "hold").unlink()
    out, errors = running.communicate(timeout=90)
    assert running.returncode == 0, errors
    assert json.loads(out)["experiment"]["trial_counts"]["failed"] == 0


def test_a_run_whose_database_is_deleted_ends_and_says_where_its_search_is(folder: Path) -> None:
    (folder / "hold").touch()
    running = start(folder)
    until(lambda: trials_run(folder), 60)
    for file in folder.glob("rungmaster.db*"):
        file.unlink()
    _, errors = running.communicate(timeout=120)
    (saved,) = folder.glob("rungmaster.db-rescued-*")
    assert running.returncode == 1
    assert f"to go on with it, mv {saved} rungmaster.db" in errors


def test_a_run_goes_on_without_a_worker_that_was_drained_and_ends_without_any(folder: Path) -> None:
    searcher = {"name": "asha", "max_trials": 2, "max_resource": 10**9, "max_rungs": 1}
    running = start(folder, "--workers", "2", document=spec(searcher=searcher))
    until(lambda: trials_run(folder), 60)
    until(lambda: execute(["drain", "worker-1", "--wait"]) == 0, 60)
    until(lambda: len(children(running, "worker")) == 1, 60)
    assert execute(["drain", "worker-2", "--wait"]) == 0
    _, errors = running.communicate(timeout=90)
    assert running.returncode == 1
    assert "every worker has left" in errors


def test_a_worker_that_can_never_start_ends_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rungmaster.client.local.children.DEATHS", 2)
    with LocalCluster("search.db", 1, 1, folder / "search.log") as cluster:
        cluster.start_workers(None)
        worker = cluster.pids[1]
        os.kill(worker, signal.SIGKILL)
        until(lambda: cluster.pids[1] != worker, 30)
        os.kill(cluster.pids[1], signal.SIGKILL)

        def failed() -> bool:
            try:
                cluster.check()
            except RungmasterError as error:
                return "worker-1 ended 2 times" in str(error)
            return False

        until(failed, 30)


@pytest.mark.parametrize(
    ("workers", "gpus", "shares"),
    [
        (2, (), [None, None]),
        (2, ("0", "1", "2", "3"), ["0,2", "1,3"]),
        (3, ("0", "1"), ["0", "1", "0"]),
        (1, ("GPU-a", "GPU-b"), ["GPU-a,GPU-b"]),
    ],
)
def test_gpus_are_shared_out_among_the_workers(workers: int, gpus: tuple[str, ...], shares: list[str | None]) -> None:
    assert share_gpus(workers, gpus) == shares


def test_only_the_gpus_that_this_process_may_use_are_shared_out() -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "2, GPU-x"}) == ("2", "GPU-x")
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == ()
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == ()


SMALL_SPACE = {"x": {"type": "categorical", "choices": [1, 1.5, 2]}}


def test_a_space_with_fewer_combinations_than_trials_is_told_and_none_comes_twice_before_all_came(folder: Path) -> None:
    lines = Lines()
    result = run(spec(hyperparameters=SMALL_SPACE), workers=2, database="search.db", display=lines)
    assert lines.said[1:] == [
        "warning: hyperparameters: there are 3 combinations for 4 trials: each comes once, and then again"
    ]
    drawn = {trial.trial_id: trial.hparams["x"] for trial in result.trials()}
    assert sorted(drawn[number] for number in range(3)) == [1, 1.5, 2]
    assert drawn[3] == drawn[0]


def test_a_spec_whose_values_have_other_types_is_another_spec(folder: Path) -> None:
    first, second = (
        spec(hyperparameters={"x": 0.5, "y": {"type": "categorical", "choices": choices}}) for choices in ([1], [1.0])
    )
    for each, number in ((first, 1), (second, 2), (first, 1)):
        assert run(each, workers=1, database="search.db", display=Lines()).experiment_id == number
