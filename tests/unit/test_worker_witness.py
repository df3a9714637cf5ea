"""What the worker writes down about acknowledgements, for tests that hold the ledger to it."""

from __future__ import annotations

import json
from pathlib import Path

from rungmaster.shared.model import LeaseRef
from rungmaster.shared.session import CheckpointSaved, Exit, ExitOutcome, LeaseEvent, Measurement
from rungmaster.worker.outbox import Outbox
from rungmaster.worker.witness import Witness

LEASE = LeaseRef(1, 7, 2)


def test_every_acknowledged_event_is_a_line_and_is_written_once(tmp_path: Path) -> None:
    outbox, witness = Outbox(lambda: "request", buffer=10), Witness(tmp_path / "acknowledged")
    outbox.open(LEASE, "request")
    for event in (
        Measurement(1, {"error": 0.5}),
        CheckpointSaved("1/7/2-1-ab", 1, 10, "sum"),
        Exit(ExitOutcome.RELEASED),
    ):
        outbox.record(LEASE, event)
    for sequence in (1, 1, 3, 2):
        witness.note(outbox.acknowledge(LEASE, sequence))
    witness.close()
    lines = [json.loads(line) for line in (tmp_path / "acknowledged").read_text().splitlines()]
    lease = {"experiment": 1, "trial": 7, "token": 2}
    assert lines == [
        lease | {"sequence": 1, "kind": "measurement", "resource": 1, "metrics": {"error": 0.5}},
        lease | {"sequence": 2, "kind": "checkpoint", "path": "1/7/2-1-ab", "resource": 1},
        lease | {"sequence": 3, "kind": "exit", "outcome": "released"},
    ]


def test_workers_may_share_a_file(tmp_path: Path) -> None:
    witnesses = [Witness(tmp_path / "acknowledged") for _ in range(2)]
    for sequence, witness in enumerate(witnesses, 1):
        witness.note([LeaseEvent(LEASE, sequence, Measurement(sequence, {}))])
        witness.close()
    lines = (tmp_path / "acknowledged").read_text().splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2]


def test_without_a_file_nothing_is_written() -> None:
    witness = Witness(None)
    witness.note([LeaseEvent(LEASE, 1, Measurement(1, {}))])
    witness.close()
