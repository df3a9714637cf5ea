"""kill -9 of the writer: what it said is durable is there, and nothing by halves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rungmaster.master.experiment.changes import Changes
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.wire.positions import ReportPosition

from .ledger_rows import created, lease, report

CHILD = Path(__file__).with_name("ledger_child.py")


@pytest.mark.parametrize("kill_after", [1, 60])
def test_a_killed_writer_leaves_every_batch_that_it_told_of_and_none_by_halves(
    database_url: str, kill_after: int
) -> None:
    ledger = Ledger.open(database_url, holder="parent")
    batch = created()
    batch.new_leases = [lease(0)]
    ledger.commit(batch)
    ledger.close()
    command = [sys.executable, "-P", str(CHILD), database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(kill_after)]
        child.kill()
        told += [int(line) for line in child.stdout.read().split()]

    ledger, reader = Ledger.open(database_url, holder="parent"), Reader(database_url)
    reports = [one.sequence for one in reader.list_reports(1, 0, 10_000)[0]]
    events = [one.data["n"] for one in reader.events_after(1, 0, 10_000) if one.kind == "reported"]
    assert reports == events == list(range(1, len(reports) + 1))
    # One more may have been committed before it could be told.
    assert told[-1] <= reports[-1] <= told[-1] + 1
    assert ledger.term == 3
    assert ledger.load().experiments[0].leases[0].last_sequence == reports[-1]
    ledger.commit(Changes(new_reports=[report(1, 1)]))
    streamed = [(one.trial_id, one.sequence) for one in reader.reported(1, ReportPosition(), 10_000)[0]]
    assert streamed == [*((0, n) for n in reports), (1, 1)], "the order goes on under the next master"
    reader.close()
    ledger.close()
