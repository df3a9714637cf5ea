"""A master that dies, or fails by itself, at each place where that could lose something: nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster import QUALITY, Cluster, Process, toy_spec, wait_for
from e2e.test_search import assert_whole, reports_of, trained

from rungmaster.client import Client
from rungmaster.master.dispatcher import writer
from rungmaster.master.failpoints import EXIT_CODE, NAMES, VARIABLE, Failpoint, FailpointReached, parse
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import InvalidInput, Unavailable

from .faulty_store import FaultyStore, serving

#: At which passage a place is struck, where the first would be too early to be of interest.
PASSAGES = {
    **dict.fromkeys(("apply.after", "commit.before", "commit.after", "deliver.before", "deliver.after"), 8),
    **dict.fromkeys(("answer.after", "session.received", "session.send", "session.sent"), 6),
    **dict.fromkeys(("reply.before", "reply.after"), 3),
}
BEGINNING = [name for name in NAMES if name.startswith(("start", "term", "recover", "serve", "renew"))]
BATCHES = [name for name in NAMES if name.startswith(("apply", "commit", "deliver", "answer"))]
CHORES = [name for name in NAMES if name.startswith("chore")]
ENDINGS = [name for name in NAMES if name.startswith("ending")]
ANSWERS = [name for name in NAMES if name.startswith(("session", "reply"))]


class Search:
    """A search that a worker trains while its master fails."""

    def __init__(self, cluster: Cluster, storage: Path) -> None:
        self.cluster = cluster
        self._master = cluster.master()
        cluster.start("worker", "worker", "--master", cluster.address, "--slots", "2", "--name", "worker")
        self.client = Client(cluster.address, timeout=60)
        hparams = {"quality": QUALITY, "seconds_per_epoch": 0.02}
        searcher = {"name": "adaptive_asha", "max_trials": 20, "max_resource": 9, "divisor": 3}
        self.experiment_id = self.client.submit(
            toy_spec(storage, hyperparameters=hparams, searcher=searcher)
        ).experiment_id

    def fail_at(self, *failpoints: str) -> Process:
        """The next master, armed."""
        self._master.kill()
        self.cluster.environment[VARIABLE] = ",".join(failpoints)
        arguments = ("--listen", self.cluster.address, "--db", self.cluster.database, "--lease-ttl", "20")
        self._master = self.cluster.start("armed", "master", *arguments)
        del self.cluster.environment[VARIABLE]
        return self._master

    def die_at(self, name: str) -> None:
        """The next master ends at this place; what it leaves is whole."""
        armed = self.fail_at(f"{name}:exit@{PASSAGES.get(name, 1)}")
        with Client(self.cluster.address, timeout=0.5) as impatient:

            def dead() -> bool:
                if armed.popen.poll() is None and name.startswith("reply"):
                    _ask(impatient)
                return armed.popen.poll() is not None

            wait_for(f"the end at {name}", dead, 60)
        assert armed.popen.returncode == EXIT_CODE, armed.lines
        assert check_database(self.cluster.database).violations == [], name

    def end_well(self) -> None:
        """A sound master brings the search to its end, with everything once."""
        self._master.kill()
        self._master = self.cluster.master()
        self.client.wait(self.experiment_id)
        assert_whole(self.client, self.experiment_id)
        assert set(reports_of(self.client, self.experiment_id).values()) == {1}
        assert reports_of(self.client, self.experiment_id) == trained(self.cluster)
        assert check_database(self.cluster.database).violations == []


def _ask(client: Client) -> None:
    """Any call, answered or not."""
    try:
        client.master_info()
    except Unavailable:
        time.sleep(0.05)


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Search]:
    cluster = Cluster(tmp_path, str(tmp_path / "search.db"), lease_ttl_s=20.0)
    made = Search(cluster, tmp_path / "checkpoints")
    yield made
    made.client.close()
    cluster.close()


@pytest.mark.storm
@pytest.mark.parametrize("names", [BEGINNING, BATCHES, ANSWERS], ids=["beginning", "batches", "answers"])
@pytest.mark.timeout(240)
def test_a_master_may_die_anywhere(search: Search, names: Sequence[str]) -> None:
    for name in names:
        search.die_at(name)
    search.end_well()


@pytest.mark.timeout(240)
def test_a_master_that_fails_by_itself_goes_on(search: Search) -> None:
    """Its memory is thrown away and read back; it lives on."""
    places = [name for name in (*BATCHES, *ANSWERS) if not name.startswith("reply")]
    passages = {name: 6 + 4 * i for i, name in enumerate(places)} | {"session.hello": 2}
    armed = search.fail_at(*(f"{name}:raise@{passages[name]}" for name in places), "renew.after:delay=0.5")
    armed.wait_for_line("ready on")
    ended = search.client.wait(search.experiment_id)
    assert ended.state.ended
    assert armed.popen.poll() is None
    reached = {name for name in places if any(line_tells_of(name, line) for line in armed.lines)}
    assert reached == set(places)
    search.end_well()


def line_tells_of(name: str, line: str) -> bool:
    """As a traceback's last line, or as the cause of a batch that was written in parts."""
    return f"FailpointReached: {name}" in line or f"FailpointReached({name!r})" in line


@pytest.mark.storm
@pytest.mark.timeout(240)
def test_a_store_that_fails_before_or_after_its_commits_costs_nothing_but_time(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RECOVERY_PAUSE_S", 0.05)
    cluster = Cluster(tmp_path, database_url)
    stores: list[FaultyStore] = []

    def wrap(store: writer.Store) -> FaultyStore:
        stores.append(FaultyStore(store, seed=1, rate=0.1))
        return stores[-1]

    with serving(database_url, cluster.address, wrap), Client(cluster.address, timeout=60) as client:
        cluster.start("worker", "worker", "--master", cluster.address, "--slots", "2")
        experiment_id = client.submit(toy_spec(tmp_path / "checkpoints")).experiment_id
        client.wait(experiment_id)
        assert_whole(client, experiment_id)
        assert reports_of(client, experiment_id) == trained(cluster)
        assert set(trained(cluster).values()) == {1}
        cluster.close()
    assert {"commit failed", "commit done, and its answer lost"} <= set(stores[0].faults), stores[0].faults
    assert check_database(database_url).violations == []


def test_every_place_of_the_table_is_tested_and_marked_once() -> None:
    """Those of chores in test_retention.py, those of endings in test_large_endings.py."""
    assert sorted(NAMES) == sorted([*BEGINNING, *BATCHES, *ANSWERS, *CHORES, *ENDINGS])
    source = "".join(path.read_text(encoding="utf-8") for path in _master_source())
    assert {name: source.count(f'hit("{name}")') for name in NAMES} == dict.fromkeys(NAMES, 1)


def _master_source() -> list[Path]:
    return [path for path in (Path(__file__).parents[2] / "master").rglob("*.py") if path.name != "failpoints.py"]


def struck(failpoint: Failpoint, times: int) -> list[Any]:
    """What each of so many passages raises."""
    raised = []
    for _ in range(times):
        try:
            failpoint.strike()
            raised.append(None)
        except FailpointReached as error:
            raised.append(str(error))
    return raised


def test_a_failpoint_strikes_once_at_its_passage() -> None:
    assert struck(parse("commit.after:raise@3")["commit.after"], 5) == [None, None, "commit.after", None, None]
    assert struck(parse("commit.after:raise, renew.before:delay=0.0@2")["commit.after"], 2) == ["commit.after", None]
    assert parse("") == {}


@pytest.mark.parametrize("text", ["commit.after", "commit.after:explode", "commit.after:exit@0", "nowhere:exit"])
def test_what_names_no_failpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=VARIABLE):
        parse(text)
