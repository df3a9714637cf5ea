"""What the worker writes down about acknowledgements, for tests that hold the ledger to it."""

from __future__ import annotations

import json
from pathlib import Path

from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import CheckpointSaved, Exit, ExitOutcome, LeaseEvent, Measurement
from rungmaster.worker.link.acknowledgement_log import AcknowledgementLog
from rungmaster.worker.link.outbox import Outbox

LEASE = LeaseRef(1, 7, 2)


def test_every_acknowledged_event_is_a_line_and_is_written_once(tmp_path: Path) -> None:
    outbox, acknowledgement_log = Outbox(lambda: "request", buffer=10), AcknowledgementLog(tmp_path / "acknowledged")
    outbox.open(LEASE, "request")
    for event in (
        Measurement(1, {"error": 0.5}),
        CheckpointSaved("1/7/2-1-ab", 1, 10, "sum"),
        Exit(ExitOutcome.RELEASED),
    ):
        outbox.record(LEASE, event)
    for sequence in (1, 1, 3, 2):
        acknowledgement_log.note(outbox.acknowledge(LEASE, sequence))
    acknowledgement_log.close()
    lines = [json.loads(line) for line in (tmp_path / "acknowledged").read_text().splitlines()]
    lease = {"experiment": 1, "trial": 7, "token": 2}
    assert lines == [
        lease | {"sequence": 1, "kind": "measurement", "resource": 1, "metrics": {"error": 0.5}},
        lease | {"sequence": 2, "kind": "checkpoint", "path": "1/7/2-1-ab", "resource": 1},
        lease | {"sequence": 3, "kind": "exit", "outcome": "released"},
    ]


def test_workers_may_share_a_file(tmp_path: Path) -> None:
    witnesses = [AcknowledgementLog(tmp_path / "acknowledged") for _ in range(2)]
    for sequence, acknowledgement_log in enumerate(witnesses, 1):
        acknowledgement_log.note([LeaseEvent(LEASE, sequence, Measurement(sequence, {}))])
        acknowledgement_log.close()
    lines = (tmp_path / "acknowledged").read_text().splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2]


def test_without_a_file_nothing_is_written() -> None:
    acknowledgement_log = AcknowledgementLog(None)
    acknowledgement_log.note([LeaseEvent(LEASE, 1, Measurement(1, {}))])
    acknowledgement_log.close()
