"""Hyperparameters keep their types and their order wherever people or programs read them: 1.0 is not 1."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from e2e.cluster import Cluster, toy_spec

from rungmaster.client import Client
from rungmaster.shared.wire.model import Experiment

HPARAMS: dict[str, Any] = {
    "whole_float": 1.0,
    "number": 1,
    "text": "1",
    "flag": True,
    "tiny": 1e-12,
    "digits": 0.1 + 0.2,
    "big": 2**53 - 1,
    "nested": {"b": 1.0, "a": [1.0, 1, True, None]},
    "chosen": 2.0,
}
DECLARED = HPARAMS | {
    "nested": {"type": "constant", "value": HPARAMS["nested"]},
    "chosen": {"type": "categorical", "choices": [2.0]},
}


@pytest.fixture
def searched(make_cluster: Callable[..., Cluster], tmp_path: Path) -> tuple[Cluster, Experiment]:
    cluster = make_cluster(None)
    cluster.master()
    cluster.worker("one")
    searcher = {"name": "asha", "max_trials": 1, "max_resource": 1, "divisor": 2}
    with Client(cluster.address) as client:
        spec = yaml.safe_load(toy_spec(tmp_path, entrypoint="typed:train", searcher=searcher))
        return cluster, client.wait(client.submit(spec | {"hyperparameters": DECLARED}).experiment_id)


def output(cluster: Cluster, *arguments: str) -> str:
    command = cluster.start(arguments[0], *arguments)
    assert command.popen.wait(60) == 0
    command.close()
    return "\n".join(command.lines)


def test_hyperparameters_keep_their_types_for_programs_and_people(searched: tuple[Cluster, Experiment]) -> None:
    cluster, experiment = searched
    told = json.loads(Path(cluster.environment["TOY_LOG"]).read_text())
    assert told["hparams"] == repr(HPARAMS)
    assert repr(json.loads(told["json"])) == repr(HPARAMS)
    assert told["variables"]["WHOLE_FLOAT"] == "1.0"
    assert told["variables"]["NUMBER"] == "1"
    assert experiment.best_trial is not None
    assert repr(experiment.best_trial.hparams) == repr(HPARAMS)
    assert repr(experiment.spec["hyperparameters"]["whole_float"]) == "1.0"
    shown = json.loads(output(cluster, "best", "1", "--json", "--master", cluster.address))
    assert repr(shown["hparams"]) == repr(HPARAMS)
    words = [line.split(maxsplit=1) for line in output(cluster, "best", "1", "--master", cluster.address).splitlines()]
    for line in (["whole_float", "1.0"], ["number", "1"], ["text", '"1"'], ["flag", "true"], ["tiny", "1e-12"]):
        assert line in words
    assert "whole_float=1.0 number=1 " in output(cluster, "trials", "1", "--master", cluster.address)


def test_hyperparameters_keep_their_types_in_parquet(searched: tuple[Cluster, Experiment], tmp_path: Path) -> None:
    cluster, _ = searched
    target = tmp_path / "trials.parquet"
    output(
        cluster,
        "export",
        "1",
        "--what",
        "trials",
        "--format",
        "parquet",
        "--out",
        str(target),
        "--db",
        cluster.database,
    )
    row = pq.read_table(target).to_pylist()[0]
    assert [repr(row[f"hparams.{name}"]) for name in ("whole_float", "number", "text")] == ["1.0", "1", "'1'"]
    assert json.loads(row["hparams.nested"]) == HPARAMS["nested"]
