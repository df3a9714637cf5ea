"""`rungmaster master --metrics-listen`: a real scrape tells what the database has, and probes how the master is."""

from __future__ import annotations

import http.client
import json
import re
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from e2e.cluster import TRAINING, Cluster, free_port, toy_spec, wait_for
from prometheus_client.parser import text_string_to_metric_families

from rungmaster.client import Client
from rungmaster.master.metrics import families

from .certificates import Authority, Pair

DEPLOY = Path(__file__).parents[2] / "deploy"
EXPIRY = "certificate_expiry_timestamp_seconds"

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


def test_a_standby_too_tells_when_its_certificate_ends_and_a_renewed_one_is_seen(
    cluster: Watched, tmp_path: Path
) -> None:
    def ends(pair: Pair) -> float:
        return x509.load_pem_x509_certificate(pair.certificate.read_bytes()).not_valid_after_utc.timestamp()

    authority = Authority(tmp_path, "authority")
    pair, renewed = authority.issue("head"), authority.issue("renewed", expired=True)
    metrics = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    tls = ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))
    for name, address, line in (("master", metrics[0], "ready on"), ("standby", metrics[1], "waiting")):
        cluster.watched(name, address, *tls).wait_for_line(line)
    told = [value(scrape(address), EXPIRY) for address in metrics]
    assert told == [ends(pair)] * 2
    pair.key.write_bytes(renewed.key.read_bytes())
    pair.certificate.write_bytes(renewed.certificate.read_bytes())
    for address in metrics:
        wait_for("the other one", lambda address=address: value(scrape(address), EXPIRY) == ends(renewed))
    pair.certificate.write_text("no certificate")
    wait_for("what is still shown", lambda: value(scrape(metrics[0]), EXPIRY) == told[0])


def test_a_sampler_program_is_counted_and_told_when_it_is_broken(cluster: Watched, tmp_path: Path) -> None:
    samplers, metrics = tmp_path / "samplers", f"127.0.0.1:{free_port()}"
    (samplers / "external").mkdir(parents=True)
    program = {"command": [sys.executable, str(TRAINING / "faulty_sampler.py")]}
    (samplers / "external" / "faulty.json").write_text(json.dumps(program))
    cluster.environment["RUNGMASTER_SAMPLERS"] = str(samplers)
    cluster.watched("master", metrics).wait_for_line("ready on")
    named = {"experiment": "1", "name": "toy"}
    with Client(cluster.address, timeout=60) as client:
        options = {"fault": "crash", "folder": str(tmp_path)}
        sampler = {"name": "external", "program": "faulty", "patience": 30, "options": options}
        assert client.submit(toy_spec(tmp_path / "store", sampler=sampler)).experiment_id == 1
        wait_for("a program", lambda: value(scrape(metrics), "sampler_programs") == 1)
        before = scrape(metrics)
        assert (value(before, "sampler_broken", **named), value(before, "sampler_starts_total")) == (0, 1)
        assert value(before, "pending_trials", **named) == 16
        cluster.worker("worker")
        wait_for("its failure", lambda: value(scrape(metrics), "sampler_broken", **named) == 1)
        assert (value(scrape(metrics), "events_total", kind="sampler_failed") or 0) == 1
        assert client.wait(1).state == "completed"
    wait_for("its end", lambda: value(scrape(metrics), "sampler_programs") == 0)


def test_the_alerts_and_the_dashboard_ask_for_what_a_master_tells_in_promql() -> None:
    """Every name in them is exported, so that no alert can wait for ever for a number that nobody gives."""
    promql: Any = pytest.importorskip("promql_parser", reason="PromQL is read by promql-parser, of the extra dev")
    exported = set(re.findall(r"\"(rungmaster_\w+)\"", Path(families.__file__).read_text()))
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    rules = [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    for expressions in (rules, targets):
        for expression in expressions:
            promql.parse(expression)
        asked = set(re.findall(r"rungmaster_\w+", "\n".join(expressions)))
        plain = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked}
        assert plain - exported == set()
        assert len(plain) > 5


def test_each_alert_is_explained_and_each_metric_too() -> None:
    page = (DEPLOY.parent / "docs" / "operating.md").read_text()
    alerts = re.findall(r"- alert: (\w+)", (DEPLOY / "prometheus" / "alerts.yaml").read_text())
    assert [alert for alert in alerts if f"| {alert} |" not in page] == []
    exported = set(re.findall(r"\"(rungmaster_\w+)\"", Path(families.__file__).read_text())) - {"rungmaster_build_info"}
    assert [name for name in exported if f"`{name}" not in page] == []
