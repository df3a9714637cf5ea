"""`rungmaster master --metrics-listen`: a real scrape tells what the database has, and probes how the master is."""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster import Cluster, free_port, toy_spec, wait_for
from prometheus_client.parser import text_string_to_metric_families

from rungmaster.client import Client

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Watched(Cluster):
    """Masters that each tell how they are."""

    def watched(self, name: str, metrics: str, *options: str) -> Any:
        given = ("--listen", self.address, "--db", self.database, "--metrics-listen", metrics)
        return self.start(name, "master", *given, *options)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Watched]:
    running = Watched(tmp_path, str(tmp_path / "ledger.db"))
    yield running
    running.close()


def ask(address: str, path: str, method: str = "GET") -> tuple[int, str]:
    with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def scrape(address: str) -> Samples:
    status, text = ask(address, "/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, metric: str, /, **labels: str) -> float | None:
    return samples.get((f"rungmaster_{metric}", tuple(sorted(labels.items()))))


def test_a_scrape_tells_what_the_database_has(cluster: Watched, tmp_path: Path) -> None:
    metrics = f"127.0.0.1:{free_port()}"
    master = cluster.watched("master", metrics)
    master.wait_for_line("ready on")
    before = scrape(metrics)
    assert value(before, "master_serving") == value(before, "database_writable") == 1
    assert value(before, "slots", state="free") == value(before, "reports_total") == 0
    with Client(cluster.address, timeout=60) as client:
        number = client.submit(toy_spec(tmp_path / "store")).experiment_id
        named = {"experiment": str(number), "name": "toy"}
        wait_for("what could begin", lambda: value(scrape(metrics), "pending_trials", **named) == 16)
        worker = cluster.worker("worker", slots=2)
        assert client.wait(number).state == "completed"
        connected = wait_for("free slots", lambda: free_slots(scrape(metrics)))
    assert value(connected, "workers", state="connected") == 1
    assert value(connected, "slots", state="busy") == value(connected, "leases") == 0
    assert value(connected, "trials", **named, state="completed") is None, "it has ended"
    assert value(connected, "experiments", state="completed") == 1
    with closing(sqlite3.connect(cluster.database)) as ledger:
        reports = ledger.execute("SELECT count(*) FROM reports").fetchone()[0]
        ended = ledger.execute("SELECT outcome, count(*) FROM leases GROUP BY outcome").fetchall()
        kinds = dict(ledger.execute("SELECT kind, count(*) FROM events GROUP BY kind").fetchall())
    assert value(connected, "reports_total") == reports > 0
    assert {kind: value(connected, "events_total", kind=kind) for kind in kinds} == kinds
    assert {outcome: value(connected, "leases_ended_total", outcome=outcome) for outcome, _ in ended} == dict(ended)
    decided = [value(connected, "decisions_total", action=action) or 0 for action in ("continue", "pause", "stop")]
    assert sum(decided) == kinds["decision"]
    assert value(connected, "commit_seconds_count") == value(connected, "commit_seconds_bucket", le="+Inf")
    assert 0 < (value(connected, "commit_seconds_count") or 0) <= sum(kinds.values()) + reports
    assert worker.terminate() == master.terminate() == 0


def free_slots(samples: Samples) -> Samples | None:
    return samples if value(samples, "slots", state="free") == 2 else None


def test_a_standby_is_alive_and_not_ready_until_it_serves(cluster: Watched) -> None:
    first, second = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    master = cluster.watched("master", first)
    master.wait_for_line("ready on")
    standby = cluster.watched("standby", second)
    standby.wait_for_line("waiting")
    assert [ask(first, path) for path in ("/healthz", "/readyz")] == [(200, "alive\n"), (200, "ready\n")]
    assert ask(second, "/healthz") == (200, "alive\n")
    assert ask(second, "/readyz") == (503, "it does not serve: a standby, or on its way up or down\n")
    waiting = scrape(second)
    assert value(waiting, "master_serving") == 0
    assert value(waiting, "reports_total") is None, "a gap, and not a 0"
    assert master.terminate() == 0
    standby.wait_for_line("ready on")
    assert ask(second, "/readyz") == (200, "ready\n")
    wait_for("its own term", lambda: value(scrape(second), "master_term") == 2)
    assert standby.terminate() == 0


def test_an_address_that_is_in_use_is_told_in_one_line(cluster: Watched) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        master = cluster.watched("master", address)
        assert master.popen.wait(60) == 2
        wait_for("its error", lambda: any(line.startswith("Error: ") for line in master.lines))
    why = "another program does; end it, or give another port (0: any that is free)"
    assert master.lines[-1] == f"Error: --metrics-listen {address}: cannot listen there: {why}"
    assert not Path(cluster.database).exists()


def test_the_alerts_and_the_dashboard_ask_for_what_a_master_tells() -> None:
    """Every name in them is exported, so that no alert can wait for ever for a number that nobody gives."""
    import re

    from rungmaster.master.metrics import families as told

    source = Path(told.__file__).read_text()
    exported = set(re.findall(r"\"(rungmaster_\w+)\"", source))
    deploy = Path(__file__).parents[2] / "deploy"
    for file in (deploy / "prometheus" / "alerts.yaml", deploy / "grafana" / "dashboard.json"):
        asked = set(re.findall(r"rungmaster_\w+", file.read_text()))
        plain = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked}
        assert plain - exported == set()
        assert len(plain) > 5
    json.loads((deploy / "grafana" / "dashboard.json").read_text())
