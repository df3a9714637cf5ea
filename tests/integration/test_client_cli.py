"""The commands against a real gRPC server: text for people, JSON for scripts, exit codes for both."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rungmaster.client.cli.main import execute
from rungmaster.shared.spec.spec import parse_spec, spec_from_json, spec_to_json
from rungmaster.shared.wire.model import ExperimentState

from .small_master import SmallMaster, event, experiment, in_background, report, wrong_spec
from .test_client import end, until, unused_address


@pytest.fixture
def master(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallMaster]:
    master = SmallMaster().start()
    master.experiments = {1: experiment(1)}
    monkeypatch.setenv("RUNGMASTER_MASTER", master.address)
    yield master
    master.stop()


def documents(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Any]:
    """What a command prints as JSON lines."""
    assert execute([*arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The one JSON document that a command prints."""
    assert execute([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert execute(list(arguments)) == 0
    return capsys.readouterr().out


def test_status_shows_rungs_best_trial_and_workers(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "status", "1")
    assert "experiment 1 (search-1) active" in out
    assert "4 of 8 trials: 1 running, 2 paused, 1 failed" in out
    assert "best validation_error 0.5 (trial 1 at 1 epochs)" in out
    assert "1 worker, 1 of 2 slots in use" in out


def test_status_as_json_is_the_answer_of_get_experiment(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = document(capsys, "status", "1")["experiment"]
    assert answer["experiment_id"] == 1
    assert answer["state"] == "EXPERIMENT_STATE_ACTIVE"
    assert answer["resource_spent"] == 6
    assert answer["trial_counts"]["discarded"] == 0
    assert answer["state_reason"] == ""
    assert list(answer["best_trial"]["hparams"].items()) == [("width", 17), ("rate", 0.5)]
    assert "end_time" not in answer


def test_without_an_id_the_only_unfinished_experiment_is_meant(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    master.experiments[2] = experiment(2, ExperimentState.COMPLETED)
    assert document(capsys, "status")["experiment"]["experiment_id"] == 1


def test_without_an_id_and_all_ended_the_newest_is_meant(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    master.experiments = {number: experiment(number, ExperimentState.COMPLETED) for number in (1, 2)}
    assert document(capsys, "status")["experiment"]["experiment_id"] == 2


def test_without_an_id_and_several_unfinished_ones_the_command_asks_which(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    master.experiments[2] = experiment(2)
    assert execute(["status"]) == 2
    assert "which experiment? active or paused are: 2 (search-2), 1 (search-1)" in capsys.readouterr().err


def test_a_master_without_experiments_is_told(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    master.experiments = {}
    assert execute(["status"]) == 2
    assert "no experiments yet" in capsys.readouterr().err


def test_nothing_to_resume_is_told(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["resume"]) == 2
    assert "no experiment is paused" in capsys.readouterr().err


def test_an_unknown_experiment_is_exit_code_1(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["status", "99"]) == 1
    assert capsys.readouterr().err == "Error: there is no experiment 99\n"


def test_an_argument_that_is_no_text_is_told(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["list", "--name", "a\udcff"], ["drain", "a\udcff"]):
        assert execute(arguments) == 2
        assert capsys.readouterr().err == "Error: a\\udcff: is no text in UTF-8\n"


def test_without_a_master_the_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["status", "1", "--master", unused_address(), "--timeout", "0.3"]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "no master answers" in error


def test_list_shows_experiments_and_as_json_one_a_line(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    master.experiments |= {number: experiment(number, ExperimentState.COMPLETED) for number in range(2, 8)}
    assert len(printed(capsys, "list").splitlines()) == 8
    assert [one["experiment_id"] for one in documents(capsys, "list", "--state", "completed", "--limit", "2")] == [7, 6]


def test_trials_are_listed_and_as_json_one_a_line(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    assert "width=16 rate=0.5" in printed(capsys, "trials", "1")
    assert [one["trial_id"] for one in documents(capsys, "trials", "1")] == [0, 1, 2, 3, 4]
    assert [one["trial_id"] for one in documents(capsys, "trials", "1", "--order", "best", "--limit", "2")] == [4, 3]


def test_best_shows_the_best_trial_or_the_best_few(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    assert "trial 4 of experiment 1" in printed(capsys, "best")
    assert [one["trial_id"] for one in documents(capsys, "best", "--top", "3")] == [4, 3, 2]


def test_best_without_any_result_is_exit_code_1(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    master.trials = []
    assert execute(["best", "1"]) == 1
    assert "has no result yet" in capsys.readouterr().err


def test_a_trial_is_shown_with_its_leases_and_checkpoints(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(capsys, "trial", "1", "2")
    assert "ValueError: too wide" in out
    assert "file:///c/1" in out
    assert set(document(capsys, "trial", "1", "2")) == {"trial", "leases", "checkpoints", "children"}


def test_the_metrics_of_all_trials_are_followed_in_the_order_of_their_commits(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    master.experiments[1] = experiment(1, ExperimentState.COMPLETED)
    master.reports = sorted(map(report, range(1, 8)), key=lambda one: one.position)
    lines = documents(capsys, "metrics", "1", "--follow")
    assert [one["sequence"] for one in lines] == [one.sequence for one in master.reports]
    third = master.reports[2].position
    out = printed(capsys, "metrics", "1", "--follow", "--after", str(third), "--limit", "1")
    assert out.split()[1:4] == [str(master.reports[3].position), "trial", str(master.reports[3].trial_id)]
    assert {one["trial_id"] for one in documents(capsys, "metrics", "1", "2", "--follow")} == {2}


@pytest.mark.parametrize("arguments", [["metrics", "1"], ["metrics", "1", "0", "--after", "7.0.1.1"]])
def test_metrics_without_a_trial_are_followed_or_refused(
    arguments: list[str], master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2
    assert "--follow" in capsys.readouterr().err


def test_metrics_are_listed_and_as_json_one_a_line(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    assert "loss=nan validation_error=0.5" in printed(capsys, "metrics", "1", "0")
    lines = documents(capsys, "metrics", "1", "0")
    assert [line["resource"] for line in lines] == [1, 2, 3]
    assert lines[0]["metrics"]["loss"] == "NaN"


def test_workers_are_listed(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "workers")
    assert "master 0.1.0 on sqlite, term 3; 1 worker, 1 of 2 slots in use" in out
    assert "pool=a" in out
    assert document(capsys, "workers")["workers"][0]["slots_used"] == 1


def test_an_experiment_is_paused_resumed_cancelled_and_deleted(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(capsys, "pause") == "experiment 1 (search-1) is paused\n"
    assert printed(capsys, "resume") == "experiment 1 (search-1) is active\n"
    assert document(capsys, "cancel")["experiment"]["state"] == "EXPERIMENT_STATE_CANCELLED"
    assert execute(["cancel", "1"]) == 1
    assert "is cancelled" in capsys.readouterr().err
    assert document(capsys, "delete", "1") == {}


def test_a_spec_is_submitted_from_a_file(
    master: SmallMaster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("name: x")
    assert "rungmaster watch 2" in printed(capsys, "submit", str(file))
    assert document(capsys, "submit", str(file), "--request-id", "a")["experiment"]["experiment_id"] == 3
    assert document(capsys, "submit", str(file), "--request-id", "a")["experiment"]["experiment_id"] == 3


def test_a_spec_is_submitted_from_standard_input(
    master: SmallMaster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"name: x")))
    assert document(capsys, "submit", "-")["experiment"]["experiment_id"] == 2


def test_a_wrong_spec_is_a_line_a_problem_and_exit_code_2(
    master: SmallMaster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    master.faults = [wrong_spec([("seed", "must be a whole number"), ("searcher.max_trials", "must be at least 1")])]
    file = tmp_path / "spec.yaml"
    file.write_text("name: x")
    assert execute(["submit", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.err == "Error: seed: must be a whole number\nError: searcher.max_trials: must be at least 1\n"
    assert captured.out == ""


def test_a_file_too_large_for_a_spec_is_refused_before_it_is_sent(
    master: SmallMaster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spec.yaml"
    with file.open("wb") as large:
        large.truncate(50 * 2**20)
    assert execute(["submit", str(file)]) == 2
    assert "larger than 1 MiB" in capsys.readouterr().err
    assert not master.calls["create"]


def test_a_submission_can_be_watched_to_its_end(
    master: SmallMaster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("name: x")

    def complete() -> None:
        until(lambda: bool(master.watched_from))
        master.experiments[2] = experiment(2, ExperimentState.COMPLETED)

    thread = in_background(complete)
    out = printed(capsys, "submit", str(file), "--watch")
    thread.join()
    assert "experiment 2 (search-2) is active: 8 trials" in out
    assert "experiment 2 (search-2) completed" in out
    assert "75.0% saved, 4.0 times less" in out


def test_watching_prints_lines_and_the_result(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    master.events = [event(1, "trial_failed")]
    thread = in_background(lambda: (until(lambda: bool(master.watched_from)), end(master)))
    out = printed(capsys, "watch")
    thread.join()
    assert "4 of 8 trials" in out
    assert "experiment 1 (search-1) completed" in out


def test_watching_goes_on_while_the_master_restarts(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    def restart() -> None:
        until(lambda: bool(master.watched_from))
        master.stop()
        end(master)
        master.start(master.port)

    thread = in_background(restart)
    assert "experiment 1 (search-1) completed" in printed(capsys, "watch")
    thread.join()


def test_watching_as_json_is_an_event_a_line(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    end(master)
    master.events = [event(number) for number in (1, 2, 3)]
    assert [one["event_id"] for one in documents(capsys, "watch", "--after", "1")] == [2, 3]
    assert "decision resource=2" in printed(capsys, "watch", "--events")


@pytest.mark.parametrize("arguments", [["watch", "1"], ["watch", "1", "--json"]])
def test_watching_a_cancelled_experiment_is_exit_code_1(
    master: SmallMaster, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    master.experiments[1] = experiment(1, ExperimentState.CANCELLED)
    assert execute(arguments) == 1
    assert capsys.readouterr().err == "Error: experiment 1 cancelled\n"


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_control_c_ends_a_watch_and_says_that_the_search_goes_on(master: SmallMaster, extra: list[str]) -> None:
    arguments = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "watch", "1", *extra]
    process = subprocess.Popen(
        arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=dict(os.environ), text=True
    )
    until(lambda: bool(master.watched_from), 30)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "experiment 1 goes on" in errors
    assert "Traceback" not in errors
    until(lambda: master.streams == 0)


def test_fork_prints_a_spec_that_is_the_same_when_it_is_submitted(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_from_json(
        {
            "name": "digits",
            "entrypoint": "training:train",
            "metric": {"name": "loss", "goal": "minimize"},
            "hyperparameters": {"rate": {"type": "float", "low": 1e-5, "high": 0.1, "log": True}},
            "searcher": {"name": "asha", "max_trials": 4, "max_resource": 4},
            "stop": {"time": "8h"},
        }
    )
    master.experiments = {1: replace(experiment(1), spec=spec_to_json(spec))}
    text = printed(capsys, "fork", "1")
    assert text.startswith("# The spec of experiment 1, submitted ")
    assert "stop: {time: 8h}" in text
    assert parse_spec(text) == spec
    assert spec_from_json(document(capsys, "fork", "1")) == spec


def test_trials_as_csv_and_json_lines_have_the_columns_that_were_asked_for(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    master.trials[1] = replace(master.trials[1], hparams={"width": "=1+1"}, best_metric=float("inf"))
    master.experiments[1] = replace(experiment(1), spec={"hyperparameters": {"width": 1, "rate": 0.5}})
    some = ("trials", "1", "--limit", "2", "--columns", "trial,best,width", "--columns", "hparams.rate")
    assert printed(capsys, *some, "--format", "csv").splitlines() == [
        "trial,best,width,hparams.rate",
        "0,1.0,16,0.5",
        "1,inf,'=1+1,",
    ]
    assert [json.loads(line) for line in printed(capsys, *some, "--format", "jsonl").splitlines()] == [
        {"trial": 0, "best": 1.0, "width": 16, "hparams.rate": 0.5},
        {"trial": 1, "best": "Infinity", "width": "=1+1"},
    ]
    assert printed(capsys, *some).splitlines() == [
        "trial  best  width  hparams.rate",
        "    0     1     16           0.5",
        "    1   inf   =1+1             -",
    ]
    header = printed(capsys, "trials", "1", "--format", "csv").splitlines()[0]
    assert header.startswith("trial,state,best,metric,resource,")
    assert header.endswith(",reason,hparams.width,hparams.rate")


def test_trials_are_those_for_which_the_conditions_hold(
    master: SmallMaster, capsys: pytest.CaptureFixture[str]
) -> None:
    master.experiments[1] = replace(experiment(1), spec={"hyperparameters": {"width": 1, "rate": 0.5}})
    found = printed(capsys, "trials", "1", "--where", "width > 17, best < 0.3", "--limit", "1", "--format", "jsonl")
    assert [json.loads(line)["trial"] for line in found.splitlines()] == [3]
    assert [each["trial_id"] for each in documents(capsys, "trials", "1", "--where", "width = 17")] == [1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--columns", "widht"), 'there is no column "widht"; did you mean "width"? There are trial, state, best'),
        (("--where", "widht = 3"), 'there is no column "widht"; did you mean "width"?'),
        (("--where", "width"), "'width' is no condition"),
        (("--columns", "zzz"), 'there is no column "zzz"; there are trial, state, best'),
        (("--json", "--format", "csv"), "--json prints all that is known"),
    ],
)
def test_a_column_that_there_is_not_is_told_with_those_that_there_are(
    master: SmallMaster, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    master.experiments[1] = replace(experiment(1), spec={"hyperparameters": {"width": 1}})
    assert execute(["trials", "1", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err


def test_the_best_is_printed_for_a_shell(master: SmallMaster, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "best", "1", "--format", "args") == "--width=20 --rate=0.5\n"
    assert "export RUNGMASTER_HPARAM_WIDTH=20\n" in printed(capsys, "best", "1", "--format", "env")
    assert execute(["best", "1", "--format", "env", "--top", "2"]) == 2
    assert "the variables of several would be the same" in capsys.readouterr().err
    master.trials = []
    assert execute(["best", "1", "--format", "env"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Error: experiment 1 has no result yet\n")


def test_a_reader_that_has_enough_ends_a_command_without_a_word(master: SmallMaster) -> None:
    master.trials = [replace(master.trials[1], trial_id=number) for number in range(5_000)]
    command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "trials", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 1


def test_what_a_terminal_of_another_encoding_cannot_show_is_escaped(master: SmallMaster) -> None:
    master.experiments[1] = replace(experiment(1), name="größe 日本")
    command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "status", "1"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=True, timeout=60)
    assert b"experiment 1 (gr\xf6\xdfe \\u65e5\\u672c) active" in done.stdout
