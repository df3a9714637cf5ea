"""What a master tells those who watch over it, where something is away, stuck, or asks for nonsense."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any

import pytest

from rungmaster.master.dispatcher.measures import BUCKETS_S, Measures
from rungmaster.master.experiment.changes import Changes, ReportRow
from rungmaster.master.ledger.read.queries.overview import Overview
from rungmaster.master.metrics import endpoint, monitor
from rungmaster.master.metrics.monitor import Monitor
from rungmaster.master.sampling.programs import SamplerPrograms
from rungmaster.shared.errors import InvalidInput, Unavailable

REPORT = ReportRow(1, 1, 1, 1, 1, {"loss": 0.5}, 0.0)


class Database:
    """What a reader would tell."""

    def __init__(self) -> None:
        self.away = False
        self.looks = 0

    def last_event_id(self) -> int:
        return 7

    def overview(self, after_event_id: int) -> Overview:
        if self.away:
            raise Unavailable("the database is away")
        self.looks += after_event_id > 7
        return Overview({"active": 1}, (), {("decision", "pause"): 2}, after_event_id + 2)


class Writer:
    """A writer with 3 commands in its queue, whose answers to questions do not come."""

    takes_writes, waiting, measures = True, 3, Measures()

    async def execute(self, command: Any) -> Any:
        raise Unavailable("the master waits for its database")


class Server:
    ready = True


@contextmanager
def monitored(database: Database) -> Iterator[tuple[int, asyncio.AbstractEventLoop, Server]]:
    """A monitor at a port, the loop that it belongs to, and the server that it tells of."""
    started: asyncio.AbstractEventLoop | None = None
    up, server, port, stop = threading.Event(), Server(), 0, asyncio.Event()

    async def run() -> None:
        nonlocal started, port
        watching = Monitor("127.0.0.1:0")
        watching.start()
        port, started = watching._endpoint.port, asyncio.get_running_loop()
        writer: Any = Writer()
        watching.serves(writer, database, server, 4, SamplerPrograms())
        up.set()
        await stop.wait()
        watching.stop()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert up.wait(20)
    assert started is not None
    try:
        yield port, started, server
    finally:
        started.call_soon_threadsafe(stop.set)
        thread.join(20)


def get(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers["Content-Type"]


def test_what_cannot_be_learnt_is_a_gap_and_the_rest_is_told() -> None:
    database = Database()
    database.away = True
    with monitored(database) as (port, _, _):
        _, text, _ = get(port, "/metrics")
    assert "rungmaster_queued_commands 3.0\n" in text
    assert "rungmaster_database_readable 0.0\n" in text
    assert not [name for name in ("workers", "slots", "experiments", "events") if f"rungmaster_{name}" in text]


def test_many_that_scrape_at_once_cost_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "FRESH_S", 600.0)
    database = Database()
    with monitored(database) as (port, _, _):
        told = {get(port, "/metrics")[1].partition("rungmaster_build")[2] for _ in range(5)}
    assert database.looks == 1
    assert len(told) == 1


def test_the_journal_is_counted_from_the_start_and_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "FRESH_S", 0.0)
    with monitored(Database()) as (port, _, _):
        told = [get(port, "/metrics")[1] for _ in range(2)]
    for text, number in zip(told, (4, 6), strict=True):
        assert f'rungmaster_events_total{{kind="decision"}} {number}.0' in text
        assert f'rungmaster_decisions_total{{action="pause"}} {number}.0' in text
        assert 'rungmaster_leases_ended_total{outcome="expired"} 0.0' in text


def test_openmetrics_is_told_to_those_who_ask_for_it() -> None:
    with monitored(Database()) as (port, _, _):
        _, text, kind = get(port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_a_master_whose_event_loop_is_stuck_is_not_alive_and_one_without_database_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(monitor, "PATIENCE_S", 0.2)
    with monitored(Database()) as (port, loop, server):
        assert [get(port, path)[0] for path in ("/healthz", "/readyz")] == [200, 200]
        server.ready = False
        assert get(port, "/readyz")[:2] == (503, "the database takes no writes\n")
        let_go = threading.Event()
        loop.call_soon_threadsafe(let_go.wait, 60)
        try:
            assert get(port, "/healthz")[0] == 503
            assert get(port, "/metrics")[0] == 200
        finally:
            let_go.set()


def test_nonsense_is_answered_or_cut_off_and_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "PATIENCE_S", 0.2)
    with monitored(Database()) as (port, _, _):
        assert get(port, "/metrics", "POST")[0] == 405
        assert get(port, "/")[:2] == (404, "there are /metrics, /healthz, /readyz here\n")
        assert get(port, "/healthz", "HEAD")[:2] == (200, "")
        for sent in (b"GET /" + b"x" * 100_000, b"\x16\x03\x01 hello", b""):
            with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as talking:
                talking.sendall(sent)
                assert ended(talking)
        assert get(port, "/healthz")[0] == 200


def test_it_ends_at_once_though_somebody_is_still_to_say_what_he_wants() -> None:
    serving = endpoint.Endpoint("--metrics-listen", "127.0.0.1:0", {"/": answers})
    serving.start()
    with closing(socket.create_connection(("127.0.0.1", serving.port), timeout=20)) as silent:
        assert get(serving.port, "/")[:2] == (200, "here")
        began = time.monotonic()
        serving.stop()
        assert time.monotonic() - began < endpoint.PATIENCE_S
        assert ended(silent)


async def answers(_: str) -> endpoint.HttpAnswer:
    return endpoint.HttpAnswer(HTTPStatus.OK, b"here")


def ended(talking: socket.socket) -> bool:
    try:
        return talking.recv(1) == b""
    except ConnectionError:
        return True


def test_a_page_that_raises_is_told_without_its_particulars(caplog: pytest.LogCaptureFixture) -> None:
    async def page(_: str) -> endpoint.HttpAnswer:
        raise ValueError("secret")

    pages: dict[str, Callable[[str], Awaitable[endpoint.HttpAnswer]]] = {"/": page}
    serving = endpoint.Endpoint("--metrics-listen", "127.0.0.1:0", pages)
    serving.start()
    try:
        status, text, _ = get(serving.port, "/")
    finally:
        serving.stop()
    assert (status, "secret" in text, "secret" in caplog.text) == (500, False, True)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("192.0.2.1:9151", "--metrics-listen 192.0.2.1:9151: cannot listen there: it is no address of this machine"),
        ("nowhere.invalid:9151", "--metrics-listen nowhere.invalid:9151: cannot listen there: no such host is known"),
    ],
)
def test_an_address_of_another_machine_is_told(address: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(told)):
        endpoint.Endpoint("--metrics-listen", address, {}).start()


def test_batches_are_counted_by_how_long_they_took_but_for_those_that_changed_nothing() -> None:
    measures = Measures()
    measures.committed(Changes(), 0.5)
    for elapsed_s in (0.0001, 0.001, 0.002, 60.0):
        measures.committed(Changes(new_reports=[REPORT, REPORT]), elapsed_s)
    assert measures.reports == 8
    assert measures.batches == [2, 1, *[0] * (len(BUCKETS_S) - 2), 1]
    assert measures.total_s == pytest.approx(60.0031)
