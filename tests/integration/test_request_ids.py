"""A request id gives the experiment that was submitted with it, to whoever submitted it, and never another one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from e2e.cluster import QUALITY, Cluster, toy_spec

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.shared.errors import InvalidInput

from .secure_cluster import ADMIN, SecureCluster

OTHER_ADMIN = ("bob", "admin", "b" * 32)


def test_with_another_spec_it_is_refused_and_with_the_same_it_gives_the_same_experiment(
    tmp_path: Path, database_url: str
) -> None:
    cluster, spec = Cluster(tmp_path, database_url), toy_spec(tmp_path)
    same = [spec, json.dumps(yaml.safe_load(spec)), spec + "\nweight: 1.0\nforbidden: []\n"]
    others = [
        toy_spec(tmp_path, name="other"),
        toy_spec(tmp_path, seed=2),
        toy_spec(tmp_path, hyperparameters={"quality": QUALITY, "seconds_per_epoch": 0}),
    ]
    master = cluster.master()
    try:
        with Client(cluster.address) as client:
            number = client.submit(spec, request_id="nightly").experiment_id
            client.set(number, priority=7)
            for kill in (False, True):
                if kill:
                    master.kill()
                    master = cluster.master()
                for again in same:
                    assert client.submit(again, request_id="nightly").experiment_id == number
                for other in others:
                    with pytest.raises(
                        InvalidInput, match=f"nightly has been used for experiment {number}, whose spec"
                    ):
                        client.submit(other, request_id="nightly")
            client.cancel(number)
            assert client.submit(spec, request_id="nightly").experiment_id == number
            assert [each.experiment_id for each in client.list()] == [number], "nothing was stored"
            client.delete(number)
            # The id is free again, for whatever comes.
            second = client.submit(others[0], request_id="nightly")
            assert (second.experiment_id, second.name) == (number + 1, "other")
    finally:
        cluster.close()


def test_of_two_specs_with_one_id_at_once_one_is_refused(tmp_path: Path, sqlite_url: str) -> None:
    cluster = Cluster(tmp_path, sqlite_url)
    cluster.master()

    def submit(number: int) -> str:
        with Client(cluster.address) as client:
            try:
                return client.submit(toy_spec(tmp_path, name=f"toy-{number % 2}"), request_id="at once").name
            except InvalidInput:
                return ""

    try:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(submit, range(16)))
        with Client(cluster.address) as client:
            (stored,) = client.list()
        assert set(answers) == {stored.name, ""}
        assert answers == [stored.name if f"toy-{number % 2}" == stored.name else "" for number in range(16)]
    finally:
        cluster.close()


def test_on_the_command_line_it_is_one_line_and_exit_code_2(
    tmp_path: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(tmp_path, sqlite_url)
    cluster.master()
    try:
        for name, code in (("one", 0), ("one", 0), ("two", 2)):
            (tmp_path / "spec.yaml").write_text(toy_spec(tmp_path, name=name))
            arguments = ["submit", str(tmp_path / "spec.yaml"), "--request-id", "a", "--master", cluster.address]
            assert execute([*arguments, "--timeout", "60"]) == code
    finally:
        cluster.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "Error: request_id: a has been used for experiment 1, whose spec is another one; give a new id"
    )


def test_somebody_elses_id_gives_nobody_his_experiment(tmp_path: Path) -> None:
    cluster, spec = SecureCluster(tmp_path), toy_spec(tmp_path)
    cluster.allow(ADMIN, OTHER_ADMIN)
    cluster.secure_master()
    try:
        with (
            Client(cluster.address, credentials=cluster.credentials(ADMIN)) as alice,
            Client(cluster.address, credentials=cluster.credentials(OTHER_ADMIN)) as bob,
        ):
            number = alice.submit(spec, request_id="nightly").experiment_id
            with pytest.raises(InvalidInput, match=f"used for experiment {number} by alice; give an id of your own"):
                bob.submit(spec, request_id="nightly")
            assert alice.submit(spec, request_id="nightly").experiment_id == number
            assert bob.submit(spec, request_id="of bob").experiment_id == number + 1
    finally:
        cluster.close()
