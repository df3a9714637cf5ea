"""A wrong spec is refused whole by the real master: every problem by its path, exit code 2, nothing stored."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.cluster import FLOATS, Cluster, toy_spec

from rungmaster.client import Client


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("wrong")
    cluster = Cluster(folder, str(folder / "search.db"))
    cluster.master()
    yield cluster
    cluster.close()


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a rungmaster command as a person would."""
    program = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *arguments]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=60)


def changed(**changes: Any) -> str:
    return toy_spec(Path("checkpoints"), **{"hyperparameters": FLOATS} | changes)


def searcher(**changes: Any) -> str:
    return changed(searcher={"name": "adaptive_asha", "max_trials": 16, "max_resource": 9} | changes)


def parameter(**definition: Any) -> str:
    return changed(hyperparameters={"width": definition})


WRONG = {
    "an unknown field": (changed(priorty=1), ["priorty: ", "priority"]),
    "a wrong type": (changed(max_restarts="many"), ["max_restarts: ", "many"]),
    "low above high": (parameter(type="float", low=2.0, high=1.0), ["hyperparameters.width", "2.0", "1.0"]),
    "a logarithm of nothing": (
        parameter(type="float", low=0.0, high=1.0, log=True),
        ["hyperparameters.width", "log"],
    ),
    "a condition on a missing parameter": (
        parameter(type="float", low=0.0, high=1.0, when={"solvr": "sgd"}),
        ["hyperparameters.width.when", "solvr"],
    ),
    "no trials": (searcher(max_trials=0), ["searcher.max_trials: must be at least 1, got 0"]),
    "a number that is not finite": (searcher(max_resource=float("nan")), ["searcher.max_resource: ", "nan"]),
    "an unknown searcher": (searcher(name="adaptive_ahsa"), ["searcher.name: ", "adaptive_asha"]),
    "an initial trial outside the space": (
        changed(initial_trials=[{"quality": 1.5}]),
        ["initial_trials[0].quality: must be from 0.0 to 1.0, got 1.5"],
    ),
    "an unknown limit": (changed(stop={"metrics": 0.05}), ['stop.metrics: unknown field; did you mean "metric"?']),
    "a limit of time that is none": (changed(stop={"time": "8 hours"}), ["stop.time: ", "8 hours", "1h30m"]),
    "YAML that does not parse": ("name: [oops\nentrypoint: a:b\n", ["line "]),
    "several at once": (
        changed(max_restarts=-1, unit=7, searcher={"name": "asha", "max_trials": 0, "max_resource": 9}),
        ["max_restarts: ", "unit: ", "searcher.max_trials: "],
    ),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_spec_is_refused_by_the_master_and_stores_nothing(
    master: Cluster, text: str, expected: list[str]
) -> None:
    (master.folder / "spec.yaml").write_text(text)
    refused = command(master.folder, "submit", "spec.yaml", "--master", master.address)
    assert refused.returncode == 2, refused
    assert refused.stdout == ""
    assert "Traceback" not in refused.stderr
    for part in expected:
        assert part in refused.stderr
    assert len(refused.stderr.strip().splitlines()) <= len(expected) + 1
    with Client(master.address) as client:
        assert list(client.list()) == []


@pytest.mark.parametrize("verb", ["submit", "run", "plan", "drive", "simulate"])
def test_a_file_of_fifty_megabytes_is_refused_before_it_is_read(master: Cluster, verb: str) -> None:
    huge = master.folder / "huge.yaml"
    with huge.open("wb") as stream:
        stream.truncate(50 * 1024 * 1024)
    options = {"submit": ["--master", master.address], "run": ["--db", "other.db"], "simulate": ["--workers", "2"]}
    refused = command(master.folder, verb, "huge.yaml", *options.get(verb, []))
    assert refused.returncode == 2, refused
    assert "huge.yaml" in refused.stderr
    assert "1 MiB" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (master.folder / "other.db").exists()


def test_run_refuses_a_wrong_spec_before_it_starts_anything(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(searcher(max_trials=0))
    refused = command(tmp_path, "run", "spec.yaml")
    assert refused.returncode == 2, refused
    assert "searcher.max_trials: must be at least 1, got 0" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spec.yaml"]


def test_plan_reads_a_file_that_holds_just_a_searcher(tmp_path: Path) -> None:
    document = {"searcher": {"name": "adaptive_asha", "divisor": 3, "max_resource": 9, "max_trials": 20}}
    (tmp_path / "searcher.yaml").write_text(yaml.safe_dump(document))
    planned = command(tmp_path, "plan", "searcher.yaml", "--json")
    assert planned.returncode == 0, planned
    assert [bracket["rungs"] for bracket in json.loads(planned.stdout)["brackets"]] == [[1, 3, 9], [3, 9]]


def test_a_space_with_fewer_combinations_than_trials_is_taken_with_a_warning(master: Cluster) -> None:
    small = changed(hyperparameters={"quality": {"type": "categorical", "choices": [0.5, 1]}})
    warning = "hyperparameters: there are 2 combinations for 16 trials: each comes once, and then again"
    with Client(master.address) as client, pytest.warns(UserWarning, match=re.escape(warning)):
        assert client.submit(small).planned_trials == 16
    (master.folder / "small.yaml").write_text(small)
    for arguments in (("--json",), ()):
        submitted = command(master.folder, "submit", "small.yaml", "--master", master.address, *arguments)
        assert (submitted.returncode, submitted.stderr) == (0, f"warning: {warning}\n")
        assert "warnings" not in submitted.stdout or json.loads(submitted.stdout)["warnings"] == [warning]
