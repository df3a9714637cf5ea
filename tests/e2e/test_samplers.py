"""Samplers that are programs, as processes of a real master: whatever they do, the search goes on, nothing is lost."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rungmaster.client import Client
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import InvalidSpec
from rungmaster.shared.wire.model import Event, Experiment, ExperimentState, TrialInfo

from .cluster import FLOATS, TRAINING, Cluster, free_port, toy_spec, wait_for

PATIENCE_S = 0.5
#: A program may take its time to start, where a dozen do on a busy machine.
LONG_S = 600


def register(samplers: Path, name: str = "faulty") -> None:
    """Makes the program known on the master's host."""
    (samplers / "external").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(TRAINING / "faulty_sampler.py")]
    (samplers / "external" / f"{name}.json").write_text(json.dumps({"command": command}))


class Searches:
    """A master with a worker, and what is submitted to it."""

    def __init__(self, folder: Path, database: str = "") -> None:
        self.folder = folder
        self.cluster = Cluster(folder, database or str(folder / "samplers.db"), lease_ttl_s=2.0)
        self.cluster.environment["RUNGMASTER_SAMPLERS"] = str(folder / "samplers")
        self.cluster.environment["A_SECRET"] = "of the master"
        register(folder / "samplers")
        self.client = Client(self.cluster.address)
        #: Those that were submitted for all tests, by their faults.
        self.numbers: dict[str, int] = {}

    def begin(self, name: str, fault: str, spec: dict[str, Any] | None = None, **sampler: Any) -> int:
        """Submits a search whose sampler has this fault, with these fields of its spec."""
        (self.folder / name).mkdir()
        options = {"fault": fault, "folder": str(self.folder / name)}
        program = {"name": "external", "program": "faulty", "patience": LONG_S, "options": options} | sampler
        searcher = {"name": "asha", "max_trials": 6, "max_resource": 3, "divisor": 3}
        own = {"hyperparameters": FLOATS, "sampler": program, "searcher": searcher, "name": name}
        fields = own | (spec or {})
        return self.client.submit(yaml.safe_load(toy_spec(self.folder / "checkpoints", **fields))).experiment_id

    def ended(self, number: int) -> Experiment:
        def completed() -> Experiment | None:
            found = self.client.get(number)
            return found if found.state.ended and not found.ending else None

        return wait_for(f"the end of experiment {number}", completed, 90)

    def trials(self, number: int) -> list[TrialInfo]:
        return list(self.client.trials(number))

    def journal(self, number: int, kind: str) -> list[Event]:
        return [event for event in self.client.watch(number) if event.kind == kind]

    def told(self, name: str) -> list[dict[str, Any]]:
        """What the program was told."""
        file = self.folder / name / "told"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def processes(self, name: str) -> list[int]:
        """The program's processes that are there."""
        pids = [int(file.stem) for file in (self.folder / name).glob("*.pid")]
        return [pid for pid in pids if Path(f"/proc/{pid}/stat").exists() and " Z " not in _stat(pid)]


def _stat(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return " Z "


#: The fault of a program, and what is told of it where its trials are drawn at random.
FAULTS = {
    "crash": "the sampler is broken: it exited with 1",
    "hang": "the sampler did not answer in 6 s",
    "rubbish": "the sampler is broken: it wrote what is no message: is no JSON",
    "long line": "the sampler is broken: it wrote a line of more than 1,048,576 bytes",
    "too much": "the sampler is broken: it answers the ask",
    "failure": "the sampler is broken: the model does not converge",
    "eat": "the sampler is broken: it was ended by SIGKILL",
    "outside": "its suggestion was refused: ",
}
#: What goes well in the end.
OTHERS = ("none", "flood", "slow", "crash once", "kill once")
#: Fields of their samplers. To start a program takes a moment, for which it is waited only where it does not answer.
#: One that does not answer counts as broken after ten times its patience: the search has to be over before.
FIELDS: dict[str, dict[str, Any]] = {
    "hang": {"patience": 6},
    "slow": {"patience": PATIENCE_S},
    "eat": {"memory": 0.1},
}


@pytest.fixture(scope="module")
def searches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searches]:
    """All of them at once, since most of their time is waiting."""
    searches = Searches(tmp_path_factory.mktemp("samplers"))
    searches.cluster.master()
    searches.cluster.worker("w", slots=4)
    for fault in (*FAULTS, *OTHERS):
        searches.numbers[fault] = searches.begin(fault, fault, **FIELDS.get(fault, {}))
    yield searches
    searches.client.close()
    searches.cluster.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_search_goes_on_with_random_trials_whatever_its_sampler_does(searches: Searches, fault: str) -> None:
    number = searches.numbers[fault]
    ended = searches.ended(number)
    assert ended.state is ExperimentState.COMPLETED
    origins = {trial.origin for trial in searches.trials(number)}
    assert all(origin.startswith(f"random: {FAULTS[fault]}") for origin in origins), origins
    assert len(searches.journal(number, "sampler_failed")) == 1
    assert FAULTS[fault] in ended.sampler_problem


def test_the_end_of_its_stderr_says_why_it_ended(searches: Searches) -> None:
    crashed, ate = (searches.ended(searches.numbers[fault]).sampler_problem for fault in ("crash", "eat"))
    assert crashed.endswith("KeyError: 'the learning rate'")
    assert "it may use 0.1 GiB (`memory` in the spec's sampler)" in ate


def test_a_sampler_that_answers_gives_every_trial_and_is_told_each_result_once(searches: Searches) -> None:
    number = searches.numbers["none"]
    assert searches.ended(number).sampler_problem == ""
    trials = searches.trials(number)
    assert {trial.origin for trial in trials} == {"external faulty"}
    assert all(set(trial.hparams) == {"quality", "seconds_per_epoch"} for trial in trials)
    results = [told for told in searches.told("none") if told["type"] == "result"]
    assert len({(told["trial"], told["resource"]) for told in results}) == len(results)
    by_trial = {trial.trial_id: trial for trial in trials}
    for told in results:
        assert told["hyperparameters"] == by_trial[told["trial"]].hparams
    assert [event.data["note"] for event in searches.journal(number, "trial_sampled")] == ["at random"] * 6
    wait_for("the end of the program", lambda: not searches.processes("none"), 5)


@pytest.mark.parametrize("fault", ["crash once", "kill once"])
def test_a_sampler_that_comes_back_is_asked_again(searches: Searches, fault: str) -> None:
    number = searches.numbers[fault]
    assert searches.ended(number).state is ExperimentState.COMPLETED
    assert len(searches.journal(number, "sampler_failed")) == 1
    asked = {told["process"] for told in searches.told(fault) if told["type"] == "ask"}
    assert 1 <= len(asked) <= 2


def test_a_sampler_that_floods_its_stderr_is_not_held_up_and_holds_up_nobody(searches: Searches) -> None:
    number = searches.numbers["flood"]
    assert searches.ended(number).sampler_problem == ""
    assert {trial.origin for trial in searches.trials(number)} == {"external faulty"}


def test_a_slow_sampler_holds_up_its_trials_for_its_patience_alone(searches: Searches) -> None:
    number = searches.numbers["slow"]
    assert searches.ended(number).state is ExperimentState.COMPLETED
    assert "random: the sampler did not answer in 0.5 s" in {trial.origin for trial in searches.trials(number)}


def test_a_sampler_that_is_not_installed_is_refused_at_submission_and_missed_later(searches: Searches) -> None:
    with pytest.raises(InvalidSpec, match="rungmaster sampler add nobody"):
        searches.begin("nobody", "none", program="nobody")
    register(searches.folder / "samplers", "leaving")
    number = searches.begin("leaving", "none", program="leaving")
    (searches.folder / "samplers" / "external" / "leaving.json").unlink()
    assert searches.ended(number).state is ExperimentState.COMPLETED


def test_a_sampler_sees_nothing_of_the_masters_environment(searches: Searches) -> None:
    number = searches.begin("environment", "none")
    searches.ended(number)
    (told,) = [json.loads(file.read_text()) for file in (searches.folder / "environment").glob("*.pid")]
    assert "A_SECRET" not in told["environment"]
    assert not [name for name in told["environment"] if name.startswith("RUNGMASTER")]
    assert told["nice"] >= 10


def test_a_paused_experiment_has_no_program_and_goes_on_with_another(searches: Searches) -> None:
    number = searches.begin("paused", "hold")
    wait_for("the first ask", lambda: searches.told("paused"), 20)
    searches.client.pause(number)
    wait_for("the end of the program", lambda: not searches.processes("paused"), 10)
    (searches.folder / "paused" / "go").touch()
    searches.client.resume(number)
    searches.ended(number)
    assert {trial.origin for trial in searches.trials(number)} == {"external faulty"}


def test_a_program_is_told_the_results_of_the_experiments_that_it_is_warmed_up_with(searches: Searches) -> None:
    """First of all, by their own numbers; the best of them are tried first where the spec asks for that."""
    earlier = searches.numbers["none"]
    searches.ended(earlier)
    with pytest.warns(UserWarning, match=f"of experiment {earlier}, 6 of 6 results fit"):
        number = searches.begin("warm", "none", spec={"warm_start": [earlier], "initial_trials": "best"})
    assert searches.ended(number).sampler_problem == ""
    given = {trial.trial_id: trial for trial in searches.trials(earlier)}
    told = [told for told in searches.told("warm") if told["type"] != "ask"][: len(given)]
    assert {(each["experiment"], each["trial"], each["metric"]) for each in told} == {
        (earlier, trial.trial_id, trial.metric) for trial in given.values()
    }
    trials = searches.trials(number)
    ranked = sorted(given.values(), key=lambda trial: (trial.metric, trial.trial_id))
    assert [trial.hparams for trial in trials[:5]] == [trial.hparams for trial in ranked[:5]]
    assert [trial.origin for trial in trials] == ["initial"] * 5 + ["external faulty"]


def test_all_of_it_is_whole_in_the_database(searches: Searches) -> None:
    assert check_database(str(searches.folder / "samplers.db")).violations == []


def test_a_master_that_is_killed_between_ask_and_answer_leaks_no_process_and_its_standby_loses_no_trial(
    tmp_path: Path,
) -> None:
    searches = Searches(tmp_path)
    try:
        master, other = searches.cluster.master(), f"127.0.0.1:{free_port()}"
        both = f"{searches.cluster.address},{other}"
        standby = searches.cluster.start("standby", "master", "--listen", other, "--db", searches.cluster.database)
        standby.wait_for_line("waiting")
        searches.cluster.start("w", "worker", "--master", both, "--slots", "2", "--name", "w")
        number = searches.begin("killed", "hold")
        wait_for("the first ask", lambda: searches.told("killed"), 20)
        assert [trial.trial_id for trial in searches.trials(number) if not trial.origin]
        (process,) = searches.processes("killed")
        master.kill()
        wait_for("the end of the program", lambda: process not in searches.processes("killed"), 10)
        standby.wait_for_line("ready on")
        searches.client.close()
        searches.client = Client(both)
        (searches.folder / "killed" / "go").touch()
        assert searches.ended(number).state is ExperimentState.COMPLETED
        assert {trial.origin for trial in searches.trials(number)} == {"external faulty"}
        assert [trial.trial_id for trial in searches.trials(number)] == [*range(6)]
        assert check_database(str(tmp_path / "samplers.db")).violations == []
    finally:
        searches.client.close()
        searches.cluster.close()
    wait_for("the end of every program", lambda: not searches.processes("killed"), 10)


def test_the_same_master_started_again_on_postgresql_goes_on_with_another_process_of_the_sampler(
    tmp_path: Path, postgresql_url: str
) -> None:
    searches = Searches(tmp_path, postgresql_url)
    try:
        master = searches.cluster.master()
        searches.cluster.worker("w", slots=2)
        number = searches.begin("again", "hold")
        wait_for("the first ask", lambda: searches.told("again"), 20)
        (process,) = searches.processes("again")
        master.kill()
        wait_for("the end of the program", lambda: process not in searches.processes("again"), 10)
        (searches.folder / "again" / "go").touch()
        searches.cluster.master()
        assert searches.ended(number).state is ExperimentState.COMPLETED
        assert {trial.origin for trial in searches.trials(number)} == {"external faulty"}
        assert check_database(postgresql_url).violations == []
    finally:
        searches.client.close()
        searches.cluster.close()
    wait_for("the end of every program", lambda: not searches.processes("again"), 10)
