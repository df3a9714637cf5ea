"""What a sampler program is told of results: each once, in the order in which they came, from the beginning for each
process."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from unit.beside_ledger import BesideLedger
from unit.master_harness import Master, Worker, make_spec

from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.sampling import feed
from rungmaster.master.sampling.feed import Feed, earlier_results
from rungmaster.shared.sampling.protocol import Pending, TrialResult, decode
from rungmaster.shared.wire.session import ExitOutcome


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "feed.db"


@pytest.fixture
def master(database: Path) -> Master:
    return Master(BesideLedger(database))


@pytest.fixture
def reader(master: Master, database: Path) -> Iterator[Reader]:
    with closing(Reader(str(database))) as reader:
        yield reader


def told(lines: bytes) -> list[TrialResult]:
    found = [decode(line) for line in lines.splitlines()]
    assert all(isinstance(each, TrialResult) for each in found)
    return found  # pyright: ignore[reportReturnType]


def train(master: Master, worker: Worker, error: float) -> None:
    master.sample()
    worker.train(error)


def test_results_come_once_and_in_order_and_again_for_another_process(
    master: Master, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PAGE", 2)
    master.submit(make_spec(sampler="bohb"))
    worker, first = master.worker(), Feed(reader, 1)
    assert first.news() == b""
    for error in (3.0, math.nan, 1.0):
        train(master, worker, error)
    rungs = [(0, 1, 3.0), (1, 1, None), (2, 1, 1.0), (2, 3, 1.0)]
    pages = [told(first.news()) for _ in range(3)]
    assert [[(each.trial, each.resource, each.metric) for each in page] for page in pages] == [rungs[:2], rungs[2:], []]
    assert [each.hyperparameters for each in pages[0]] == [{"suggestion": 0}, {"suggestion": 1}]
    train(master, worker, 2.0)
    assert [(each.trial, each.metric) for each in told(first.news())] == [(3, 2.0)]
    again = Feed(reader, 1)
    assert told(again.news()) + told(again.news()) == pages[0] + pages[1]


@pytest.mark.parametrize("outcome", [ExitOutcome.FAILED, ExitOutcome.INVALID_HPARAMS])
def test_a_trial_that_failed_for_good_or_whose_hyperparameters_are_invalid_is_told_as_failed(
    master: Master, reader: Reader, outcome: ExitOutcome
) -> None:
    master.submit(make_spec(sampler="bohb", max_restarts=0))
    worker = master.worker()
    master.sample()
    worker.exit(worker.work(), outcome, "why")
    (result,) = told(Feed(reader, 1).news())
    assert result == TrialResult(0, {"suggestion": 0}, 0, None, failed=True)


def test_what_is_in_training_is_pending_and_what_waits_for_hyperparameters_is_not(
    master: Master, reader: Reader
) -> None:
    master.submit(make_spec(sampler="bohb"))
    master.sample()
    worker, idle = master.worker(), master.worker("idle")
    worker.work()
    assert idle.ask() is None
    assert Feed(reader, 1).pending() == [Pending({"suggestion": 0}, 0)]


def test_earlier_experiments_warm_the_sampler_up_as_far_as_they_fit(master: Master, reader: Reader) -> None:
    space: dict[str, Any] = {"suggestion": {"type": "int", "low": 1, "high": 9}}
    master.submit(make_spec(sampler="bohb", hyperparameters=space))
    worker = master.worker()
    for error in (3.0, 2.0):
        train(master, worker, error)
    spec = make_spec(sampler="bohb", hyperparameters=space, warm_start=[1])
    (lines,) = earlier_results(reader, spec)
    assert told(lines) == [TrialResult(1, {"suggestion": 1}, 1, 2.0, experiment=1)], "that of trial 0 lies outside"
    deleted = make_spec(sampler="bohb", hyperparameters=space, warm_start=[7])
    assert list(earlier_results(reader, deleted)) == []
