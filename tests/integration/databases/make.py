"""Makes a dump of a database as this version leaves it after kill -9, with its checkpoints, for `test_upgrades.py`.

    PYTHONPATH=tests .venv/bin/python -P tests/integration/databases/make.py FOLDER

writes FOLDER/schema_NNNN.sql and FOLDER/checkpoints_NNNN.json. Experiments: 1 ended, 2 thinned, 3 failed, 4 cancelled
and not ended yet, 5 under way, with paused, pending and running trials.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from e2e.cluster import Cluster, Process, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.master.failpoints import VARIABLE
from rungmaster.shared.errors import Unavailable
from rungmaster.shared.wire.model import TrialState

#: A master that ends the trials of an experiment two at a time, and is gone after the first two.
SLOW_ENDINGS = (
    "from rungmaster.master.dispatcher.upkeep import endings; endings.Endings.__init__.__defaults__ = (2,); "
    "endings.PORTION = 2; from rungmaster.client.cli.main import main; main()"
)
SPACE = {
    "quality": {"type": "float", "low": 0.0, "high": 1.0},
    "width": {"type": "categorical", "choices": [16, 32, 64]},
}
#: What tells of the machine that it was made on.
PLACES = re.compile(r'(File \\?")/[^"\\]*/')


def spec(name: str, seconds: float = 0.0, searcher: dict[str, Any] | None = None, **more: Any) -> str:
    """A small search, whose checkpoints have relative addresses."""
    asha = {"name": "asha", "max_trials": 4, "max_resource": 9, "divisor": 3}
    hyperparameters = SPACE | {"seconds_per_epoch": seconds}
    return toy_spec(
        Path("checkpoints"), name=name, hyperparameters=hyperparameters, searcher=asha | (searcher or {}), **more
    )


def search(cluster: Cluster) -> None:
    """Leaves the database of a cluster as it is to be."""
    first = cluster.master()
    cluster.worker("one", slots=2)
    with Client(cluster.address) as client:
        client.wait(client.submit(spec("ended"), request_id="ended").experiment_id)
        client.wait(client.submit(spec("thinned", searcher={"max_trials": 6, "max_resource": 27})).experiment_id)
        client.thin(2, keep_every=5)
        wait_for("the thinning", lambda: (state := client.get(2).thinning) and state.end_time)
        failing = spec("failing", entrypoint="toy:fail", max_restarts=1, fail_fast=0, searcher={"max_trials": 3})
        client.wait(client.submit(failing).experiment_id)
        first.kill()
        second = second_master(cluster)
        client.submit(spec("cancelled", 0.2, {"max_trials": 12, "max_concurrent_trials": 2}))
        wait_for("paused trials", lambda: client.get(4).trial_counts[TrialState.PAUSED] >= 3)
        client.pause(4)
        client.submit(spec("running", 0.7, {"name": "adaptive_asha", "max_trials": 12}, priority=2))
        lost = cluster.worker("two", slots=2)
        wait_for("four at once", lambda: has(client, PAUSED=2, RUNNING=4))
        lost.kill()
        wait_for("some of each", lambda: has(client, PAUSED=2, RUNNING=2, PENDING=1))
    with Client(cluster.address, timeout=2) as impatient:
        try:
            impatient.cancel(4)
        except Unavailable:
            second.popen.wait(30)


def second_master(cluster: Cluster) -> Process:
    """One that does not live to end what is cancelled."""
    arguments = [
        "master",
        "--listen",
        cluster.address,
        "--db",
        cluster.database,
        "--lease-ttl",
        str(cluster.lease_ttl_s),
    ]
    environment = cluster.environment | {VARIABLE: "ending.after:exit"}
    process = Process("second", arguments, cluster.folder, environment, ("-c", SLOW_ENDINGS))
    cluster.processes.append(process)
    process.wait_for_line("ready on")
    return process


def has(client: Client, **least: int) -> bool:
    """Whether experiment 5 has so many trials in these states."""
    counts = client.get(5).trial_counts
    return all(counts[TrialState[state]] >= number for state, number in least.items())


def main(target: Path) -> None:
    """Makes both files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(Cluster(folder, str(folder / "search.db"), lease_ttl_s=3.0)) as cluster:
            search(cluster)
        with closing(sqlite3.connect(folder / "search.db")) as connection:
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            dump = "\n".join(connection.iterdump()) + "\n"
        store = folder / "checkpoints"
        files = {str(path.relative_to(store)): path.read_text() for path in sorted(store.rglob("*")) if path.is_file()}
    (target / f"schema_{revision}.sql").write_text(PLACES.sub(r"\1/srv/search/", dump), encoding="utf-8")
    text = json.dumps(files, indent=0, sort_keys=True) + "\n"
    (target / f"checkpoints_{revision}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
