"""Who did what, at real masters: recorded with what it changed, told by page, and there when the experiment is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from e2e.cluster import Cluster, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.client.local.database import DatabaseClient
from rungmaster.master.experiment.changes import ActRow, Changes
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.queries.acts import ActFilter
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import InvalidInput, PermissionDenied
from rungmaster.shared.net.credentials import Credentials
from rungmaster.shared.wire.model import Act

from .certificates import Authority
from .ledger_rows import START
from .secure_cluster import ADMIN, ALL, SUBMITTER, VIEWER, SecureCluster


@pytest.fixture
def cluster(tmp_path: Path, database_url: str) -> Iterator[SecureCluster]:
    cluster = SecureCluster(tmp_path)
    cluster.database = database_url
    cluster.secure_master()
    yield cluster
    cluster.close()


def client(cluster: SecureCluster, caller: tuple[str, str, str]) -> Client:
    return Client(cluster.address, credentials=cluster.credentials(caller))


def kinds(acts: Iterator[Act]) -> list[tuple[str, str]]:
    return [(act.kind, act.who) for act in acts]


def test_what_was_done_stays_when_the_experiment_is_deleted(cluster: SecureCluster) -> None:
    """Every act of both callers, from the submission to the end of the deletion; a restart changes nothing."""
    with client(cluster, SUBMITTER) as carol, client(cluster, ADMIN) as alice, client(cluster, VIEWER) as wall:
        before = datetime.now(UTC) - timedelta(seconds=1)
        number = carol.submit(toy_spec(cluster.folder), request_id="once").experiment_id
        assert carol.submit(toy_spec(cluster.folder), request_id="once").experiment_id == number
        carol.pause(number)
        alice.set(number, priority=4, max_concurrent_trials=2)
        alice.resume(number)
        carol.extend(number, 20)
        cluster.start("gpu", "worker", *cluster.options(ALL[1]), "--name", "gpu-a")
        (worker,) = wait_for("the worker", carol.workers)
        alice.drain(worker.session_id)
        carol.cancel(number)
        wait_for("its end", lambda: carol.get(number).over)
        with pytest.raises(PermissionDenied):
            wall.delete(number)
        carol.thin(number, keep_every=10)
        alice.delete(number)
        with closing(Reader(cluster.database)) as reader:
            wait_for("the end of the deletion", lambda: not reader.open_deletions())
        wanted = [
            *(("submit", "carol"), ("pause", "carol"), ("set", "alice"), ("resume", "alice"), ("extend", "carol")),
            *(("drain", "alice"), ("cancel", "carol"), ("thin", "carol"), ("delete", "alice")),
        ]
        assert kinds(wall.acts(oldest_first=True)) == wanted
        assert kinds(wall.acts()) == wanted[::-1]
        assert kinds(wall.acts(number)) == [act for act in wanted[::-1] if act[0] != "drain"]
        assert kinds(wall.acts(who="alice")) == [act for act in wanted[::-1] if act[1] == "alice"]
        assert list(wall.acts(since=datetime.now(UTC) + timedelta(hours=1))) == []
        told = list(wall.acts(number, since=before, oldest_first=True))
        assert {(act.known_by, act.host, act.subject) for act in told} == {("token", "127.0.0.1", "toy")}
        assert [act.data for act in told if act.kind in ("set", "extend", "thin", "delete")] == [
            {"priority": 4, "max_concurrent_trials": 2},
            {"max_trials": 20},
            {"keep_every": 10},
            {"owner": "carol"},
        ]
        (drain,) = [act for act in wall.acts() if act.kind == "drain"]
        assert (drain.subject, drain.experiment_id) == ("gpu-a", None)
        cluster.processes[0].kill()
        cluster.secure_master()
        assert kinds(wall.acts(oldest_first=True)) == wanted
    assert check_database(cluster.database).violations == []


def test_the_journal_names_them_and_is_replayed_all_the_same(tmp_path: Path) -> None:
    cluster = SecureCluster(tmp_path)
    cluster.secure_master()
    with closing(cluster), client(cluster, SUBMITTER) as carol, client(cluster, ADMIN) as alice:
        number = carol.submit(toy_spec(cluster.folder)).experiment_id
        cluster.start("gpu", "worker", *cluster.options(ALL[1]), "--slots", "2")
        alice.pause(number)
        alice.extend(number, 18)
        alice.resume(number)
        carol.wait(number)
        carol.extend(number, 20)
        carol.wait(number)
        told = [
            (event.kind, event.data["by"], event.data["host"])
            for event in carol.watch(number)
            if event.data.get("by") or event.kind in ("experiment_created", "experiment_extended")
        ]
    assert told == [
        ("experiment_created", "carol", "127.0.0.1"),
        ("experiment_paused", "alice", "127.0.0.1"),
        ("experiment_extended", "alice", "127.0.0.1"),
        ("experiment_active", "alice", "127.0.0.1"),
        ("experiment_extended", "carol", "127.0.0.1"),
        ("experiment_active", "carol", "127.0.0.1"),
    ]
    assert check_database(cluster.database).violations == []


def test_without_tokens_nobody_is_named_and_a_claim_is_told_as_one(
    tmp_path: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(tmp_path, sqlite_url)
    cluster.master()
    with closing(cluster), Client(cluster.address) as anybody:
        anybody.submit(toy_spec(tmp_path))
        anybody.pause(1)
        (pause, submit) = anybody.acts()
        assert (pause.who, pause.known_by, pause.host, pause.data) == ("", "", "127.0.0.1", {})
        assert (submit.who, list(submit.data)) == ("", ["claimed"])
        capsys.readouterr()
        assert execute(["audit", "--master", cluster.address]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["time", "(UTC)", "act", "to", "by", "from", "particulars"]
    assert first.split()[2:] == ["pause", "1", "(toy)", "(not", "asked)", "127.0.0.1"]
    assert second.split()[2:-1] == ["submit", "1", "(toy)", "(not", "asked)", "127.0.0.1"]
    # Without the master as well.
    assert execute(["audit", "1", "--db", sqlite_url, "--json", "--oldest-first", "--since", "1h"]) == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(act["kind"], act["experiment_id"], act["subject"]) for act in documents] == [
        ("submit", 1, "toy"),
        ("pause", 1, "toy"),
    ]
    assert documents[1]["data"] == {}


def test_where_certificates_are_asked_for_and_no_tokens_they_name_who_it_was(tmp_path: Path, sqlite_url: str) -> None:
    authority, cluster = Authority(tmp_path, "authority"), Cluster(tmp_path, sqlite_url)
    head, erin = authority.issue("head"), authority.issue("erin")
    master = cluster.start(
        *("master", "master", "--listen", cluster.address, "--db", sqlite_url, "--tls-cert", str(head.certificate)),
        *("--tls-key", str(head.key), "--tls-client-ca", str(authority.path)),
    )
    credentials = Credentials(tls_ca=authority.path, tls_cert=erin.certificate, tls_key=erin.key)
    with closing(cluster), Client(cluster.address, credentials=credentials) as client:
        master.wait_for_line("ready on")
        found = client.submit(toy_spec(tmp_path))
        assert (found.owner, found.owner_known_by) == ("erin", "certificate")
        (act,) = client.acts()
        assert (act.who, act.known_by) == ("erin", "certificate")


def act(number: int) -> ActRow:
    who = ("alice", "bob")[number % 2]
    return ActRow(START + number, "pause", 1 + number % 3, "toy", who, "token", "10.0.0.5", {"n": number})


def test_pages_follow_each_other_in_both_directions_and_with_every_filter(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(Changes(new_acts=[act(number) for number in range(20)]))
    for wanted, numbers in (
        (ActFilter(), range(20)),
        (ActFilter(experiment_id=2), range(1, 20, 3)),
        (ActFilter(who="bob"), range(1, 20, 2)),
        (ActFilter(since=START + 15), range(15, 20)),
        (ActFilter(2, "bob", START + 5), (7, 13, 19)),
        (ActFilter(who="eve"), ()),
    ):
        for oldest_first in (True, False):
            asked = ActFilter(wanted.experiment_id, wanted.who, wanted.since, oldest_first)
            found, token = reader.list_acts(asked, 3)
            while token:
                more, token = reader.list_acts(asked, 3, token)
                found += more
            assert [each.data["n"] for each in found] == (list(numbers) if oldest_first else list(numbers)[::-1])


def test_a_page_goes_on_where_it_stood_though_more_is_done_meanwhile(ledger: Ledger, reader: Reader) -> None:
    ledger.commit(Changes(new_acts=[act(number) for number in range(4)]))
    first, token = reader.list_acts(ActFilter(), 2)
    ledger.commit(Changes(new_acts=[act(4)]))
    second, end = reader.list_acts(ActFilter(), 2, token)
    assert ([each.data["n"] for each in first + second], end) == ([3, 2, 1, 0], "")
    with pytest.raises(InvalidInput, match="of another list"):
        reader.list_acts(ActFilter(who="bob"), 2, token)


@pytest.mark.parametrize(
    "since", ["yesterday", "2027-13-01", "5", "99999999999d", ""], ids=["word", "month", "number", "ages", "nothing"]
)
def test_a_time_that_is_none_is_refused(since: str, sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["audit", "--db", sqlite_url, "--since", since]) == 2
    assert "is neither how long ago (2d, 12h) nor a time" in capsys.readouterr().err


def test_a_name_that_would_act_on_a_terminal_does_not(
    tmp_path: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = ActRow(START, "pause", 1, "to\x1b[2Jy", "ev\x1be", "certificate", "10.0.0.5", {"x": "\x1b"})
    with closing(Ledger.open(sqlite_url, holder="me")) as ledger:
        ledger.commit(Changes(new_acts=[row]))
    assert execute(["audit", "--db", sqlite_url]) == 0
    assert execute(["audit", "--db", sqlite_url, "--json"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "ev\\x1be" in shown
    with DatabaseClient(sqlite_url) as client:
        assert [each.who for each in client.acts()] == ["ev\x1be"]
