"""Commands in plain shell, which speak with their worker by `rungmaster report`, `checkpoint-save` and `hparam`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.cluster import Cluster, toy_spec

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.shared.wire.model import ExperimentState

SCRIPT = """
set -u
[ "$(rungmaster hparam lr-max)" = 1.0 ] && [ "$(rungmaster hparam lr_max)" = two ] || exit 7
rungmaster hparam nothing 2>> told; echo "hparam nothing: $?" >> told
rungmaster report error=low 2>> told; echo "report error=low: $?" >> told
mkdir -p empty; rungmaster checkpoint-save empty 2>> told; echo "checkpoint-save empty: $?" >> told
mkdir -p model; echo "$RUNGMASTER_RESOURCE" > model/state
while :; do
    decision=$(rungmaster report error=0.5)
    code=$?
    echo "$decision: $code" >> decisions
    case $decision in *save) rungmaster checkpoint-save model || exit 8 ;; esac
    [ $code -eq 0 ] || break
done
[ -f model/state ] || exit 9
[ $code -eq 3 ]
"""


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    made = make_cluster(None)
    made.master()
    return made


def spec(storage: Path, **changes: Any) -> dict[str, Any]:
    searcher = {"name": "asha", "max_trials": 2, "max_resource": 4, "divisor": 2}
    hparams: dict[str, Any] = {"lr-max": 1.0, "lr_max": "two"}
    small = toy_spec(storage, searcher=searcher, hyperparameters=hparams, entrypoint=["sh", "train.sh"], max_restarts=0)
    return yaml.safe_load(small) | {"hyperparameters": hparams} | changes


def test_a_shell_program_reports_saves_and_ends_as_it_is_told(cluster: Cluster, tmp_path: Path) -> None:
    (cluster.folder / "train.sh").write_text(SCRIPT)
    worker = cluster.start("one", "worker", "--master", cluster.address, "--exit-when-idle", "5")
    with Client(cluster.address) as client:
        ended = client.wait(client.submit(spec(tmp_path / "checkpoints")).experiment_id)
        assert ended.state is ExperimentState.COMPLETED, ended.state_reason
        assert all(trial.restarts == 0 for trial in client.trials(ended.experiment_id))
        saved = [one for trial in client.trials(1) for one in client.trial(1, trial.trial_id).checkpoints]
        assert saved
    decisions = (cluster.folder / "decisions").read_text().splitlines()
    assert {"continue save: 0", "pause save: 3"} <= set(decisions)
    told = (cluster.folder / "told").read_text()
    assert 'this trial has no hyperparameter "nothing"; there are lr-max, lr_max\nhparam nothing: 2' in told
    assert "'error=low': write NAME=VALUE with a number, such as loss=0.2\nreport error=low: 2" in told
    assert "empty is empty: write the checkpoint's files there first\ncheckpoint-save empty: 1" in told
    assert worker.popen.wait(60) == 0
    assert any("nothing to train for 5 s" in line for line in worker.lines)


def test_a_worker_that_never_gets_anything_to_train_leaves_when_told_so(cluster: Cluster) -> None:
    assert cluster.start("one", "worker", "--master", cluster.address, "--exit-when-idle", "0.5").popen.wait(60) == 0


@pytest.mark.parametrize("command", [["report", "loss=1"], ["checkpoint-save", "."], ["hparam", "x"]])
def test_outside_a_trial_the_commands_for_shell_programs_say_so(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNGMASTER_SOCKET", raising=False)
    assert execute(command) == 1
    assert (
        "RUNGMASTER_SOCKET is not set: this process was not started by a Rungmaster worker" in capsys.readouterr().err
    )
